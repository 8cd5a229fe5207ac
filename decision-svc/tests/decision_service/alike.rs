//! Both arms of an experiment are answered alike. Else callers would ask again for one arm only,
//! and exposure would depend on the arm.

use futures::{StreamExt as _, stream};
use proffer_proto::{decision::v1 as proto, policy::v1 as policy, values::v1::ReasonCode};
use prost_types::Timestamp;

use super::suite::{NOW_US, Suite, code, holdout, lapsed, on_both, question};

/// Until when a refusal of these tests holds.
const OPENS: &str = "2026-11-23T08:00:00+00:00";

fn at(us: i64) -> Timestamp {
    history::timestamp(serve::from_micros(us))
}

/// The same customer twice: `held` is held out, `treated` is not.
async fn with_both_arms(check: impl AsyncFn(&Suite)) {
    on_both(async |suite| {
        for customer in ["treated", "held"] {
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        let ask = async |customer: &str, percent: i32| {
            let revision = suite.fakes.write_experiment(&holdout(percent));
            let min_revision = vec![format!("experiment:{revision}")];
            let asked = proto::RecommendRequest { min_revision, ..question(customer) };
            suite.recommend(asked).await.unwrap().control_group
        };
        assert!(!ask("treated", 0).await && ask("held", 100).await);
        suite.fakes.script.lock().unwrap().grants.clear();
        check(&suite).await;
    })
    .await;
}

/// A refusal of everything; those that end say when.
fn refusal(reason_code: ReasonCode, opens: bool) -> policy::Refusal {
    let deliver_after = if opens { OPENS } else { "" }.to_owned();
    policy::Refusal { reason_code: reason_code.into(), reason: "no".to_owned(), deliver_after }
}

/// What an answer says that is not about the arm.
fn common(decision: proto::Decision) -> proto::Decision {
    proto::Decision {
        decisions: Vec::new(),
        reason: String::new(),
        reason_code: 0,
        control_group: false,
        reserved_until: None,
        decision_id: None,
        latency_ms: 0.0,
        ..decision
    }
}

async fn batch(suite: &Suite, requests: Vec<proto::RecommendRequest>) -> Vec<proto::Decision> {
    let request = proto::RecommendBatchRequest { requests, ..Default::default() };
    let answer = suite.decisions.clone().recommend_batch(request).await.unwrap().into_inner();
    answer.results.into_iter().map(decided).collect()
}

fn decided(result: proto::RecommendResult) -> proto::Decision {
    match result.outcome {
        Some(proto::recommend_result::Outcome::Decision(decision)) => decision,
        other => panic!("{other:?}"),
    }
}

async fn streamed(suite: &Suite, requests: Vec<proto::RecommendRequest>) -> Vec<proto::Decision> {
    let count = requests.len();
    let asked = |request| proto::RecommendStreamRequest { request: Some(request) };
    let asked = stream::iter(requests.into_iter().map(asked));
    let answers = suite.decisions.clone().recommend_stream(asked).await.unwrap().into_inner();
    let answers = answers.take(count).map(|answer| decided(answer.unwrap().result.unwrap()));
    answers.collect().await
}

/// Asks about both in every way; the answers say the same but for the arm.
async fn check_alike(suite: &Suite, what: &str, customers: [&str; 2], limit: i32) {
    let asked = |change: fn(&mut proto::RecommendRequest)| {
        customers.map(|customer| {
            let mut request = question(customer);
            (request.limit, request.explain) = (Some(limit), true);
            change(&mut request);
            request
        })
    };
    let mut pairs = Vec::new();
    for (way, change) in [
        ("alone", (|_| {}) as fn(&mut proto::RecommendRequest)),
        ("without hold", |request| request.hold = Some(false)),
        ("dry run", |request| request.dry_run = true),
        ("at", |request| (request.dry_run, request.at) = (true, Some(at(NOW_US + 60_000_000)))),
    ] {
        let [treated, held] = asked(change);
        let pair = [suite.recommend(treated), suite.recommend(held)];
        let pair = futures::future::join_all(pair).await;
        pairs.push((way, pair.into_iter().map(Result::unwrap).collect::<Vec<_>>()));
    }
    pairs.push(("batch", batch(suite, asked(|_| {}).to_vec()).await));
    pairs.push(("stream", streamed(suite, asked(|_| {}).to_vec()).await));
    for (way, pair) in pairs {
        let [treated, held] = pair.as_slice() else { panic!("{pair:?}") };
        assert_eq!(common(treated.clone()), common(held.clone()), "{what}, {way}");
        assert!(held.decisions.is_empty() && held.reserved_until.is_none(), "{what}, {way}");
        assert_eq!((treated.control_group, held.control_group), (false, true), "{what}, {way}");
        let Some(decision_id) = held.decision_id.clone() else { continue };
        let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
        let kept = suite.decisions.clone().get_decision(request).await.unwrap().into_inner();
        let kept = kept.decision.unwrap();
        if code(held.reason_code()) == "holdout" {
            // The record says what a treated customer would have been answered.
            assert_eq!(kept.ghost_reason_code, treated.reason_code, "{what}, {way}");
            assert_eq!(kept.ghost_reason, treated.reason, "{what}, {way}");
            assert_eq!(kept.ghost_offers.len(), treated.decisions.len(), "{what}, {way}");
        } else {
            assert_eq!(held.reason_code, treated.reason_code, "{what}, {way}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_arms_are_told_the_same_whatever_refuses_them() {
    with_both_arms(async |suite| {
        let both = ["treated", "held"];
        let script = || suite.fakes.script.lock().unwrap();
        check_alike(suite, "granted", both, 1).await;
        check_alike(suite, "fewer than wanted", both, 3).await;
        for (reason, opens) in [
            (ReasonCode::QuietHours, true),
            (ReasonCode::QuietHours, false),
            (ReasonCode::TimeWindow, true),
            (ReasonCode::TimezoneUnknown, false),
            (ReasonCode::ConsentUnknown, false),
            (ReasonCode::ConsentWithheld, false),
            (ReasonCode::ConsentWithdrawn, false),
            (ReasonCode::PolicyUnavailable, false),
        ] {
            script().refusal = Some(refusal(reason, opens));
            check_alike(suite, reason.as_str_name(), both, 1).await;
        }
        script().refusal = None;
        for reason in [
            ReasonCode::FrequencyCap,
            ReasonCode::CustomerTotalCap,
            ReasonCode::CrossChannelCap,
            ReasonCode::Cooldown,
            ReasonCode::Suppressed,
            ReasonCode::MutualExclusion,
            ReasonCode::CategorySuppression,
            ReasonCode::BudgetExhausted,
            ReasonCode::SegmentExcluded,
            ReasonCode::TimeWindow,
        ] {
            let found = policy::PolicyVerdict {
                policy_id: "pol_1".to_owned(),
                next_allowed_at: Some(at(NOW_US + 3_600_000_000)),
                ..Default::default()
            };
            let verdict = policy::Verdict {
                refusal: Some(refusal(reason, reason == ReasonCode::TimeWindow)),
                policies: vec![found],
                ..Default::default()
            };
            script().verdicts.insert("off_apparel".to_owned(), verdict);
            check_alike(suite, reason.as_str_name(), both, 1).await;
            let answer = suite.recommend(question("held")).await.unwrap();
            assert_eq!(answer.next_allowed_at, Some(at(NOW_US + 3_600_000_000)), "{reason:?}");
        }
        script().verdicts.clear();
        script().policy_away = true;
        check_alike(suite, "policy-svc away", both, 1).await;
        script().policy_away = false;
        script().catalog_away = true;
        check_alike(suite, "catalog-svc away", both, 1).await;
        script().catalog_away = false;
        for customer in both {
            lapsed(&suite.fakes, customer, "nothing", "2026-07-03");
        }
        check_alike(suite, "nothing qualifies", both, 1).await;
        for customer in both {
            script().records.remove(customer);
        }
        check_alike(suite, "unknown", both, 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_arms_are_explained_and_replayed_alike() {
    with_both_arms(async |suite| {
        let night = refusal(ReasonCode::QuietHours, true);
        suite.fakes.script.lock().unwrap().refusal = Some(night);
        let mut explained = Vec::new();
        for customer in ["treated", "held"] {
            let decision_id = suite.recommend(question(customer)).await.unwrap().decision_id;
            let request =
                proto::ReplayRequest { decision_id: decision_id.unwrap(), ..Default::default() };
            let replayed = suite.decisions.clone().replay(request).await.unwrap().into_inner();
            assert!(replayed.identical, "{customer}: {replayed:?}");
            let request = proto::ExplainRequest {
                customer_id: customer.to_owned(),
                offer_id: "off_apparel".to_owned(),
                ..Default::default()
            };
            let answer = suite.decisions.clone().explain(request).await.unwrap().into_inner();
            explained.push((answer.deliver_after, answer.policies, answer.rank, answer.score));
        }
        assert_eq!(explained[0], explained[1]);
        assert_eq!(explained[0].0.as_deref(), Some(OPENS));
    })
    .await;
}

/// A refusal answers its request until it says to ask again; a held-out one no longer than that.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_out_answer_stands_for_its_request_only_as_long_as_a_treated_one() {
    with_both_arms(async |suite| {
        let opens_us = chrono::DateTime::parse_from_rfc3339(OPENS).unwrap().timestamp_micros();
        suite.fakes.script.lock().unwrap().refusal = Some(refusal(ReasonCode::QuietHours, true));
        let ask = async |customer: &str| {
            let request_id = "r1".to_owned();
            let request = proto::RecommendRequest { request_id, ..question(customer) };
            suite.recommend(request).await.unwrap().decision_id
        };
        let first = [ask("treated").await, ask("held").await];
        suite.clock.set(serve::from_micros(opens_us - 1));
        assert_eq!([ask("treated").await, ask("held").await], first);
        suite.clock.set(serve::from_micros(opens_us));
        {
            // policy-svc keeps no refusal.
            let mut script = suite.fakes.script.lock().unwrap();
            script.refusal = None;
            script.grants.clear();
        }
        let second = [ask("treated").await, ask("held").await];
        assert!(second[0] != first[0] && second[1] != first[1], "both are decided anew");
        suite.clock.set(serve::from_micros(opens_us + 1));
        assert_eq!([ask("treated").await, ask("held").await], second, "both stand for a day");
    })
    .await;
}

/// A held-out question is judged for as many slots as a treated one would reserve.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_out_question_is_judged_for_the_slots_a_treated_one_would_get() {
    with_both_arms(async |suite| {
        let ask = async |change: fn(&mut proto::RecommendRequest)| {
            let mut request = proto::RecommendRequest { limit: Some(3), ..question("held") };
            change(&mut request);
            suite.recommend(request).await.unwrap();
            suite.fakes.script.lock().unwrap().checks.last().unwrap().limit
        };
        assert_eq!(ask(|_| {}).await, 3);
        assert_eq!(ask(|request| request.hold = Some(false)).await, 0);
        assert_eq!(ask(|request| request.dry_run = true).await, 0);
    })
    .await;
}
