//! A running decision-svc with the seed's winback programme configured.

use std::time::Duration;

use database::Location;
use decision_svc::{App, Deps};
use proffer_proto::{
    catalog::v1 as catalog,
    decision::v1::{
        self as proto, decision_flow_service_client::DecisionFlowServiceClient,
        decision_service_client::DecisionServiceClient,
        outcome_service_client::OutcomeServiceClient, report_service_client::ReportServiceClient,
    },
    experiment::v1 as experiment,
    policy::v1 as policy,
    values::v1::{ReasonCode, Value, value::Kind},
};
use prost::Message as _;
use prost_types::Timestamp;
use serve::{Clock, Neighbour};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::neighbours::Fakes;

/// 2026-11-22 10:00 in London.
pub const NOW_US: i64 = 1_795_341_600_000_000;

pub struct Suite {
    pub app: App,
    pub fakes: Fakes,
    pub clock: Clock,
    pub decisions: DecisionServiceClient<Neighbour>,
    pub flows: DecisionFlowServiceClient<Neighbour>,
    pub outcomes: OutcomeServiceClient<Neighbour>,
    pub reports: ReportServiceClient<Neighbour>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Drop for Suite {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|task| task.abort());
    }
}

/// Runs `check` on SQLite with the neighbours in place, and on PostgreSQL with the neighbours
/// behind a socket.
pub async fn on_both(check: impl AsyncFn(Suite)) {
    let folder = tempfile::tempdir().unwrap();
    check(Suite::start(&Location::Folder(folder.path().to_owned()), Fakes::new()).await).await;
    check(Suite::start(&Location::Url(testkit::fresh_database_url().await), Fakes::new()).await)
        .await;
}

impl Suite {
    pub async fn start(location: &Location, fakes: Fakes) -> Self {
        Self::start_waiting(location, fakes, Duration::from_millis(250)).await
    }

    /// One whose decisions wait so long for newer configuration.
    pub async fn start_waiting(
        location: &Location,
        fakes: Fakes,
        snapshot_wait_max: Duration,
    ) -> Self {
        let clock = Clock::fixed(serve::from_micros(NOW_US));
        configure(&fakes);
        let neighbours = match location.place() {
            Location::Folder(_) => fakes.neighbours(),
            _ => fakes.far_neighbours().await,
        };
        let deps = Deps {
            clock: clock.clone(),
            neighbours,
            snapshot_wait_max,
            experiments_silence_max: fakes.experiments_silence_max,
        };
        let app = App::build(location, deps).await.unwrap();
        let own = Neighbour::local(app.routes());
        let suite = Self {
            fakes,
            clock,
            decisions: DecisionServiceClient::new(own.clone()),
            flows: DecisionFlowServiceClient::new(own.clone()),
            outcomes: OutcomeServiceClient::new(own.clone()),
            reports: ReportServiceClient::new(own),
            tasks: app.tasks().into_iter().map(tokio::spawn).collect(),
            app,
        };
        let request = proto::CreateDecisionFlowRequest {
            decision_flow: Some(winback()),
            ..Default::default()
        };
        match suite.flows.clone().create_decision_flow(request).await {
            Ok(answer) => assert_eq!(answer.into_inner().decision_flow.unwrap().id, "flow_winback"),
            Err(status) => assert_eq!(status.code(), Code::AlreadyExists),
        }
        suite
    }

    /// Stops the relay: what is reported stays undelivered.
    pub fn stop_relay(&self) {
        self.tasks.iter().for_each(|task| task.abort());
    }

    pub async fn report_all(
        &self,
        outcomes: Vec<proto::OutcomeReport>,
    ) -> proto::RespondBatchResponse {
        let request = proto::RespondBatchRequest { outcomes, ..Default::default() };
        self.outcomes.clone().respond_batch(request).await.unwrap().into_inner()
    }

    pub async fn recommend(
        &self,
        request: proto::RecommendRequest,
    ) -> Result<proto::Decision, Status> {
        let answer = self.decisions.clone().recommend(request).await?;
        Ok(answer.into_inner().decision.unwrap())
    }

    pub async fn respond(
        &self,
        outcome: proto::OutcomeReport,
    ) -> Result<proto::RespondResponse, Status> {
        let request = proto::RespondRequest { outcome: Some(outcome) };
        Ok(self.outcomes.clone().respond(request).await?.into_inner())
    }
}

