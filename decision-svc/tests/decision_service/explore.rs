//! A rank that explores: propensities are drawn, and the record says with which probability the
//! first offer came first.

use proffer_proto::decision::v1::{self as proto, node::Config};
use tonic::Code;

use super::{
    propensity::{ANN, about, decide, lapsed_one},
    suite::{NOW_US, Suite, holdout, on_both, priced, question, told, winback},
};

/// The seed's flow under another name, with its rank and score changed.
pub async fn create(
    suite: &Suite,
    name: &str,
    change: impl Fn(&mut Config),
) -> Result<(), tonic::Status> {
    let mut flow = winback();
    name.clone_into(&mut flow.name);
    for node in &mut flow.config.as_mut().unwrap().nodes {
        change(node.config.as_mut().unwrap());
    }
    let request =
        proto::CreateDecisionFlowRequest { decision_flow: Some(flow), ..Default::default() };
    suite.flows.clone().create_decision_flow(request).await.map(drop)
}

fn explore(config: &mut Config) {
    if let Config::Rank(rank) = config {
        rank.explore = proto::Exploration::Thompson.into();
    }
}

async fn explored(suite: &Suite, customer_id: &str, revision: i64) -> proto::DecisionRecord {
    let asked = proto::RecommendRequest {
        flow: "Exploring".to_owned(),
        min_revision: vec![format!("catalog:{revision}")],
        ..question(customer_id)
    };
    let decision = suite.recommend(asked).await.unwrap();
    let decision_id = decision.decision_id.unwrap();
    let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
    suite.decisions.clone().get_decision(request).await.unwrap().into_inner().decision.unwrap()
}

fn first(record: &proto::DecisionRecord) -> proto::OfferDecision {
    record.answer.as_ref().unwrap().decisions[0].clone()
}

async fn replays(suite: &Suite, record: &proto::DecisionRecord) {
    let decision_id = record.decision_id.clone();
    let request = proto::ReplayRequest { decision_id, ..Default::default() };
    let replayed = suite.decisions.clone().replay(request).await.unwrap().into_inner();
    assert!(replayed.identical, "{replayed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_take_turns_with_the_recorded_probability_and_replay_identically() {
    on_both(async |suite| {
        create(&suite, "Exploring", explore).await.unwrap();
        lapsed_one(&suite, ANN);
        priced(&suite.fakes, "off_a", "1");
        let revision = priced(&suite.fakes, "off_b", "1");
        let mut records = Vec::new();
        while records.len() < 40 {
            let record = explored(&suite, ANN, revision).await;
            // The apparel offer is worth less, and is drawn first now and then.
            if first(&record).offer_id != "off_apparel" {
                records.push(record);
            }
        }
        let with = |id: &str| records.iter().filter(|it| first(it).offer_id == id).count();
        let (a, b) = (with("off_a"), with("off_b"));
        // Nothing is known of either: half each, but for one in a billion runs.
        assert!(a > 2 && b > 2 && a + b == 40, "{a} {b}");
        for record in &records {
            let probability = record.explore_probability.unwrap();
            assert!((0.4..=0.6).contains(&probability), "{probability}");
            let trace = first(record).trace.unwrap();
            let nothing = "thompson: drawn by shrinkage: responses to 0 of 0 contacts of the \
                           offer, 0 of 0 of its category, 0 of 0 in all";
            assert_eq!(trace.propensity_source, nothing);
        }
        let drawn: Vec<f64> = records
            .iter()
            .map(|record| first(record).trace.unwrap().factors.unwrap().propensity)
            .collect();
        assert!(drawn.windows(2).any(|two| two[0] != two[1]));
        // More is known now, and it changes nothing that was decided.
        let seen = decide(&suite, ANN).await;
        suite.respond(about(&seen, ANN, "impression")).await.unwrap();
        for record in records.iter().take(5) {
            replays(&suite, record).await;
        }
        replays(&suite, &explored(&suite, ANN, revision).await).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_arms_draw_and_an_explanation_does_not() {
    on_both(async |suite| {
        create(&suite, "Exploring", explore).await.unwrap();
        lapsed_one(&suite, ANN);
        let lone = explored(&suite, ANN, 1).await;
        assert_eq!(lone.explore_probability, Some(1.0), "it is the only offer");
        let request = proto::ExplainRequest {
            customer_id: ANN.to_owned(),
            offer_id: "off_apparel".to_owned(),
            flow: "Exploring".to_owned(),
            ..Default::default()
        };
        let found = suite.decisions.clone().explain(request).await.unwrap().into_inner();
        assert_eq!(found.factors.unwrap().propensity, 0.5);
        let unexplored = decide(&suite, ANN).await.decision_id.unwrap();
        let request = proto::GetDecisionRequest { decision_id: unexplored, ..Default::default() };
        let plain = suite.decisions.clone().get_decision(request).await.unwrap().into_inner();
        assert_eq!(plain.decision.unwrap().explore_probability, None);
        let experiment = proffer_proto::experiment::v1::Experiment {
            flow_id: "Exploring".to_owned(),
            ..holdout(100)
        };
        let revision = suite.fakes.write_experiment(&experiment);
        let asked = proto::RecommendRequest {
            flow: "Exploring".to_owned(),
            min_revision: vec![format!("experiment:{revision}")],
            ..question(ANN)
        };
        suite.clock.set(serve::from_micros(NOW_US + 1_000_000));
        let held_out = suite.recommend(asked).await.unwrap();
        assert!(held_out.control_group && held_out.decisions.is_empty());
        let decision_id = held_out.decision_id.unwrap();
        let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
        let record = suite.decisions.clone().get_decision(request).await.unwrap().into_inner();
        let record = record.decision.unwrap();
        assert_eq!(record.ghost_offers, ["off_apparel"]);
        assert_eq!(record.explore_probability, Some(1.0));
        replays(&suite, &record).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_explores_without_learning_is_refused_with_the_remedy() {
    on_both(async |suite| {
        let status = create(&suite, "Wrong", |config| {
            explore(config);
            if let Config::Score(score) = config {
                score.method = proto::ScoreMethod::Priority.into();
            }
        });
        let status = status.await.unwrap_err();
        assert_eq!(told(&status).0, Code::InvalidArgument);
        let message = status.message();
        assert!(message.contains("node `rank`") && message.contains("propensity"), "{message}");
    })
    .await;
}
