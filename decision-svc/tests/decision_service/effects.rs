//! Effect models: what they say is in the trace, takes part in the ranking, and is replayed.

use proffer_proto::{
    decision::v1::{self as proto, UpliftSegment},
    experiment::v1::{
        EffectBin, EffectFit, EffectModel, EffectModelStatus as Stage, FeatureColumn, FeatureKind,
        FoldModel,
    },
};

use super::suite::{Suite, lapsed, on_both, question};

/// A model by which contact helps the more, the more a customer has bought: of a customer who
/// bought five times the raw effect is 1/(1 + e) less 1/(1 + e^2).
pub fn model(id: &str, status: Stage, category_id: &str) -> EffectModel {
    let fold = FoldModel {
        intercept: -2.0,
        treatment: 0.5,
        baseline: vec![0.0],
        interaction: vec![0.5],
        edges: (1..10).map(|edge| f64::from(edge) / 100.0).collect(),
    };
    let bin = |bin: i32| EffectBin {
        bin,
        effect: f64::from(bin) / 100.0,
        error: 0.01,
        low: f64::from(bin - 5) / 100.0,
        high: f64::from(bin + 5) / 100.0,
        helps: f64::from(bin) / 10.0,
        customers: 100,
        ..Default::default()
    };
    let purchases = FeatureColumn {
        field: "lifetimePurchases".to_owned(),
        kind: FeatureKind::Number.into(),
        mean: 3.0,
        deviation: 2.0,
        ..Default::default()
    };
    EffectModel {
        id: id.to_owned(),
        name: id.to_owned(),
        status: status.into(),
        flow_id: "flow_winback".to_owned(),
        category_id: category_id.to_owned(),
        version: 3,
        fit: Some(EffectFit {
            columns: vec![purchases],
            folds: vec![fold; 5],
            bins: (1..=10).map(bin).collect(),
            average_effect: 0.04,
            slope: 0.5,
            mean_raw_effect: 0.05,
            median_baseline: 0.1,
            in_money: false,
        }),
        ..Default::default()
    }
}

/// The effect of a customer who bought five times: by hand.
fn effect() -> f64 {
    let logistic = |z: f64| 1.0 / (1.0 + libm::exp(-z));
    0.04 + 0.5 * (logistic(-1.0) - logistic(-2.0) - 0.05)
}

/// Decides when these models are known.
async fn decide(suite: &Suite, models: &[EffectModel]) -> proto::Decision {
    let mut request = question("ann");
    for found in models {
        let revision = suite.fakes.write_effect_model(found);
        request.min_revision = vec![format!("experiment:{revision}")];
    }
    suite.recommend(request).await.unwrap()
}

pub fn trace(decision: &proto::Decision) -> proto::OfferTrace {
    decision.decisions[0].trace.clone().unwrap()
}

pub async fn replays(suite: &Suite, decision: &proto::Decision) {
    let decision_id = decision.decision_id.clone().unwrap();
    let request = proto::ReplayRequest { decision_id, ..Default::default() };
    let replayed = suite.decisions.clone().replay(request).await.unwrap().into_inner();
    assert!(replayed.identical, "{replayed:?}");
}

async fn record(suite: &Suite, decision: &proto::Decision) -> proto::DecisionRecord {
    let decision_id = decision.decision_id.clone().unwrap();
    let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
    suite.decisions.clone().get_decision(request).await.unwrap().into_inner().decision.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_active_model_gives_effect_segment_and_factor_and_replays_when_it_is_archived() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-03");
        let before = decide(&suite, &[]).await;
        let without = trace(&before);
        assert_eq!((without.cate, &without.effect_model), (None, &None));
        assert_eq!(without.uplift_segment(), UpliftSegment::Uncertain);
        let scored = decide(&suite, &[model("model_a", Stage::Active, "")]).await;
        let found = trace(&scored);
        assert!((found.cate.unwrap() - effect()).abs() < 1e-15, "{found:?}");
        assert_eq!(found.uplift_segment(), UpliftSegment::Persuadable, "the tenth bin");
        let used = found.effect_model.unwrap();
        assert_eq!((&*used.id, used.version, &*used.ci95), ("model_a", 3, &[0.05, 0.15][..]));
        assert_eq!(found.factors.unwrap().uplift, Some(1.0));
        assert!(scored.decisions[0].score > before.decisions[0].score, "U takes part");
        // Another takes its place, then it is archived: what was decided replays by what it was.
        let other = EffectModel { version: 4, ..model("model_b", Stage::Active, "") };
        decide(&suite, &[model("model_a", Stage::Archived, ""), other]).await;
        let gone = decide(&suite, &[model("model_b", Stage::Archived, "")]).await;
        assert_eq!(trace(&gone).cate, None);
        for decision in [&before, &scored, &gone] {
            replays(&suite, decision).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_scored_by_the_model_of_its_category_else_by_that_of_the_experiment() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-03");
        let of = async |models: &[EffectModel]| {
            trace(&decide(&suite, models).await).effect_model.map(|model| model.id)
        };
        let all = model("model_all", Stage::Active, "");
        let named = |id: &str| Some(id.to_owned());
        let elsewhere = model("model_home", Stage::Active, "cat_home");
        assert_eq!(of(std::slice::from_ref(&elsewhere)).await, None);
        assert_eq!(of(&[all]).await, named("model_all"));
        let own = model("model_apparel", Stage::Active, "cat_apparel");
        assert_eq!(of(&[own]).await, named("model_apparel"));
        let other_flow = EffectModel {
            flow_id: "flow_other".to_owned(),
            ..model("model_other", Stage::Active, "cat_apparel")
        };
        assert_eq!(of(&[other_flow]).await, named("model_apparel"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_of_a_model_in_the_shadow_are_recorded_and_not_used() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-03");
        let before = decide(&suite, &[]).await;
        let decision = decide(&suite, &[model("model_s", Stage::Shadow, "")]).await;
        assert_eq!(trace(&decision).cate, None);
        assert_eq!(decision.decisions[0].score, before.decisions[0].score);
        let shadow = record(&suite, &decision).await.shadow_effects;
        let shown: Vec<_> = shadow.iter().map(|it| (&*it.id, it.version)).collect();
        assert_eq!(shown, [("model_s", 3)]);
        assert!((shadow[0].cate - effect()).abs() < 1e-15);
        // One that ranks no better than chance has no fit, and one about money no probability.
        let none = EffectModel { fit: None, ..model("model_n", Stage::Active, "") };
        let mut money = model("model_m", Stage::Active, "");
        money.fit.as_mut().unwrap().in_money = true;
        assert_eq!(trace(&decide(&suite, &[none, money]).await).cate, None);
        replays(&suite, &decision).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_expects_other_features_counts_them_as_missing() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-03");
        let mut other = model("model_a", Stage::Active, "");
        other.fit.as_mut().unwrap().columns[0].field = "shoeSize".to_owned();
        let logistic = |z: f64| 1.0 / (1.0 + libm::exp(-z));
        let by_hand = 0.04 + 0.5 * (logistic(-1.5) - logistic(-2.0) - 0.05);
        let found = trace(&decide(&suite, &[other]).await);
        assert!((found.cate.unwrap() - by_hand).abs() < 1e-15, "{found:?}");
    })
    .await;
}