/// An experiment on the flow that holds out this share, in percent.
pub fn holdout(percent: i32) -> experiment::Experiment {
    experiment::Experiment {
        id: "exp_1".to_owned(),
        name: "Holdout".to_owned(),
        flow_id: "flow_winback".to_owned(),
        status: experiment::ExperimentStatus::Running.into(),
        salt: "winback".to_owned(),
        starts_at: Some(Timestamp { seconds: NOW_US / 1_000_000 - 1, nanos: 0 }),
        planned_end: Some(Timestamp { seconds: NOW_US / 1_000_000 + 90 * 86_400, nanos: 0 }),
        epochs: vec![experiment::SplitEpoch {
            epoch: 1,
            holdout_basis_points: percent * 100,
            since: None,
        }],
        ..Default::default()
    }
}

/// The question of the seed.
pub fn question(customer_id: &str) -> proto::RecommendRequest {
    proto::RecommendRequest {
        customer_id: customer_id.to_owned(),
        channel: "email".to_owned(),
        flow: "Winback".to_owned(),
        ..Default::default()
    }
}

/// An outcome of a customer's own.
pub fn report(customer_id: &str, outcome: &str, idempotency_key: &str) -> proto::OutcomeReport {
    proto::OutcomeReport {
        customer_id: customer_id.to_owned(),
        outcome: outcome.to_owned(),
        idempotency_key: idempotency_key.to_owned(),
        ..Default::default()
    }
}

/// Code and reason of an error, and the fields it names.
pub fn told(status: &Status) -> (Code, String, Vec<String>) {
    let details = status.get_error_details();
    let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
    let violations =
        details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    (status.code(), reason, violations.into_iter().map(|violation| violation.field).collect())
}

/// A reason as REST says it; empty without one.
pub fn code(reason: ReasonCode) -> String {
    wire::reason::word(reason).to_owned()
}

