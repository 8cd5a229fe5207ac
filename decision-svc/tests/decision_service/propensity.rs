//! Propensities are learned from contacts and the responses to them, from the next decision on.

use proffer_proto::{
    decision::v1::{self as proto, node::Config},
    values::v1::{Value, value::Kind},
};
use prost_types::Timestamp;

use super::suite::{NOW_US, Suite, holdout, lapsed, on_both, priced, question, report, winback};

pub const ANN: &str = "ann";
pub const PRIOR: &str = "prior: no data";

/// The source of a propensity when this many contacts, with this many responses, were all with one
/// offer.
pub fn counted(positives: u64, contacts: u64) -> String {
    let one = format!("{positives} of {contacts}");
    format!(
        "shrinkage: responses to {one} contacts of the offer, {one} of its category, {one} in all"
    )
}

/// The propensity then: by hand.
fn shrunk(positives: f64, contacts: f64) -> f64 {
    let tenant = (positives + 1.0) / (contacts + 2.0);
    let category = (positives + 20.0 * tenant) / (contacts + 20.0);
    (positives + 20.0 * category) / (contacts + 20.0)
}

pub fn lapsed_one(suite: &Suite, customer_id: &str) {
    lapsed(&suite.fakes, customer_id, "apparel", "2026-07-03");
}

pub async fn decide(suite: &Suite, customer_id: &str) -> proto::Decision {
    suite.recommend(question(customer_id)).await.unwrap()
}

/// A report about the offer of a decision.
pub fn about(decision: &proto::Decision, customer_id: &str, outcome: &str) -> proto::OutcomeReport {
    let decision_id = decision.decision_id.clone().unwrap();
    proto::OutcomeReport { decision_id, ..report(customer_id, outcome, "") }
}

/// Propensity and its source in the next decision about a customer.
pub async fn next(suite: &Suite) -> (f64, String) {
    learned(&decide(suite, ANN).await)
}

