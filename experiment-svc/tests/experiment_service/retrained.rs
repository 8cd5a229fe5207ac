//! Effect models that are learned again as often as their flow says.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use experiment_svc::grpc::effect_model::retrain::Tried;
use history::timestamp;
use proffer_proto::{
    decision::v1::{DecisionFlow, DecisionFlowConfig, LearningSettings},
    experiment::v1::{
        self as proto, Arm, EffectModel, EffectModelStatus as Stage, ledger_entry::Entry,
    },
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use testkit::WrittenLog;
use wire::named::FLOW;

use super::{effect_models::set, suite::*};

/// Windows are closed and outcomes are in a day later.
const WINDOW_DAYS: i64 = 1;

/// Says how often effects of the flow are learned again.
fn say(flows: &WrittenLog, retrain_days: i32) {
    let learning = LearningSettings {
        outcome: "conversion".to_owned(),
        window_days: WINDOW_DAYS as i32,
        retrain_days,
        ..Default::default()
    };
    let config = DecisionFlowConfig { learning: Some(learning), ..Default::default() };
    let flow = DecisionFlow { config: Some(config), ..Default::default() };
    flows.write(FLOW, "flow_winback", "Winback", flow.encode_to_vec());
}

/// Whom contact moves.
#[derive(Clone, Copy, PartialEq)]
enum Moved {
    Warm,
    Cold,
}

/// Exposes customers with these numbers on a day.
async fn expose(suite: &Suite, customers: std::ops::Range<usize>, at: i64, moved: Moved) {
    let mut state = 17 + customers.start as u64;
    let mut unit = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut entries = Vec::new();
    for customer in customers {
        let (id, warmth, is_treated) = (format!("c{customer:05}"), unit(), unit() < 0.5);
        let is_moved = is_treated && (warmth > 0.5) == (moved == Moved::Warm);
        let arm = if is_treated { Arm::Treatment } else { Arm::Holdout };
        entries.push(assigned(&id, arm, day(at)));
        let warmth = Value { kind: Some(Kind::DoubleValue(warmth)) };
        entries.push(Entry::Exposure(proto::ExposureEntry {
            experiment_id: SEED.to_owned(),
            customer_id: id.clone(),
            decision_id: format!("dec-{id}"),
            at: Some(timestamp(day(at))),
            ghost: !is_treated,
            offer_ids: vec!["offer".to_owned()],
            features: BTreeMap::from([("warmth".to_owned(), warmth)]),
            ..Default::default()
        }));
        if unit() < if is_moved { 0.6 } else { 0.2 } {
            let order = format!("order-{id}");
            entries.push(Entry::Outcome(bought(&order, &id, 20, day(at) + TimeDelta::hours(1))));
        }
    }
    for entries in entries.chunks(500) {
        suite.deliver_through(entries.to_vec(), Some(day(at + WINDOW_DAYS + 1))).await.unwrap();
    }
    suite.clock.set(day(at + WINDOW_DAYS + 1));
}

async fn train(suite: &Suite) -> EffectModel {
    let request =
        proto::TrainEffectModelRequest { experiment_id: SEED.to_owned(), ..Default::default() };
    let trained = suite.effect_models.clone().train_effect_model(request).await.unwrap();
    trained.into_inner().effect_model.unwrap()
}

/// Version and stage of all models.
async fn all(suite: &Suite) -> Vec<(i32, Stage)> {
    let request = proto::ListEffectModelsRequest::default();
    let listed = suite.effect_models.clone().list_effect_models(request).await.unwrap();
    let models = listed.into_inner().effect_models;
    let mut all: Vec<_> = models.iter().map(|model| (model.version, model.status())).collect();
    all.sort();
    all
}

/// A suite whose flow learns again every seven days, and a trained model.
async fn started(suite: &Suite) -> (WrittenLog, EffectModel) {
    let flows = WrittenLog::of(&[(FLOW, "flow_winback", "Winback")]);
    suite.app.follow(std::sync::Arc::new(flows.clone()));
    say(&flows, 7);
    suite.create(proto::Experiment { holdout_percentage: Some(50.0), ..running() }).await.unwrap();
    expose(suite, 0..1_600, 1, Moved::Warm).await;
    let first = train(suite).await;
    assert!(first.fit.is_some(), "{:?}", first.why);
    (flows, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_says_so_has_its_active_model_replaced_by_a_newer_one() {
    on_both(async |suite| {
        let (flows, first) = started(&suite).await;
        set(&suite, &first.id, Stage::Active).await.unwrap();
        let mut tried = Tried::new();
        assert_eq!(suite.app.retrain(&mut tried).await.unwrap(), 0, "seven days are not over");
        suite.clock.set(day(11));
        assert_eq!(suite.app.retrain(&mut tried).await.unwrap(), 0, "the rows are the same");
        expose(&suite, 1_600..3_200, 12, Moved::Warm).await;
        assert_eq!(suite.app.retrain(&mut tried).await.unwrap(), 0, "tried three days ago");
        suite.clock.set(day(19));
        assert_eq!(suite.app.retrain(&mut tried).await.unwrap(), 1);
        assert_eq!(all(&suite).await, [(1, Stage::Archived), (2, Stage::Active)]);
        // Another replica that tries at the same time finds that it has been done.
        let replica = suite.replica().await;
        replica.clock.set(suite.clock.now());
        replica.app.follow(std::sync::Arc::new(flows.clone()));
        assert_eq!(replica.app.retrain(&mut Tried::new()).await.unwrap(), 0);
        say(&flows, 0);
        expose(&suite, 3_200..3_300, 40, Moved::Warm).await;
        assert_eq!(suite.app.retrain(&mut tried).await.unwrap(), 0, "the flow says never");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ranks_nothing_does_not_replace_what_decides() {
    on_both(async |suite| {
        let (_flows, first) = started(&suite).await;
        set(&suite, &first.id, Stage::Active).await.unwrap();
        // As many whom contact moves the other way: over all of them no model ranks any more.
        expose(&suite, 1_600..3_200, 12, Moved::Cold).await;
        let mut tried = Tried::new();
        assert_eq!(suite.app.retrain(&mut tried).await.unwrap(), 1);
        assert_eq!(all(&suite).await, [(1, Stage::Active), (2, Stage::Draft)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_is_replaced_by_a_shadow_and_a_draft_by_a_draft() {
    on_both(async |suite| {
        let (_flows, first) = started(&suite).await;
        expose(&suite, 1_600..1_700, 12, Moved::Warm).await;
        assert_eq!(suite.app.retrain(&mut Tried::new()).await.unwrap(), 1);
        assert_eq!(all(&suite).await, [(1, Stage::Draft), (2, Stage::Draft)]);
        set(&suite, &first.id, Stage::Shadow).await.unwrap();
        expose(&suite, 1_700..1_800, 24, Moved::Warm).await;
        assert_eq!(suite.app.retrain(&mut Tried::new()).await.unwrap(), 1);
        let expected = [(1, Stage::Archived), (2, Stage::Draft), (3, Stage::Shadow)];
        assert_eq!(all(&suite).await, expected);
    })
    .await;
}
