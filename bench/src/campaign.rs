//! The winback campaign of the examples, with any number of offers and customers. Each offer has
//! the four rules of the example with its own bounds. Every customer consents, is awake, and
//! qualifies for all offers of one of the three categories.

use std::{fmt::Write as _, time::Duration};

use anyhow::{bail, ensure};
use futures::stream;
use proffer_proto::{
    catalog::v1::{
        ImportFormat, ImportHeader, ImportRecordsRequest, import_records_request::Part,
        record_service_client::RecordServiceClient,
    },
    decision::v1::{Decision, RecommendRequest, decision_service_client::DecisionServiceClient},
};
use tonic::transport::Channel;

use crate::{
    rest::Rest,
    server::{Place, Server},
};

const SCHEMA: &str = include_str!("../../examples/winback/01-schema.json");
const CATEGORY: &str = include_str!("../../examples/winback/02-category.json");
const CHANNEL: &str = include_str!("../../examples/winback/06-channel-email.json");
const CONTACT_POLICY: &str = include_str!("../../examples/winback/08-contact-policy.json");
const FLOW: &str = include_str!("../../examples/winback/09-decision-flow.json");
const CATEGORIES: [&str; 3] = ["Apparel", "Electronics", "Home"];

/// Rows per imported file. The server imports them well within the time limit of a request.
const FILE_ROWS: u64 = 100_000;
/// Rows per piece of a file.
const PIECE_ROWS: u64 = 1_000;
/// Polls until decisions use the whole configuration, and the pause between two polls.
const POLLS_MAX: usize = 500;
const POLL: Duration = Duration::from_millis(20);

/// Default wait of decisions for newer configuration.
const SNAPSHOT_WAIT_MAX_MS: u64 = 250;

/// Size of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Number of offers.
    pub offers: u64,
    /// Number of customers.
    pub customers: u64,
}

/// A server with the campaign loaded.
#[derive(Debug)]
pub struct Campaign {
    /// The process of the server.
    pub server: Server,
    /// A connection to the server.
    pub channel: Channel,
    size: Size,
}

impl Campaign {
    /// Starts a server pinned to its own processor and loads the campaign.
    pub async fn start(size: Size) -> anyhow::Result<Self> {
        Self::start_at(Place::OfItsOwn, SNAPSHOT_WAIT_MAX_MS, size).await
    }

    /// Starts a server and loads the campaign.
    pub async fn start_at(
        place: Place,
        snapshot_wait_max_ms: u64,
        size: Size,
    ) -> anyhow::Result<Self> {
        let server = Server::start(place, snapshot_wait_max_ms)?;
        let channel = server.channel().await?;
        let mut rest = Rest::connect(server.address).await?;
        rest.post("/api/v1/schemas", SCHEMA).await?;
        for name in CATEGORIES {
            rest.post("/api/v1/categories", CATEGORY.replace("Apparel", name)).await?;
        }
        for number in 0..size.offers {
            rest.post("/api/v1/offers", offer(number)).await?;
        }
        rest.post("/api/v1/channels", CHANNEL).await?;
        rest.post("/api/v1/contact-policies", CONTACT_POLICY).await?;
        rest.post("/api/v1/decision-flows", FLOW).await?;
        for first in (0..size.customers).step_by(FILE_ROWS as usize) {
            import(channel.clone(), first, size.customers.min(first + FILE_ROWS)).await?;
        }
        let campaign = Self { server, channel, size };
        campaign.settled().await?;
        Ok(campaign)
    }

    /// A client for decisions.
    pub fn decisions(&self) -> DecisionServiceClient<Channel> {
        DecisionServiceClient::new(self.channel.clone())
    }

    /// Request `number`: a dry run for one of the customers.
    pub fn request(&self, number: u64) -> RecommendRequest {
        RecommendRequest {
            customer_id: customer(scattered(number) % self.size.customers),
            channel: "email".into(),
            flow: "Winback".into(),
            dry_run: true,
            ..Default::default()
        }
    }

