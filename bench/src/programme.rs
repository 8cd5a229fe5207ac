//! The winback programme of the examples, with as many offers and customers as a comparison wants.
//! The offers are spread over the three categories, each with the example's four rules and bounds
//! of its own; every customer is willing, awake and qualifies for all offers of one category.

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

/// Rows of one file: a server's processor takes them well within the time of a request.
const FILE_ROWS: u64 = 100_000;
/// Rows of a piece of it.
const PIECE_ROWS: u64 = 1_000;
/// Looks at whether decisions are made as configured, and between two of them.
const LOOKS_MAX: usize = 500;
const LOOK: Duration = Duration::from_millis(20);

/// How long decisions wait for newer configuration, where nothing else is said.
const SNAPSHOT_WAIT_MAX_MS: u64 = 250;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Offers.
    pub offers: u64,
    /// Customers.
    pub customers: u64,
}

/// A server with the programme, and who may be asked about.
#[derive(Debug)]
pub struct Programme {
    /// The server.
    pub server: Server,
    /// A connection to it.
    pub channel: Channel,
    size: Size,
}

impl Programme {
    /// Starts a server on a processor of its own and gives it everything.
    pub async fn start(size: Size) -> anyhow::Result<Self> {
        Self::start_at(Place::OfItsOwn, SNAPSHOT_WAIT_MAX_MS, size).await
    }

    /// Starts a server and gives it everything.
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
        let programme = Self { server, channel, size };
        programme.settled().await?;
        Ok(programme)
    }

    /// A client of decisions.
    pub fn decisions(&self) -> DecisionServiceClient<Channel> {
        DecisionServiceClient::new(self.channel.clone())
    }

    /// The question of this number: a dry run about any of the customers.
    pub fn question(&self, number: u64) -> RecommendRequest {
        RecommendRequest {
            customer_id: customer(scattered(number) % self.size.customers),
            channel: "email".into(),
            flow: "Winback".into(),
            dry_run: true,
            ..Default::default()
        }
    }

    /// Returns once decisions know the whole configuration.
    async fn settled(&self) -> anyhow::Result<()> {
        let mut client = self.decisions();
        for _ in 0..LOOKS_MAX {
            let answer = client.recommend(self.question(0)).await;
            if let Ok(answer) = &answer
                && let Some(decision) = &answer.get_ref().decision
                && checked(decision).is_ok()
                && decision.degraded.is_empty()
                && entered(decision) == self.size.offers
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("the programme is not decided by: {:?}", client.recommend(self.question(0)).await)
    }
}

/// An answer with an offer and its trace; what else came is told.
pub fn checked(decision: &Decision) -> anyhow::Result<()> {
    let is_whole =
        decision.trace.is_some() && decision.decisions.iter().all(|offer| offer.trace.is_some());
    ensure!(
        is_whole && !decision.decisions.is_empty(),
        "a decision without an offer or a trace: {decision:?}"
    );
    Ok(())
}

/// Candidates that a decision began with.
fn entered(decision: &Decision) -> u64 {
    let stages = decision.trace.iter().flat_map(|trace| &trace.stages);
    stages.map(|stage| stage.left.max(0) as u64).max().unwrap_or_default()
}

/// The offer of this number.
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

/// The customers from `first` on up to `end`, a file of their own.
async fn import(channel: Channel, first: u64, end: u64) -> anyhow::Result<()> {
    let header = ImportHeader {
        schema: "Customer".into(),
        format: ImportFormat::Csv.into(),
        all_or_nothing: false,
    };
    let pieces = (first..end)
        .step_by(PIECE_ROWS as usize)
        .map(move |from| rows(from, end.min(from + PIECE_ROWS)));
    let columns = "customerId,lastPurchaseDate,lifetimePurchases,lifetimeRevenue,primaryCategory,timezone,consentEmail\n";
    let parts = [Part::Header(header), Part::Piece(columns.into())]
        .into_iter()
        .chain(pieces.map(Part::Piece));
    let parts = parts.map(|part| ImportRecordsRequest { part: Some(part) });
    let answer =
        RecordServiceClient::new(channel).import_records(stream::iter(parts)).await?.into_inner();
    ensure!(answer.accepted as u64 == end - first, "customers were refused: {answer:?}");
    Ok(())
}

/// Last purchase half a year to a year ago, at least three of them.
fn rows(from: u64, end: u64) -> Vec<u8> {
    let mut text = String::new();
    for number in from..end {
        let (month, day) = (8 + number % 5, 1 + number % 28);
        let category = CATEGORIES[(number % 3) as usize].to_lowercase();
        let (purchases, revenue, id) = (3 + number % 40, 50 + number % 5_000, customer(number));
        let _ = writeln!(
            text,
            "{id},2025-{month:02}-{day:02},{purchases},{revenue}.{:02},{category},Europe/London,true",
            number % 100
        );
    }
    text.into_bytes()
}

/// The bits of `number` stirred (SplitMix64), so that numbers in a row are customers from
/// everywhere.
fn scattered(number: u64) -> u64 {
    let stirred = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let stirred = (stirred ^ (stirred >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    stirred ^ (stirred >> 31)
}
