//! Whether a question contacts somebody, and which outcomes prove that it did.

use proffer_proto::{
    catalog::v1 as catalog,
    decision::v1 as proto,
    experiment::v1::{self as experiment, ledger_entry::Entry},
};
use prost::Message as _;
use tonic::Code;

use super::suite::{Suite, code, holdout, on_both, question, report, told};

fn without_contact(customer_id: &str) -> proto::RecommendRequest {
    proto::RecommendRequest {
        channel: String::new(),
        contact: Some(false),
        ..question(customer_id)
    }
}

/// What policy-svc hears of an outcome: whether it counts as a contact, and whether it releases.
async fn heard(suite: &Suite, reported: proto::OutcomeReport) -> (bool, bool) {
    let id = suite.respond(reported).await.unwrap().outcome_id;
    let find = || {
        let script = suite.fakes.script.lock().unwrap();
        script.outcomes.iter().find(|fact| fact.outcome_id == id).cloned()
    };
    suite.fakes.delivered.subscribe().wait_for(|_| find().is_some()).await.unwrap();
    let fact = find().unwrap();
    (fact.counts_as_contact, fact.releases)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_without_a_channel_names_both_ways_to_ask_it() {
    on_both(async |suite| {
        let channel = String::new();
        let without = proto::RecommendRequest { channel, ..question("cust_lapsed_1") };
        for asked in [
            without.clone(),
            proto::RecommendRequest { contact: Some(true), ..without.clone() },
            proto::RecommendRequest { dry_run: true, ..without.clone() },
        ] {
            let refused = suite.recommend(asked).await.unwrap_err();
            assert_eq!(told(&refused).0, Code::InvalidArgument);
            assert_eq!(told(&refused).2, ["channel"]);
            let message = refused.message();
            assert!(message.contains("give the channel"), "{message}");
            assert!(message.contains("\"contact\": false"), "{message}");
        }
        let request = proto::RecommendBatchRequest {
            requests: vec![without, question("cust_lapsed_1"), without_contact("cust_lapsed_1")],
            ..Default::default()
        };
        let answer = suite.decisions.clone().recommend_batch(request).await.unwrap().into_inner();
        let errors: Vec<_> = answer.results.iter().map(|it| it.error().is_some()).collect();
        assert_eq!(errors, [true, false, false]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_comes_of_a_decision_that_contacts_nobody() {
    on_both(async |suite| {
        let revision = suite.fakes.write_experiment(&holdout(100));
        let asked = proto::RecommendRequest {
            min_revision: vec![format!("experiment:{revision}")],
            channel: "email".to_owned(),
            ..without_contact("cust_lapsed_1")
        };
        let decision = suite.recommend(asked).await.unwrap();
        assert_eq!(decision.decisions.len(), 1, "{decision:?}");
        assert!(!decision.control_group && decision.reserved_until.is_none());
        let notes = &decision.trace.as_ref().unwrap().notes;
        assert!(notes.iter().any(|note| note.contains("nobody is contacted")), "{notes:?}");
        {
            let script = suite.fakes.script.lock().unwrap();
            assert!(script.reserves.is_empty(), "nothing is reserved");
            let checked = script.checks.last().unwrap().question.as_ref().unwrap();
            assert_eq!(checked.channel, "", "the channel serves creatives only");
        }
        let id = decision.decision_id.unwrap();
        let commit = proto::CommitDecisionRequest { decision_id: id.clone(), ..Default::default() };
        let refused = suite.decisions.clone().commit_decision(commit).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert_eq!(told(&refused).1, "WRONG_STATE");
        assert!(suite.fakes.script.lock().unwrap().commits.is_empty());
        for outcome in ["impression", "click", "conversion", "opt_out"] {
            let decision_id = id.clone();
            let reported =
                proto::OutcomeReport { decision_id, ..report("cust_lapsed_1", outcome, "") };
            assert_eq!(heard(&suite, reported).await, (false, false), "{outcome}");
        }
        let script = suite.fakes.script.lock().unwrap();
        // Not the channel of the creatives: who objects there objects to all.
        assert!(script.outcomes.iter().all(|fact| fact.channel.is_empty()));
        let is_outcome =
            |entry: &experiment::LedgerEntry| matches!(entry.entry, Some(Entry::Outcome(_)));
        assert!(script.entries.iter().all(is_outcome), "no arm, no exposure: {:?}", script.entries);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_to_an_offer_proves_that_the_customer_was_contacted() {
    on_both(async |suite| {
        let id = suite.recommend(question("cust_lapsed_1")).await.unwrap().decision_id.unwrap();
        let about = |outcome: &str| proto::OutcomeReport {
            decision_id: id.clone(),
            ..report("cust_lapsed_1", outcome, "")
        };
        for outcome in ["click", "conversion", "opt_out", "impression"] {
            assert_eq!(heard(&suite, about(outcome)).await, (true, false), "{outcome}");
        }
        let by_offer =
            proto::OutcomeReport { offer_id: "off_apparel".to_owned(), ..about("dismissed") };
        let dismissed = catalog::OutcomeType {
            key: "dismissed".to_owned(),
            classification: catalog::Classification::Negative.into(),
            category: catalog::OutcomeCategory::Response.into(),
            ..Default::default()
        };
        let resource = dismissed.encode_to_vec();
        suite.fakes.write_catalog("outcome_type", "dismissed", "dismissed", resource);
        assert_eq!(heard(&suite, by_offer).await, (true, false), "a type of the tenant's own");
        // Without a decision an impression says what was seen, and a response does not.
        let offer_id = "off_apparel".to_owned();
        let named = |outcome, key| proto::OutcomeReport {
            offer_id: offer_id.clone(),
            ..report("cust_lapsed_1", outcome, key)
        };
        assert_eq!(heard(&suite, named("click", "k1")).await, (false, false));
        assert_eq!(heard(&suite, named("impression", "k2")).await, (true, false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_to_a_decision_without_an_offer_proves_nothing() {
    on_both(async |suite| {
        let refused = suite.recommend(question("nobody")).await.unwrap();
        assert_eq!(code(refused.reason_code()), "customer_unknown");
        let reported = proto::OutcomeReport {
            decision_id: refused.decision_id.unwrap(),
            ..report("nobody", "click", "")
        };
        assert_eq!(heard(&suite, reported).await, (false, false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_out_customer_is_never_counted_as_contacted() {
    on_both(async |suite| {
        let revision = suite.fakes.write_experiment(&holdout(100));
        let min_revision = vec![format!("experiment:{revision}")];
        let asked = proto::RecommendRequest { min_revision, ..question("cust_lapsed_1") };
        let held_out = suite.recommend(asked).await.unwrap();
        assert!(held_out.control_group);
        for outcome in ["impression", "click"] {
            let decision_id = held_out.decision_id.clone().unwrap();
            let reported =
                proto::OutcomeReport { decision_id, ..report("cust_lapsed_1", outcome, "") };
            assert_eq!(heard(&suite, reported).await, (false, false), "{outcome}");
        }
    })
    .await;
}
