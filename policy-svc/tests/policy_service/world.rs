//! A service of its own on either store, with a clock that is set by hand.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use database::Location;
use policy_svc::{App, Deps};
use proffer_proto::{
    policy::v1::{
        self as proto, channel_service_client::ChannelServiceClient,
        consent_service_client::ConsentServiceClient,
        contact_gate_service_client::ContactGateServiceClient, contact_policy::Rule,
        contact_policy_service_client::ContactPolicyServiceClient,
        contact_service_client::ContactServiceClient,
        settings_service_client::SettingsServiceClient,
    },
    values::v1::{Value, value::Kind},
};
use prost_types::Timestamp;
use serve::{Clock, Neighbour};
use tonic::Status;
use tonic_types::StatusExt as _;

/// Scope of the seed's policy.
pub const SEED_SCOPE: &str = "category:Apparel,Electronics,Home";

pub struct World {
    pub clock: Clock,
    pub app: App,
    pub neighbour: Neighbour,
    pub location: Location,
    _folder: Option<tempfile::TempDir>,
}

/// Noon in London.
pub fn noon() -> DateTime<Utc> {
    "2026-07-03T11:00:00Z".parse().unwrap()
}

pub fn stamp(at: DateTime<Utc>) -> Timestamp {
    history::timestamp(at)
}

pub fn instant(at: Option<Timestamp>) -> DateTime<Utc> {
    let at = at.unwrap();
    DateTime::from_timestamp(at.seconds, at.nanos.unsigned_abs()).unwrap()
}

/// Runs `check` in a new world on SQLite, then in one on PostgreSQL.
pub async fn on_both(check: impl AsyncFn(&World)) {
    check(&World::on_sqlite().await).await;
    check(&World::on_postgres().await).await;
}

/// The same with the seed's channels and policy.
pub async fn seeded_on_both(check: impl AsyncFn(&World)) {
    on_both(async |world| {
        world.seed().await;
        check(world).await;
    })
    .await;
}

/// The faults of a refused request as `path: text`.
pub fn faults(status: &Status) -> Vec<String> {
    let details = status.get_error_details();
    let violations =
        details.bad_request().map(|found| found.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|fault| format!("{}: {}", fault.field, fault.description)).collect()
}

/// The reason of a refused request.
pub fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

pub fn cap(id: &str, scope: &str, days: i32, limit: i32) -> proto::ContactPolicy {
    let cap =
        proto::FrequencyCap { window_days: days, max_impressions: limit, ..Default::default() };
    let rule = Some(Rule::FrequencyCap(cap));
    proto::ContactPolicy {
        id: id.into(),
        name: id.into(),
        scope: scope.into(),
        rule,
        ..Default::default()
    }
}

pub fn text(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.into())) }
}

pub fn boolean(value: bool) -> Value {
    Value { kind: Some(Kind::BooleanValue(value)) }
}

/// A customer of London who granted e-mail and texts.
pub fn willing() -> BTreeMap<String, Value> {
    BTreeMap::from([
        ("timezone".to_owned(), text("Europe/London")),
        ("consentEmail".to_owned(), boolean(true)),
        ("consentSMS".to_owned(), boolean(true)),
    ])
}

pub fn candidate(offer_id: &str, category: &str) -> proto::OfferSubject {
    let (offer_id, category) = (offer_id.into(), category.into());
    proto::OfferSubject { offer_id, category, ..Default::default() }
}

/// An impression of an offer of Apparel on e-mail, as it happens.
pub fn impression(
    customer: &str,
    seq: i64,
    decision: &str,
    at: DateTime<Utc>,
) -> proto::OutcomeFact {
    proto::OutcomeFact {
        outcome_id: format!("out_{customer}_{seq}"),
        customer_id: customer.into(),
        customer_seq: seq,
        key: "impression".into(),
        counts_as_contact: true,
        decision_id: decision.into(),
        rank: i32::from(!decision.is_empty()),
        offer: Some(candidate("off_apparel", "Apparel")),
        channel: "email".into(),
        occurred_at: Some(stamp(at)),
        received_at: Some(stamp(at)),
        ..Default::default()
    }
}

