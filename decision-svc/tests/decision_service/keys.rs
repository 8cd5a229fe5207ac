//! Request ids, idempotency keys and decisions belong to a customer.

use proffer_proto::{
    decision::v1 as proto,
    values::v1::{Value, value::Kind},
};
use tonic::{Code, Status};

use super::suite::{Suite, lapsed, on_both, question, report, string, told};

const FIRST: &str = "cust_lapsed_1";
const SECOND: &str = "cust_lapsed_2";

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_id_of_another_customer_is_another_request() {
    on_both(async |suite| {
        lapsed(&suite.fakes, SECOND, "apparel", "2026-07-03");
        let asked = |customer_id: &str| proto::RecommendRequest {
            request_id: "r".to_owned(),
            ..question(customer_id)
        };
        let id = async |customer_id| {
            let decision = suite.recommend(asked(customer_id)).await.unwrap();
            assert_eq!(decision.decisions.len(), 1, "{decision:?}");
            decision.decision_id.unwrap()
        };
        let (first, second) = (id(FIRST).await, id(SECOND).await);
        assert_ne!(first, second);
        assert_eq!((id(FIRST).await, id(SECOND).await), (first.clone(), second.clone()));
        for customer_id in [FIRST, SECOND] {
            let other = proto::RecommendRequest { limit: Some(2), ..asked(customer_id) };
            let (code, reason, _) = told(&suite.recommend(other).await.unwrap_err());
            assert_eq!((code, reason.as_str()), (Code::Aborted, "IDEMPOTENCY_MISMATCH"));
        }
        // Together in one batch they are two requests as well.
        let again = |customer_id: &str| proto::RecommendRequest {
            request_id: "of a batch".to_owned(),
            ..question(customer_id)
        };
        let requests = vec![again(FIRST), again(SECOND), again(FIRST), asked(SECOND)];
        let request = proto::RecommendBatchRequest { requests, ..Default::default() };
        let answer = suite.decisions.clone().recommend_batch(request).await.unwrap().into_inner();
        let ids: Vec<_> = answer
            .results
            .into_iter()
            .map(|result| result.into_decision().unwrap().decision_id.unwrap())
            .collect();
        assert_eq!((&ids[0], &ids[3]), (&ids[2], &second));
        assert_ne!(ids[0], ids[1]);
    })
    .await;
}