pub fn string(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

/// A customer of the seed, who bought so many days before the suite's instant.
pub fn lapsed(fakes: &Fakes, customer_id: &str, category: &str, last_purchase: &str) {
    let fields = [
        ("lastPurchaseDate", string(last_purchase)),
        ("lifetimePurchases", Kind::IntegerValue(5)),
        ("lifetimeRevenue", Kind::DecimalValue("320.50".to_owned())),
        ("primaryCategory", string(category)),
        ("timezone", string("Europe/London")),
        ("consentEmail", Kind::BooleanValue(true)),
    ];
    fakes.put_record(customer_id, &fields);
}

fn configure(fakes: &Fakes) {
    if !fakes.script.lock().unwrap().records.is_empty() {
        return;
    }
    configure_customers(fakes);
    configure_offers(fakes);
    configure_outcome_types(fakes);
    let channel = policy::Channel { name: "email".to_owned(), ..Default::default() };
    fakes.write_policy("channel", "ch_email", "email", channel.encode_to_vec());
    lapsed(fakes, "cust_lapsed_1", "apparel", "2026-07-03");
}

fn configure_customers(fakes: &Fakes) {
    use catalog::FieldType;
    let field = |name: &str, of_type: FieldType| catalog::SchemaField {
        name: name.to_owned(),
        r#type: of_type.into(),
        ..Default::default()
    };
    let schema = catalog::Schema {
        name: "Customer".to_owned(),
        fields: vec![
            field("lastPurchaseDate", FieldType::Date),
            field("lifetimePurchases", FieldType::Integer),
            field("lifetimeRevenue", FieldType::Decimal),
            field("primaryCategory", FieldType::String),
            field("timezone", FieldType::String),
            field("consentEmail", FieldType::Boolean),
        ],
        ..Default::default()
    };
    fakes.write_catalog("schema", "schema_customer", "Customer", schema.encode_to_vec());
}

fn configure_offers(fakes: &Fakes) {
    let computed =
        |name: &str, formula: &str, output: catalog::OutputType| catalog::ComputedField {
            name: name.to_owned(),
            formula: formula.to_owned(),
            output_type: output.into(),
        };
    let category = catalog::Category {
        name: "Apparel".to_owned(),
        computed_fields: vec![
            computed(
                "daysSinceLastPurchase",
                "round((today() - customer.lastPurchaseDate) / 86400)",
                catalog::OutputType::Integer,
            ),
            computed(
                "isRecoverable",
                "lifetimePurchases >= 3 && lifetimeRevenue >= 50",
                catalog::OutputType::Boolean,
            ),
        ],
        ..Default::default()
    };
    fakes.write_catalog("category", "cat_apparel", "Apparel", category.encode_to_vec());
    for (id, name, category, key, priority, value, margin) in [
        ("off_apparel", "Apparel — 20% back", "Apparel", "apparel", 70.0, 30.0, 50.0),
        (
            "off_electronics",
            "Electronics — free shipping + 10% off",
            "Electronics",
            "electronics",
            75.0,
            60.0,
            35.0,
        ),
        ("off_home", "Home — bundle 3, save 15%", "Home", "home", 70.0, 40.0, 45.0),
    ] {
        let offer = catalog::Offer {
            name: name.to_owned(),
            category: category.to_owned(),
            priority: Some(priority),
            business_value: Some(value),
            margin: Some(margin),
            qualification_rules: vec![
                rule("primaryCategory", catalog::Operator::Eq, string(key)),
                rule("daysSinceLastPurchase", catalog::Operator::Gte, Kind::IntegerValue(90)),
                rule("daysSinceLastPurchase", catalog::Operator::Lte, Kind::IntegerValue(365)),
                rule("isRecoverable", catalog::Operator::Eq, Kind::BooleanValue(true)),
            ],
            ..Default::default()
        };
        fakes.write_catalog("offer", id, name, offer.encode_to_vec());
    }
}

fn configure_outcome_types(fakes: &Fakes) {
    for (key, positive, impression) in [
        ("impression", false, true),
        ("click", true, false),
        ("conversion", true, false),
        ("opt_out", false, false),
    ] {
        let classification = if positive {
            catalog::Classification::Positive
        } else {
            catalog::Classification::Neutral
        };
        let category = if impression {
            catalog::OutcomeCategory::Impression
        } else {
            catalog::OutcomeCategory::Response
        };
        let of_type = catalog::OutcomeType {
            key: key.to_owned(),
            classification: classification.into(),
            category: category.into(),
            is_system: true,
            ..Default::default()
        };
        fakes.write_catalog("outcome_type", key, key, of_type.encode_to_vec());
    }
}

/// Writes an offer anyone qualifies for, ahead of the seed's, that costs so much.
pub fn priced(fakes: &Fakes, id: &str, cost: &str) -> i64 {
    let offer = catalog::Offer {
        name: format!("Priced {id}"),
        category: "Apparel".to_owned(),
        priority: Some(100.0),
        business_value: Some(100.0),
        cost: Some(Value { kind: Some(Kind::DecimalValue(cost.to_owned())) }),
        ..Default::default()
    };
    fakes.write_catalog("offer", id, &offer.name, offer.encode_to_vec())
}

pub fn rule(field: &str, op: catalog::Operator, value: Kind) -> catalog::Rule {
    let condition = catalog::Condition {
        field: field.to_owned(),
        op: op.into(),
        value: Some(Value { kind: Some(value) }),
    };
    catalog::Rule { kind: Some(catalog::rule::Kind::Condition(condition)) }
}

/// The flow of the seed.
pub fn winback() -> proto::DecisionFlow {
    use proto::node::Config;
    let node = |id: &str, config: Config| proto::Node { id: id.to_owned(), config: Some(config) };
    let categories = ["Apparel", "Electronics", "Home"].map(str::to_owned).to_vec();
    let weights = proto::Weights {
        propensity: 0.30,
        relevance: 0.20,
        impact: 0.20,
        emphasis: 0.05,
        uplift: 0.25,
    };
    let nodes = vec![
        node("inv", Config::Inventory(proto::InventoryNode { categories })),
        node("enr", Config::Enrich(proto::EnrichNode { schema: "Customer".to_owned() })),
        node("compute", Config::Compute(proto::ComputeNode {})),
        node("qual", Config::Qualify(proto::QualifyNode {})),
        node("cp", Config::ContactPolicy(proto::ContactPolicyNode {})),
        node("score", Config::Score(proto::ScoreNode { method: 1, ..Default::default() })),
        node(
            "rank",
            Config::Rank(proto::RankNode {
                profile: "winback".to_owned(),
                weights: Some(weights),
                ..Default::default()
            }),
        ),
        node("out", Config::Response(proto::ResponseNode {})),
    ];
    let config = Some(proto::DecisionFlowConfig { nodes, learning: None });
    proto::DecisionFlow { name: "Winback".to_owned(), config, ..Default::default() }
}