impl World {
    pub async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        Self::open(location, Some(folder)).await
    }

    pub async fn on_postgres() -> Self {
        Self::open(Location::Url(testkit::fresh_database_url().await), None).await
    }

    async fn open(location: Location, folder: Option<tempfile::TempDir>) -> Self {
        let clock = Clock::fixed(noon());
        let app = App::build(&location, Deps { clock: clock.clone() }).await.unwrap();
        let neighbour = Neighbour::local(app.routes());
        Self { clock, app, neighbour, location, _folder: folder }
    }

    pub fn pass(&self, time: TimeDelta) {
        self.clock.set(self.clock.now() + time);
    }

    pub fn channels(&self) -> ChannelServiceClient<Neighbour> {
        ChannelServiceClient::new(self.neighbour.clone())
    }

    pub fn policies(&self) -> ContactPolicyServiceClient<Neighbour> {
        ContactPolicyServiceClient::new(self.neighbour.clone())
    }

    pub fn settings(&self) -> SettingsServiceClient<Neighbour> {
        SettingsServiceClient::new(self.neighbour.clone())
    }

    pub fn consents(&self) -> ConsentServiceClient<Neighbour> {
        ConsentServiceClient::new(self.neighbour.clone())
    }

    pub fn contacts(&self) -> ContactServiceClient<Neighbour> {
        ContactServiceClient::new(self.neighbour.clone())
    }

    pub fn gate(&self) -> ContactGateServiceClient<Neighbour> {
        ContactGateServiceClient::new(self.neighbour.clone())
    }

    pub async fn create_channel(&self, channel: proto::Channel) -> proto::Channel {
        let request = proto::CreateChannelRequest { channel: Some(channel), ..Default::default() };
        self.channels().create_channel(request).await.unwrap().into_inner().channel.unwrap()
    }

    pub async fn create_policy(&self, policy: proto::ContactPolicy) -> proto::ContactPolicy {
        let request = proto::CreateContactPolicyRequest {
            contact_policy: Some(policy),
            ..Default::default()
        };
        self.policies()
            .create_contact_policy(request)
            .await
            .unwrap()
            .into_inner()
            .contact_policy
            .unwrap()
    }

    /// The seed's calls, steps 4 and 5, and a channel people pull from.
    pub async fn seed(&self) {
        for (name, start, end) in [("email", "21:00", "08:00"), ("sms", "20:00", "09:00")] {
            let config = proto::ChannelConfig {
                quiet_hours_start: start.into(),
                quiet_hours_end: end.into(),
                timezone_source: vec!["customer.timezone".into()],
                ..Default::default()
            };
            self.create_channel(proto::Channel {
                name: name.into(),
                config: Some(config),
                ..Default::default()
            })
            .await;
        }
        self.create_channel(proto::Channel { name: "web".into(), ..Default::default() }).await;
        let name = "Winback 3-touch cap, 30-day window".into();
        self.create_policy(proto::ContactPolicy {
            id: String::new(),
            name,
            ..cap("", SEED_SCOPE, 30, 3)
        })
        .await;
    }

    /// A question about a willing customer, now, by e-mail, with one offer of Apparel.
    pub fn question(&self, customer: &str) -> proto::ContactQuestion {
        proto::ContactQuestion {
            customer_id: customer.into(),
            channel: "email".into(),
            now: Some(stamp(self.clock.now())),
            customer_fields: willing(),
            candidates: vec![candidate("off_apparel", "Apparel")],
            ..Default::default()
        }
    }

    pub async fn ask(
        &self,
        request: proto::ReserveRequest,
    ) -> Result<proto::ReserveResponse, Status> {
        self.gate().reserve(request).await.map(tonic::Response::into_inner)
    }

    /// Asks for one slot.
    pub async fn reserve(
        &self,
        question: proto::ContactQuestion,
        decision: &str,
    ) -> proto::ReserveResponse {
        self.ask(reservation(question, decision)).await.unwrap()
    }

    /// Whether a willing customer gets an offer of Apparel by e-mail: the reason code, or
    /// `granted`.
    pub async fn outcome_of_reserve(&self, customer: &str, decision: &str) -> String {
        told(&self.reserve(self.question(customer), decision).await)
    }

    /// The answer as a repeat has it: without the facts.
    pub fn repeated(mut answer: proto::ReserveResponse) -> proto::ReserveResponse {
        answer.judgment.as_mut().unwrap().facts = None;
        answer
    }

    pub async fn check(&self, question: proto::ContactQuestion) -> proto::Judgment {
        let request = proto::CheckRequest { question: Some(question), limit: 0 };
        self.gate().check(request).await.unwrap().into_inner().judgment.unwrap()
    }

    pub async fn commit(
        &self,
        question: proto::ContactQuestion,
        decision: &str,
    ) -> proto::CommitContactResponse {
        let request = proto::CommitContactRequest {
            question: Some(question),
            decision_id: decision.into(),
            rank: 0,
        };
        self.gate().commit_contact(request).await.unwrap().into_inner()
    }

    pub async fn release(&self, customer: &str, decision: &str, rank: i32) -> i32 {
        let request = proto::ReleaseContactRequest {
            customer_id: customer.into(),
            decision_id: decision.into(),
            rank,
        };
        self.gate().release_contact(request).await.unwrap().into_inner().released
    }

    pub async fn deliver(&self, outcomes: Vec<proto::OutcomeFact>) {
        self.gate().deliver_outcomes(proto::DeliverOutcomesRequest { outcomes }).await.unwrap();
    }

    pub async fn put_consent(
        &self,
        customer: &str,
        channel: &str,
        granted: bool,
    ) -> proto::Consent {
        let request = proto::PutConsentRequest {
            customer_id: customer.into(),
            channel: channel.into(),
            granted: Some(granted),
            ..Default::default()
        };
        self.consents().put_consent(request).await.unwrap().into_inner().consent.unwrap()
    }

    /// A customer's contacts, newest first, as `decision state`.
    pub async fn ledger(&self, customer: &str) -> Vec<String> {
        let request =
            proto::ListContactsRequest { customer_id: customer.into(), ..Default::default() };
        let contacts = self.contacts().list_contacts(request).await.unwrap().into_inner().contacts;
        let told = |contact: proto::Contact| {
            let state =
                contact.state().as_str_name().trim_start_matches("CONTACT_STATE_").to_lowercase();
            let unreserved = if contact.unreserved { " unreserved" } else { "" };
            format!("{} {state}{unreserved}", contact.decision_id)
        };
        contacts.into_iter().map(told).collect()
    }
}

pub fn reservation(question: proto::ContactQuestion, decision: &str) -> proto::ReserveRequest {
    proto::ReserveRequest {
        question: Some(question),
        decision_id: decision.into(),
        request_id: String::new(),
        limit: 1,
    }
}

/// The reason code of the first refusal, or `granted`.
pub fn told(response: &proto::ReserveResponse) -> String {
    if !response.grants.is_empty() {
        return "granted".to_owned();
    }
    let judgment = response.judgment.clone().unwrap();
    let refusals =
        judgment.refusal.into_iter().chain(judgment.verdicts.into_iter().filter_map(|v| v.refusal));
    refusals.map(|refusal| code(&refusal).to_owned()).next().unwrap_or_default()
}

/// The reason code as REST says it.
pub fn code(refusal: &proto::Refusal) -> &'static str {
    wire::reason::word(refusal.reason_code())
}