/// A queue that writes JSON anew between two tries asks the same.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_in_another_spelling_is_a_retry() {
    on_both(async |suite| {
        let attribute = |kind: Kind| [("cart".to_owned(), Value { kind: Some(kind) })].into();
        let decimal = |text: &str| attribute(Kind::DecimalValue(text.to_owned()));
        let first = proto::RecommendRequest {
            request_id: "r".to_owned(),
            attributes: decimal("49.90"),
            exclude_offers: vec!["off_home".to_owned(), "off_x".to_owned()],
            ..question(FIRST)
        };
        let id = suite.recommend(first.clone()).await.unwrap().decision_id;
        let text = str::to_owned;
        for spelled in [
            proto::RecommendRequest { attributes: decimal("49.9"), ..first.clone() },
            proto::RecommendRequest { attributes: decimal("499e-1"), ..first.clone() },
            proto::RecommendRequest {
                attributes: attribute(Kind::DoubleValue(49.9)),
                ..first.clone()
            },
            proto::RecommendRequest { limit: Some(1), hold: Some(true), ..first.clone() },
            proto::RecommendRequest { contact: Some(true), ..first.clone() },
            proto::RecommendRequest { channel: text(" Email"), ..first.clone() },
            proto::RecommendRequest { channel: text("ch_email"), ..first.clone() },
            proto::RecommendRequest { flow: text("winback "), ..first.clone() },
            proto::RecommendRequest { flow: text("flow_winback"), ..first.clone() },
            proto::RecommendRequest {
                flow: String::new(),
                flow_id: text("flow_winback"),
                ..first.clone()
            },
            proto::RecommendRequest {
                exclude_offers: vec![text("off_x"), text("off_home")],
                ..first.clone()
            },
        ] {
            let again = suite.recommend(spelled.clone()).await;
            let again = again.unwrap_or_else(|status| panic!("{spelled:?}: {status:?}"));
            assert_eq!(again.decision_id, id, "{spelled:?}");
        }
        for other in [
            proto::RecommendRequest { attributes: decimal("49.91"), ..first.clone() },
            proto::RecommendRequest { attributes: attribute(string("49.90")), ..first.clone() },
            proto::RecommendRequest { hold: Some(false), ..first.clone() },
            proto::RecommendRequest { contact: Some(false), ..first.clone() },
            proto::RecommendRequest { exclude_offers: vec![text("off_home")], ..first.clone() },
            proto::RecommendRequest { explain: true, ..first.clone() },
            proto::RecommendRequest { placement: text("top"), ..first.clone() },
        ] {
            let refused = suite.recommend(other.clone()).await.unwrap_err();
            assert_eq!(told(&refused).1, "IDEMPOTENCY_MISMATCH", "{other:?}");
        }
        // First by its id, then by its name.
        let by_id = proto::RecommendRequest {
            request_id: "r2".to_owned(),
            flow: text("flow_winback"),
            channel: text("ch_email"),
            ..question(FIRST)
        };
        let id = suite.recommend(by_id).await.unwrap().decision_id;
        let by_name = proto::RecommendRequest { request_id: "r2".to_owned(), ..question(FIRST) };
        assert_eq!(suite.recommend(by_name).await.unwrap().decision_id, id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_of_another_customer_is_another_outcome() {
    on_both(async |suite| {
        let first = suite.respond(report(FIRST, "click", "k")).await.unwrap();
        let second = suite.respond(report(SECOND, "conversion", "k")).await.unwrap();
        assert!(!first.duplicate && !second.duplicate && first.outcome_id != second.outcome_id);
        for (customer_id, outcome, id) in
            [(FIRST, "click", &first.outcome_id), (SECOND, "conversion", &second.outcome_id)]
        {
            let again = suite.respond(report(customer_id, outcome, "k")).await.unwrap();
            assert_eq!((&again.outcome_id, again.duplicate), (id, true));
            let other = suite.respond(report(customer_id, "impression", "k")).await.unwrap_err();
            assert_eq!(told(&other).1, "IDEMPOTENCY_MISMATCH");
        }
        let outcomes = vec![report(FIRST, "click", "bulk"), report(SECOND, "click", "bulk")];
        let request = proto::RespondBatchRequest { outcomes, ..Default::default() };
        let answer = suite.outcomes.clone().respond_batch(request).await.unwrap().into_inner();
        assert_eq!((answer.accepted, answer.refused), (2, 0));
        assert!(answer.results.iter().all(|result| !result.duplicate), "{answer:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_found_by_its_id_and_never_as_that_of_another_customer() {
    on_both(async |suite| {
        let id = suite.recommend(question(FIRST)).await.unwrap().decision_id.unwrap();
        for customer_id in ["", FIRST] {
            for status in by_id(&suite, &id, customer_id).await {
                assert_eq!(status.map_err(|status| status.code()), Ok(()), "of `{customer_id}`");
            }
        }
        for status in by_id(&suite, &id, SECOND).await {
            assert_eq!(status.unwrap_err().code(), Code::NotFound);
        }
        for status in by_id(&suite, &id, &"x".repeat(129)).await {
            let (code, _, fields) = told(&status.unwrap_err());
            assert_eq!((code, fields), (Code::InvalidArgument, vec!["customer_id".to_owned()]));
        }
    })
    .await;
}

/// What every call answers that finds a decision by its id.
async fn by_id(suite: &Suite, decision_id: &str, customer_id: &str) -> [Result<(), Status>; 5] {
    let ids = || (decision_id.to_owned(), customer_id.to_owned());
    let decisions = || suite.decisions.clone();
    let (decision_id, customer_id) = ids();
    let get = proto::GetDecisionRequest { decision_id, customer_id };
    let (decision_id, customer_id) = ids();
    let commit = proto::CommitDecisionRequest { decision_id, customer_id, rank: None };
    let (decision_id, customer_id) = ids();
    let release = proto::ReleaseDecisionRequest { decision_id, customer_id, rank: None };
    let (decision_id, customer_id) = ids();
    let replay = proto::ReplayRequest { decision_id, customer_id };
    let (decision_id, customer_id) = ids();
    let list = proto::ListCandidatesRequest { decision_id, customer_id, ..Default::default() };
    [
        decisions().get_decision(get).await.map(drop),
        decisions().commit_decision(commit).await.map(drop),
        decisions().release_decision(release).await.map(drop),
        decisions().replay(replay).await.map(drop),
        decisions().list_candidates(list).await.map(drop),
    ]
}
