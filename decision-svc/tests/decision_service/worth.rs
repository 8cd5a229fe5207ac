//! Contact only where it pays: what `minUplift` refuses, and what always passes.

use proffer_proto::{
    catalog::v1 as catalog,
    decision::v1::{self as proto, node::Config},
    experiment::v1::{EffectModel, EffectModelStatus as Stage},
    values::v1::{ReasonCode, Value, value::Kind},
};
use prost::Message as _;
use prost_types::{FieldMask, Timestamp};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

use super::{
    arms::exposures,
    effects::{model, replays, trace},
    suite::{NOW_US, Suite, code, holdout, lapsed, on_both, priced, question, told, winback},
};

/// The published rule, as another language would write it.
fn passes(customer: &str, offer: &str) -> bool {
    let digest = Sha256::digest(format!("gate:flow_winback\0{customer}\0{offer}"));
    u128::from(u64::from_be_bytes(digest[..8].try_into().unwrap())) * 20 < 1 << 64
}

/// The first customers, with this letter, whose pairs with `off_dear` pass, or do not. They have
/// records; `off_dear` alone is for them, and the upper bound of its effect is .15.
fn customers<const N: usize>(suite: &Suite, letter: char, is_passing: bool) -> [String; N] {
    let mut all = (0..).map(|number| format!("{letter}{number}"));
    [(); N].map(|()| {
        let found = all.find(|it| passes(it, "off_dear") == is_passing).unwrap();
        lapsed(&suite.fakes, &found, "nothing", "2026-07-03");
        found
    })
}

fn amount(text: &str) -> Value {
    Value { kind: Some(Kind::DecimalValue(text.to_owned())) }
}

/// The winback flow with this gate.
fn with_gate(value: Option<Value>) -> proto::DecisionFlow {
    let mut flow = winback();
    for node in &mut flow.config.as_mut().unwrap().nodes {
        if let Some(Config::Score(score)) = &mut node.config {
            score.min_uplift = Some(proto::MinUplift { value: value.clone() });
        }
    }
    flow
}

async fn update(suite: &Suite, flow: proto::DecisionFlow) -> Result<(), Status> {
    let request = proto::UpdateDecisionFlowRequest {
        id: "flow_winback".to_owned(),
        decision_flow: Some(flow),
        update_mask: Some(FieldMask { paths: vec!["config".to_owned()] }),
    };
    suite.flows.clone().update_decision_flow(request).await.map(drop)
}

async fn set_value(suite: &Suite, value: Option<&str>) {
    update(suite, with_gate(value.map(amount))).await.unwrap();
}

/// Asks when these models are known, and all experiments.
async fn ask(suite: &Suite, customer: &str, models: &[EffectModel]) -> proto::Decision {
    let mut request = proto::RecommendRequest { explain: true, ..question(customer) };
    for found in models {
        let revision = suite.fakes.write_effect_model(found);
        request.min_revision = vec![format!("experiment:{revision}")];
    }
    suite.recommend(request).await.unwrap()
}

/// Reason, and the offers.
fn shown(decision: &proto::Decision) -> (String, Vec<&str>) {
    let offers = decision.decisions.iter().map(|offered| &*offered.offer_id).collect();
    (code(decision.reason_code()), offers)
}

fn refused() -> (String, Vec<&'static str>) {
    ("not_worth_it".to_owned(), Vec::new())
}

fn offered(offer: &str) -> (String, Vec<&str>) {
    (String::new(), vec![offer])
}

