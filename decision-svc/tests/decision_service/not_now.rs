//! Answers that say "not now": what could not be asked is not kept for a retry.

use proffer_proto::{decision::v1 as proto, policy::v1 as policy, values::v1::ReasonCode};

use super::suite::{code, holdout, on_both, question, told};

/// A request id makes retries safe. Nothing was reserved, so nothing needs to be kept.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_asked_is_not_kept_under_a_request_id() {
    on_both(async |suite| {
        let asked = |request_id: &str| proto::RecommendRequest {
            request_id: request_id.to_owned(),
            ..question("cust_lapsed_1")
        };
        let away = |policy: bool, catalog: bool| {
            let mut script = suite.fakes.script.lock().unwrap();
            (script.policy_away, script.catalog_away) = (policy, catalog);
        };
        away(true, false);
        let refused = suite.recommend(asked("r1")).await.unwrap();
        assert_eq!(code(refused.reason_code()), "policy_unavailable");
        away(false, true);
        let unread = suite.recommend(asked("r1")).await.unwrap();
        assert_eq!(code(unread.reason_code()), "customer_unavailable");
        assert_ne!(unread.decision_id, refused.decision_id);
        away(false, false);
        // What policy-svc itself could not judge.
        let unjudged = policy::Refusal {
            reason_code: ReasonCode::PolicyUnavailable.into(),
            ..Default::default()
        };
        let verdict = policy::Verdict { refusal: Some(unjudged), ..Default::default() };
        let offer = "off_apparel".to_owned();
        suite.fakes.script.lock().unwrap().verdicts.insert(offer.clone(), verdict);
        let refused = suite.recommend(asked("r1")).await.unwrap();
        assert_eq!(code(refused.reason_code()), "policy_unavailable");
        suite.fakes.script.lock().unwrap().verdicts.remove(&offer);
        suite.fakes.script.lock().unwrap().grants.clear();
        let other = proto::RecommendRequest { limit: Some(2), ..asked("r1") };
        let answered = suite.recommend(other.clone()).await.unwrap();
        assert_eq!(answered.decisions.len(), 1, "another body is no mismatch: nothing was kept");
        let again = suite.recommend(other).await.unwrap();
        assert_eq!(again.decision_id, answered.decision_id, "an answer is kept");
        let mismatch = suite.recommend(asked("r1")).await.unwrap_err();
        assert_eq!(told(&mismatch).1, "IDEMPOTENCY_MISMATCH");
        // Every refusal has its record.
        let list = proto::ListDecisionsRequest {
            customer_id: "cust_lapsed_1".to_owned(),
            ..Default::default()
        };
        let list = suite.decisions.clone().list_decisions(list).await.unwrap().into_inner();
        assert_eq!(list.decisions.len(), 4);
    })
    .await;
}

/// policy-svc reserved, and its answer was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_whose_answer_was_lost_is_found_by_the_retry_under_its_own_decision() {
    on_both(async |suite| {
        let asked =
            proto::RecommendRequest { request_id: "r1".to_owned(), ..question("cust_lapsed_1") };
        suite.fakes.script.lock().unwrap().answers_lost = true;
        let refused = suite.recommend(asked.clone()).await.unwrap();
        assert_eq!(code(refused.reason_code()), "policy_unavailable");
        suite.fakes.script.lock().unwrap().answers_lost = false;
        let answered = suite.recommend(asked).await.unwrap();
        let held = suite.fakes.script.lock().unwrap().reserves[0].decision_id.clone();
        assert_eq!(answered.decision_id.as_ref(), Some(&held));
        assert_ne!(refused.decision_id, answered.decision_id, "two records, two ids");
        let record = async |decision_id: Option<String>| {
            let decision_id = decision_id.unwrap();
            let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
            let kept = suite.decisions.clone().get_decision(request).await.unwrap();
            kept.into_inner().decision.unwrap().answer.unwrap()
        };
        assert_eq!(record(refused.decision_id.clone()).await.decisions.len(), 0);
        assert_eq!(record(answered.decision_id.clone()).await.decisions.len(), 1);
    })
    .await;
}

/// Else a caller would repeat one arm only, and exposure would depend on the arm.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_out_answer_is_kept_as_long_as_a_treated_one() {
    on_both(async |suite| {
        let revision = suite.fakes.write_experiment(&holdout(100));
        let asked = proto::RecommendRequest {
            request_id: "r1".to_owned(),
            min_revision: vec![format!("experiment:{revision}")],
            ..question("cust_lapsed_1")
        };
        suite.fakes.script.lock().unwrap().policy_away = true;
        let unjudged = suite.recommend(asked.clone()).await.unwrap();
        assert_eq!(code(unjudged.reason_code()), "holdout");
        suite.fakes.script.lock().unwrap().policy_away = false;
        let judged = suite.recommend(asked.clone()).await.unwrap();
        assert_ne!(judged.decision_id, unjudged.decision_id);
        let again = suite.recommend(asked).await.unwrap();
        assert_eq!(again.decision_id, judged.decision_id);
    })
    .await;
}