    /// Waits until decisions use the whole configuration.
    async fn settled(&self) -> anyhow::Result<()> {
        let mut client = self.decisions();
        for _ in 0..POLLS_MAX {
            let answer = client.recommend(self.request(0)).await;
            if let Ok(answer) = &answer
                && let Some(decision) = &answer.get_ref().decision
                && checked(decision).is_ok()
                && decision.degraded.is_empty()
                && entered(decision) == self.size.offers
            {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        bail!(
            "decisions do not use the whole campaign: {:?}",
            client.recommend(self.request(0)).await
        )
    }
}

/// Checks that a decision has an offer and a trace.
pub fn checked(decision: &Decision) -> anyhow::Result<()> {
    let is_whole =
        decision.trace.is_some() && decision.decisions.iter().all(|offer| offer.trace.is_some());
    ensure!(
        is_whole && !decision.decisions.is_empty(),
        "the decision has no offer or no trace: {decision:?}"
    );
    Ok(())
}

/// Number of candidates at the start of a decision.
fn entered(decision: &Decision) -> u64 {
    let stages = decision.trace.iter().flat_map(|trace| &trace.stages);
    stages.map(|stage| stage.left.max(0) as u64).max().unwrap_or_default()
}

/// The body of offer `number`.
fn offer(number: u64) -> String {
    let category = CATEGORIES[(number % 3) as usize];
    let (priority, value, margin) = (50 + number % 40, 20 + number * 7 % 60, 30 + number * 3 % 40);
    let (least, most) = (60 + number % 30, 365 + number % 50);
    format!(
        r#"{{"name": "{category} {number}", "category": "{category}",
            "priority": {priority}, "businessValue": {value}, "margin": {margin},
            "qualificationRules": [
                {{"field": "primaryCategory", "op": "==", "value": "{}"}},
                {{"field": "daysSinceLastPurchase", "op": ">=", "value": {least}}},
                {{"field": "daysSinceLastPurchase", "op": "<=", "value": {most}}},
                {{"field": "isRecoverable", "op": "==", "value": true}}]}}"#,
        category.to_lowercase()
    )
}

fn customer(number: u64) -> String {
    format!("c{number:07}")
}

/// Imports the customers from `first` up to, but not including, `end` as one file.
async fn import(channel: Channel, first: u64, end: u64) -> anyhow::Result<()> {
    let header = ImportHeader {
        schema: "Customer".into(),
        format: ImportFormat::Csv.into(),
        all_or_nothing: false,
        separator: 0,
    };
    let pieces = (first..end)
        .step_by(PIECE_ROWS as usize)
        .map(move |from| rows(from, end.min(from + PIECE_ROWS)));
    let columns = "customerId,lastPurchaseDate,lifetimePurchases,lifetimeRevenue,\
                   primaryCategory,timezone,consentEmail\n";
    let parts = [Part::Header(header), Part::Piece(columns.into())]
        .into_iter()
        .chain(pieces.map(Part::Piece));
    let parts = parts.map(|part| ImportRecordsRequest { part: Some(part) });
    let answer =
        RecordServiceClient::new(channel).import_records(stream::iter(parts)).await?.into_inner();
    ensure!(answer.accepted as u64 == end - first, "customers were refused: {answer:?}");
    Ok(())
}

/// CSV rows of customers with at least three purchases, the last one half a year to a year
/// ago.
fn rows(from: u64, end: u64) -> Vec<u8> {
    let mut text = String::new();
    for number in from..end {
        let (month, day) = (8 + number % 5, 1 + number % 28);
        let category = CATEGORIES[(number % 3) as usize].to_lowercase();
        let (purchases, revenue, id) = (3 + number % 40, 50 + number % 5_000, customer(number));
        let _ = writeln!(
            text,
            "{id},2025-{month:02}-{day:02},{purchases},{revenue}.{:02},\
             {category},Europe/London,true",
            number % 100
        );
    }
    text.into_bytes()
}

/// Mixes the bits of `number` (SplitMix64), so that consecutive requests hit scattered customers.
fn scattered(number: u64) -> u64 {
    let stirred = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let stirred = (stirred ^ (stirred >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    stirred ^ (stirred >> 31)
}