#[tokio::test(flavor = "multi_thread")]
async fn contact_that_cannot_pay_is_refused_in_both_arms_and_is_no_exposure() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_dear", "0.20");
        suite.fakes.write_effect_model(&model("model_a", Stage::Active, ""));
        set_value(&suite, Some("1")).await;
        let ([treated], [held]) = (customers(&suite, 'c', false), customers(&suite, 'h', false));
        let mut answers = Vec::new();
        for (customer, percent) in [(&treated, 0), (&held, 100)] {
            let revision = suite.fakes.write_experiment(&holdout(percent));
            let min_revision = vec![format!("experiment:{revision}")];
            let asked =
                proto::RecommendRequest { min_revision, explain: true, ..question(customer) };
            let answer = suite.recommend(asked).await.unwrap();
            assert_eq!(shown(&answer), refused(), "before the holdout");
            replays(&suite, &answer).await;
            answers.push((answer.reason, answer.trace.unwrap()));
        }
        let reason = "contact would not pay: the offer that is left costs more than contact can \
                      earn";
        assert_eq!(answers[0].0, reason);
        assert_eq!(answers[0], answers[1], "both arms are answered alike");
        let trace = &answers[0].1;
        let by_reason: Vec<_> = trace.refused_by_reason.iter().collect();
        assert_eq!(
            by_reason,
            [(&"not_qualified".to_owned(), &3), (&"not_worth_it".to_owned(), &1)]
        );
        let stage = trace.stages.iter().find(|stage| stage.r#type == "score").unwrap();
        assert_eq!((stage.entered, stage.left), (1, 0));
        let found = trace.refused.iter().find(|it| it.offer_id == "off_dear").unwrap();
        assert_eq!(found.reason_code(), ReasonCode::NotWorthIt);
        assert_eq!(
            found.reason,
            "contact earns at most 0.15 by `model_a` version 3, and costs 0.2"
        );
        // A third one passes and is exposed: nothing was sent of the two but their arms.
        let [passing] = customers(&suite, 'p', true);
        let revision = suite.fakes.write_experiment(&holdout(0));
        let min_revision = vec![format!("experiment:{revision}")];
        let asked = proto::RecommendRequest { min_revision, ..question(&passing) };
        assert_eq!(shown(&suite.recommend(asked).await.unwrap()), offered("off_dear"));
        let sent = exposures(&suite, 4).await;
        let rows: Vec<_> = sent.iter().map(|it| (&*it.customer_id, it.gate_probability)).collect();
        assert_eq!(rows, [(&*passing, 0.05)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_keeps_the_probability_with_which_its_offer_passed() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_dear", "0.20");
        set_value(&suite, Some("1")).await;
        let [passing, worth, unknown] = customers(&suite, 'p', true);
        let revision = suite.fakes.write_experiment(&holdout(0));
        let active = model("model_a", Stage::Active, "");
        // Nobody knows, contact would not pay, contact may pay.
        let min_revision = vec![format!("experiment:{revision}")];
        let asked = proto::RecommendRequest { min_revision, ..question(&unknown) };
        suite.recommend(asked).await.unwrap();
        ask(&suite, &passing, std::slice::from_ref(&active)).await;
        set_value(&suite, Some("2")).await;
        ask(&suite, &worth, &[]).await;
        let sent = exposures(&suite, 6).await;
        let mut rows: Vec<_> =
            sent.iter().map(|it| (&*it.customer_id, it.gate_probability)).collect();
        rows.sort_unstable_by_key(|(customer, _)| customer.to_owned());
        let mut expected = [(&*unknown, 0.0), (&*passing, 0.05), (&*worth, 0.0)];
        expected.sort_unstable_by_key(|(customer, _)| *customer);
        assert_eq!(rows, expected, "left out where everybody passes");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_that_pass_are_the_same_for_every_version_and_are_drawn_per_offer() {
    on_both(async |suite| {
        for offer in ["off_dear", "off_also"] {
            priced(&suite.fakes, offer, "0.20");
        }
        set_value(&suite, Some("1")).await;
        let [customer] = customers(&suite, 'p', true);
        assert!(!passes(&customer, "off_also"), "the first one drawn has one of both");
        for (id, version) in [("model_a", 3), ("model_b", 4), ("model_c", 5)] {
            let found = EffectModel { version, ..model(id, Stage::Active, "") };
            let answer = ask(&suite, &customer, &[found]).await;
            assert_eq!(shown(&answer), offered("off_dear"), "{id}");
            let refused: Vec<_> = answer.trace.unwrap().refused_by_reason.into_iter().collect();
            assert!(refused.contains(&("not_worth_it".to_owned(), 1)), "{refused:?}");
            ask(&suite, &customer, &[model(id, Stage::Archived, "")]).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_replays_and_lists_alike_when_the_model_was_replaced_and_archived() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_dear", "0.20");
        set_value(&suite, Some("1")).await;
        let [customer] = customers(&suite, 'c', false);
        let active = model("model_a", Stage::Active, "");
        let before = ask(&suite, &customer, &[active]).await;
        assert_eq!(shown(&before), refused());
        let other = EffectModel { version: 4, ..model("model_b", Stage::Active, "") };
        ask(&suite, &customer, &[model("model_a", Stage::Archived, ""), other]).await;
        let gone = ask(&suite, &customer, &[model("model_b", Stage::Archived, "")]).await;
        assert_eq!(shown(&gone), offered("off_dear"), "without an active model nothing is refused");
        set_value(&suite, Some("1000")).await;
        for decision in [&before, &gone] {
            replays(&suite, decision).await;
        }
        let request = proto::ListCandidatesRequest {
            decision_id: before.decision_id.clone().unwrap(),
            ..Default::default()
        };
        let listed = suite.decisions.clone().list_candidates(request).await.unwrap().into_inner();
        let found = listed.candidates.iter().find(|it| it.offer_id == "off_dear").unwrap();
        assert_eq!(found.reason_code(), ReasonCode::NotWorthIt);
    })
    .await;
}

/// A model about revenue: bin 10 earns 10 to 40 with each contact.
fn in_money(id: &str, category_id: &str) -> EffectModel {
    let mut found = model(id, Stage::Active, category_id);
    found.metric = "revenue_per_customer".to_owned();
    let fit = found.fit.as_mut().unwrap();
    fit.in_money = true;
    for bin in &mut fit.bins {
        (bin.effect, bin.low, bin.high) = (25.0, 10.0, 40.0);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_value_the_effect_in_money_decides_and_scores_nothing() {
    on_both(async |suite| {
        priced(&suite.fakes, "off_dear", "40.0001");
        set_value(&suite, None).await;
        let [customer] = customers(&suite, 'c', false);
        let chance = model("model_a", Stage::Active, "");
        let money = in_money("model_m", "");
        let answer = ask(&suite, &customer, std::slice::from_ref(&chance)).await;
        assert_eq!(shown(&answer), offered("off_dear"), "no model says what it earns");
        assert_eq!(trace(&answer).effect_model.unwrap().id, "model_a");
        let answer = ask(&suite, &customer, &[money]).await;
        assert_eq!(shown(&answer), refused());
        let why = &answer.trace.as_ref().unwrap().refused;
        let why = why.iter().find(|it| it.offer_id == "off_dear").unwrap();
        assert_eq!(
            why.reason,
            "contact earns at most 40 by `model_m` version 3, and costs 40.0001"
        );
        replays(&suite, &answer).await;
        priced(&suite.fakes, "off_dear", "40");
        let answer = ask(&suite, &customer, &[]).await;
        assert_eq!(shown(&answer), offered("off_dear"), "equal passes");
        assert_eq!(trace(&answer).effect_model.unwrap().id, "model_a", "the other scores nothing");
        // The model of the category comes first, for money as for chances.
        let mut own = in_money("model_own", "cat_apparel");
        own.fit.as_mut().unwrap().bins.iter_mut().for_each(|bin| bin.high = 39.9);
        assert_eq!(shown(&ask(&suite, &customer, &[own]).await), refused());
        let gone = EffectModel { status: Stage::Archived.into(), ..chance };
        let archived =
            EffectModel { status: Stage::Archived.into(), ..in_money("model_own", "cat_apparel") };
        let answer = ask(&suite, &customer, &[gone, archived]).await;
        assert_eq!((trace(&answer).cate, trace(&answer).effect_model), (None, None));
        // With a value, the one about money says nothing.
        set_value(&suite, Some("0.0001")).await;
        assert_eq!(shown(&ask(&suite, &customer, &[]).await), offered("off_dear"));
    })
    .await;
}

/// An offer anyone qualifies for.
fn offer(suite: &Suite, id: &str, change: impl FnOnce(&mut catalog::Offer)) {
    let mut offer = catalog::Offer {
        name: format!("Offer {id}"),
        category: "Apparel".to_owned(),
        cost: Some(amount("0.20")),
        ..Default::default()
    };
    change(&mut offer);
    suite.fakes.write_catalog("offer", id, &offer.name, offer.encode_to_vec());
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_without_a_cost_or_a_model_and_mandatory_ones_are_never_refused() {
    on_both(async |suite| {
        set_value(&suite, Some("1")).await;
        let [customer] = customers(&suite, 'c', false);
        offer(&suite, "off_dear", |_| {});
        let active = model("model_a", Stage::Active, "cat_apparel");
        assert_eq!(shown(&ask(&suite, &customer, &[active]).await), refused());
        let passes = async |what: &str| {
            let answer = ask(&suite, &customer, &[]).await;
            assert_eq!(shown(&answer), offered("off_dear"), "{what}");
            replays(&suite, &answer).await;
        };
        offer(&suite, "off_dear", |it| it.cost = None);
        passes("it costs nothing").await;
        offer(&suite, "off_dear", |it| it.category = "Home".to_owned());
        passes("no model is about it").await;
        let seconds = NOW_US / 1_000_000 + 60;
        let expires_at = Some(Timestamp { seconds, nanos: 0 });
        let mandate = catalog::Mandate { reason: "a recall".to_owned(), expires_at };
        offer(&suite, "off_dear", |it| it.mandatory = Some(mandate));
        passes("it must be shown").await;
        // A gate of one offer leaves the others alone, with every method.
        offer(&suite, "off_dear", |_| {});
        offer(&suite, "off_free", |it| it.cost = None);
        let methods = [(proto::ScoreMethod::Propensity, ""), (proto::ScoreMethod::Priority, "")];
        for (method, formula) in methods.into_iter().chain([(proto::ScoreMethod::Formula, "0.3")]) {
            let mut flow = with_gate(Some(amount("1")));
            for node in &mut flow.config.as_mut().unwrap().nodes {
                if let Some(Config::Score(score)) = &mut node.config {
                    (score.method, score.formula) = (method.into(), formula.to_owned());
                }
            }
            update(&suite, flow).await.unwrap();
            let answer = ask(&suite, &customer, &[]).await;
            assert_eq!(shown(&answer), offered("off_free"), "{method:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_is_no_amount_is_refused_with_its_field() {
    on_both(async |suite| {
        let bounds = "it must be 0.0001 to 1000000000: what one more positive outcome is worth";
        for (value, part) in [
            (Kind::IntegerValue(0), bounds),
            (Kind::IntegerValue(-40), bounds),
            (Kind::DecimalValue("1000000000.0001".to_owned()), bounds),
            (Kind::DecimalValue("0.00001".to_owned()), bounds),
            (Kind::DecimalValue("1.00001".to_owned()), "it may have at most 4 decimals"),
            (Kind::DoubleValue(f64::NAN), "leave it out"),
            (Kind::DoubleValue(f64::INFINITY), "leave it out"),
            (Kind::StringValue("much".to_owned()), "`much` is not a decimal number"),
            (Kind::BooleanValue(true), "must be a decimal number, not the boolean true"),
        ] {
            let flow = with_gate(Some(Value { kind: Some(value) }));
            let status = update(&suite, flow).await.unwrap_err();
            let (found, _, fields) = told(&status);
            let field = "decision_flow.config.nodes[5].config.min_uplift.value";
            assert_eq!((found, &*fields[0]), (Code::InvalidArgument, field));
            assert!(status.message().contains(part), "{}", status.message());
        }
        set_value(&suite, Some("1000000000")).await;
        set_value(&suite, Some("0.0001")).await;
    })
    .await;
}