fn learned(decision: &proto::Decision) -> (f64, String) {
    let trace = decision.decisions[0].trace.clone().unwrap();
    (trace.factors.unwrap().propensity, trace.propensity_source)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_decision_knows_a_contact_and_the_response_to_it() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let first = decide(&suite, ANN).await;
        assert_eq!(learned(&first), (0.5, PRIOR.to_owned()));
        suite.respond(about(&first, ANN, "impression")).await.unwrap();
        let (propensity, source) = next(&suite).await;
        assert_eq!(source, counted(0, 1));
        assert!((propensity - shrunk(0.0, 1.0)).abs() < 1e-15, "{propensity}");
        suite.respond(about(&first, ANN, "click")).await.unwrap();
        let (propensity, source) = next(&suite).await;
        assert_eq!(source, counted(1, 1));
        assert!((propensity - shrunk(1.0, 1.0)).abs() < 1e-15, "{propensity}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_offer_that_customers_answer_goes_ahead_of_one_that_they_do_not() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        priced(&suite.fakes, "off_a", "1");
        let revision = priced(&suite.fakes, "off_b", "1");
        let asked = |customer_id: &str| proto::RecommendRequest {
            limit: Some(2),
            min_revision: vec![format!("catalog:{revision}")],
            ..question(customer_id)
        };
        let order = async || {
            let decision = suite.recommend(asked(ANN)).await.unwrap();
            let ids: Vec<_> = decision.decisions.iter().map(|it| it.offer_id.clone()).collect();
            (ids.join(" "), decision)
        };
        let (before, decision) = order().await;
        assert_eq!(before, "off_a off_b");
        for (rank, outcome) in [(1, "impression"), (2, "impression"), (2, "click")] {
            let said = proto::OutcomeReport { rank: Some(rank), ..about(&decision, ANN, outcome) };
            suite.respond(said).await.unwrap();
        }
        assert_eq!(order().await.0, "off_b off_a");
        // The count of the category is the same for both.
        let trace = |decision: proto::Decision, place: usize| {
            decision.decisions[place].trace.clone().unwrap().propensity_source
        };
        let expected = "shrinkage: responses to 0 of 1 contacts of the offer, 1 of 2 of its \
                        category, 1 of 2 in all";
        assert_eq!(trace(order().await.1, 1), expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_replays_identically_after_a_hundred_more_outcomes() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let without = decide(&suite, ANN).await;
        suite.respond(about(&without, ANN, "impression")).await.unwrap();
        let with = decide(&suite, ANN).await;
        assert_eq!(learned(&with).1, counted(0, 1));
        let ids: Vec<String> = (0..50).map(|number| format!("customer_{number:02}")).collect();
        let mut reports = Vec::new();
        for id in &ids {
            lapsed_one(&suite, id);
            let decision = decide(&suite, id).await;
            reports.extend(["impression", "click"].map(|outcome| about(&decision, id, outcome)));
        }
        let answer = suite.report_all(reports).await;
        assert_eq!(answer.results.len(), 100);
        assert_eq!(next(&suite).await.1, counted(50, 51));
        for decision in [&without, &with] {
            let decision_id = decision.decision_id.clone().unwrap();
            let request = proto::ReplayRequest { decision_id, ..Default::default() };
            let replayed = suite.decisions.clone().replay(request).await.unwrap().into_inner();
            assert!(replayed.identical, "{replayed:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_of_the_past_uses_the_counts_of_then() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let first = decide(&suite, ANN).await;
        suite.respond(about(&first, ANN, "impression")).await.unwrap();
        suite.clock.set(serve::from_micros(NOW_US + 1_000_000));
        let then = learned(&decide(&suite, ANN).await).0;
        suite.clock.set(serve::from_micros(NOW_US + 60_000_000));
        suite.respond(about(&first, ANN, "click")).await.unwrap();
        let propensity = async |at: Option<Timestamp>| {
            let request = proto::ExplainRequest {
                customer_id: ANN.to_owned(),
                offer_id: "off_apparel".to_owned(),
                at,
                ..Default::default()
            };
            let found = suite.decisions.clone().explain(request).await.unwrap().into_inner();
            found.factors.unwrap().propensity
        };
        let at = Timestamp { seconds: NOW_US / 1_000_000 + 2, nanos: 0 };
        assert_eq!(propensity(Some(at)).await, then);
        assert!((propensity(None).await - shrunk(1.0, 1.0)).abs() < 1e-15);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_scores_in_another_way_is_not_touched() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let mut flow = winback();
        "By priority".clone_into(&mut flow.name);
        for node in &mut flow.config.as_mut().unwrap().nodes {
            if let Some(Config::Score(score)) = &mut node.config {
                score.method = proto::ScoreMethod::Priority.into();
            }
        }
        let request =
            proto::CreateDecisionFlowRequest { decision_flow: Some(flow), ..Default::default() };
        suite.flows.clone().create_decision_flow(request).await.unwrap();
        let asked = || proto::RecommendRequest { flow: "By priority".to_owned(), ..question(ANN) };
        let before = suite.recommend(asked()).await.unwrap();
        suite.respond(about(&before, ANN, "impression")).await.unwrap();
        let after = suite.recommend(asked()).await.unwrap();
        assert_eq!(learned(&before), learned(&after));
        assert_eq!(learned(&after), (0.7, "priority of the offer".to_owned()));
        // Its contacts teach the flows that learn.
        assert_eq!(next(&suite).await.1, counted(0, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_out_customer_and_a_decision_without_contact_never_count() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let asked = proto::RecommendRequest {
            channel: String::new(),
            contact: Some(false),
            ..question(ANN)
        };
        let uncontacted = suite.recommend(asked).await.unwrap();
        assert_eq!(uncontacted.decisions.len(), 1);
        let revision = suite.fakes.write_experiment(&holdout(100));
        let min_revision = vec![format!("experiment:{revision}")];
        let asked = proto::RecommendRequest { min_revision, ..question(ANN) };
        let held_out = suite.recommend(asked.clone()).await.unwrap();
        assert!(held_out.control_group);
        for decision in [&uncontacted, &held_out] {
            for outcome in ["impression", "click"] {
                suite.respond(about(decision, ANN, outcome)).await.unwrap();
            }
        }
        // Somebody without an arm.
        lapsed_one(&suite, "bob");
        let seen = proto::RecommendRequest {
            customer_id: "bob".to_owned(),
            contact: Some(false),
            channel: String::new(),
            ..asked
        };
        let seen = suite.recommend(seen).await.unwrap();
        assert_eq!(learned(&seen), (0.5, PRIOR.to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_zero_or_less_is_no_response() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let decision = decide(&suite, ANN).await;
        suite.respond(about(&decision, ANN, "impression")).await.unwrap();
        let worth = |value: &str| proto::OutcomeReport {
            value: Some(Value { kind: Some(Kind::DecimalValue(value.to_owned())) }),
            idempotency_key: format!("worth {value}"),
            ..about(&decision, ANN, "conversion")
        };
        for (value, positives) in [("0", 0), ("-5.25", 0), ("0.01", 1)] {
            suite.respond(worth(value)).await.unwrap();
            assert_eq!(next(&suite).await.1, counted(positives, 1), "{value}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_names_no_decision_is_no_contact_and_no_response() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let decision = decide(&suite, ANN).await;
        for outcome in ["impression", "click", "conversion"] {
            suite.respond(report(ANN, outcome, &format!("own {outcome}"))).await.unwrap();
            let offer_id = "off_apparel".to_owned();
            let named = report(ANN, outcome, &format!("named {outcome}"));
            suite.respond(proto::OutcomeReport { offer_id, ..named }).await.unwrap();
        }
        assert_eq!(next(&suite).await, (0.5, PRIOR.to_owned()));
        suite.respond(about(&decision, ANN, "impression")).await.unwrap();
        suite.respond(report(ANN, "click", "another own")).await.unwrap();
        assert_eq!(next(&suite).await.1, counted(0, 1));
    })
    .await;
}
