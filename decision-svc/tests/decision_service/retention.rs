//! What is deleted by age, what never is, and what a question about it answers.

use proffer_proto::{catalog::v1 as catalog, decision::v1 as proto};
use prost::Message as _;
use serve::{Deleted, Pace, RetentionSettings};
use tonic::Code;

use super::suite::{NOW_US, Suite, on_both, question, report, told};

const LAPSED: &str = "cust_lapsed_1";
const DAY_US: i64 = 86_400_000_000;

/// Moves the clock to so many days after the start, and deletes what is due by these limits.
async fn deleted_after(suite: &Suite, days: i64, limits: &[&str]) -> Deleted {
    suite.clock.set(serve::from_micros(NOW_US + days * DAY_US));
    let limits = limits.iter().map(|limit| serve::retention_limit(limit).unwrap()).collect();
    let app = suite.app.clone().with_retention(RetentionSettings { limits });
    app.count_for_reports().await.unwrap();
    let mut deleted = app.delete_old_rows(Pace::Full).await.unwrap();
    deleted.retain(|_, rows| *rows > 0);
    deleted
}

async fn outcome_types(suite: &Suite) -> Vec<String> {
    let asked = proto::ListOutcomesRequest { customer_id: LAPSED.to_owned(), ..Default::default() };
    let listed = suite.outcomes.clone().list_outcomes(asked).await.unwrap().into_inner();
    let mut types: Vec<_> = listed.outcomes.into_iter().map(|it| it.outcome).collect();
    types.sort();
    types
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_request_ids_is_deleted_without_a_limit() {
    on_both(async |suite| {
        let asked = proto::RecommendRequest { request_id: "spring".into(), ..question(LAPSED) };
        let made = suite.recommend(asked.clone()).await.unwrap();
        suite.respond(report(LAPSED, "click", "c1")).await.unwrap();
        assert_eq!(deleted_after(&suite, 0, &[]).await, Deleted::new());
        let again = suite.recommend(asked.clone()).await.unwrap();
        assert_eq!(again.decision_id, made.decision_id);
        assert_eq!(deleted_after(&suite, 1, &[]).await, Deleted::from([("request", 1)]));
        assert_eq!(deleted_after(&suite, 4_000, &[]).await, Deleted::new());
        assert_eq!(outcome_types(&suite).await, ["click"]);
        let kept = proto::GetDecisionRequest {
            decision_id: made.decision_id.unwrap(),
            ..Default::default()
        };
        suite.decisions.clone().get_decision(kept).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_past_retention_is_not_found_and_the_answer_says_why() {
    on_both(async |suite| {
        let old = suite.recommend(question(LAPSED)).await.unwrap().decision_id.unwrap();
        let limits = ["decisions=30", "other/decisions=8"];
        assert_eq!(deleted_after(&suite, 29, &limits).await, Deleted::new());
        let young = suite.recommend(question(LAPSED)).await.unwrap().decision_id.unwrap();
        assert_eq!(deleted_after(&suite, 31, &limits).await, Deleted::from([("decision", 1)]));

        let decisions = || suite.decisions.clone();
        let replay = |decision_id: &String| proto::ReplayRequest {
            decision_id: decision_id.clone(),
            ..Default::default()
        };
        let explain = proto::ExplainRequest {
            customer_id: LAPSED.to_owned(),
            offer_id: "off_apparel".to_owned(),
            at: Some(prost_types::Timestamp { seconds: NOW_US / 1_000_000 + 1, nanos: 0 }),
            ..Default::default()
        };
        let get = proto::GetDecisionRequest { decision_id: old.clone(), ..Default::default() };
        let mut reported = report(LAPSED, "click", "late");
        reported.decision_id = old.clone();
        for status in [
            decisions().replay(replay(&old)).await.unwrap_err(),
            decisions().explain(explain).await.unwrap_err(),
            decisions().get_decision(get).await.unwrap_err(),
            suite.respond(reported).await.unwrap_err(),
        ] {
            assert_eq!(told(&status).0, Code::NotFound);
            let why =
                "it is past retention, decisions from before 2026-11-23T10:00:00Z were deleted";
            assert!(status.message().ends_with(why), "{}", status.message());
        }
        let replayed = decisions().replay(replay(&young)).await.unwrap().into_inner();
        assert!(replayed.identical);
        let never = replay(&"dec_never".to_owned());
        let status = decisions().replay(never).await.unwrap_err();
        assert_eq!(status.message(), "decision `dec_never` not found");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_stays_while_a_metric_counts_it_or_a_withdrawal_rests_on_it() {
    on_both(async |suite| {
        let metric = catalog::BehavioralMetric {
            key: "clicks".to_owned(),
            name: "Clicks".to_owned(),
            outcome: "click".to_owned(),
            aggregate: catalog::MetricAggregate::Count.into(),
            window_days: 90,
            ..Default::default()
        };
        let resource = metric.encode_to_vec();
        suite.fakes.write_catalog("behavioral_metric", "clicks", "Clicks", resource);
        // Known to the service once it has decided with it.
        suite.recommend(question(LAPSED)).await.unwrap();
        for key in ["click", "conversion", "opt_out"] {
            suite.respond(report(LAPSED, key, key)).await.unwrap();
        }
        let limits = ["outcomes=10"];
        assert_eq!(deleted_after(&suite, 89, &limits).await, Deleted::new());
        assert_eq!(outcome_types(&suite).await, ["click", "conversion", "opt_out"]);
        assert_eq!(deleted_after(&suite, 91, &limits).await, Deleted::from([("outcome", 2)]));
        assert_eq!(outcome_types(&suite).await, ["opt_out"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_rows_than_one_batch_are_deleted_in_several() {
    on_both(async |suite| {
        let reports = |number: usize| report(LAPSED, "click", &format!("c{number}"));
        for first in [0, 100, 200] {
            suite.report_all((first..first + 100).map(reports).collect()).await;
        }
        let rows = deleted_after(&suite, 11, &["outcomes=10"]).await;
        assert_eq!(rows, Deleted::from([("outcome", 300)]));
    })
    .await;
}
