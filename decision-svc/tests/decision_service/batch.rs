//! Many questions in one call, and in a stream.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::StreamExt as _;
use proffer_proto::{decision::v1 as proto, experiment::v1 as experiment, policy::v1 as policy};
use tokio::sync::mpsc;
use tonic::Code;

use super::suite::{Suite, code, holdout, lapsed, on_both, question, report, told};

async fn batch(
    suite: &Suite,
    requests: Vec<proto::RecommendRequest>,
) -> Vec<proto::RecommendResult> {
    let request = proto::RecommendBatchRequest { requests, ..Default::default() };
    suite.decisions.clone().recommend_batch(request).await.unwrap().into_inner().results
}

/// Offer, else reason code, else error code and reason.
fn shown(result: &proto::RecommendResult) -> String {
    match (result.decision(), result.error()) {
        (Some(decision), None) => match decision.decisions.first() {
            Some(offer) => offer.offer_id.clone(),
            None => code(decision.reason_code()),
        },
        (None, Some(fault)) => format!("{} {}: {}", fault.code, fault.reason, fault.message),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_come_in_the_order_of_the_questions_and_a_bad_one_spoils_only_its_own() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "c_home", "home", "2026-07-03");
        lapsed(&suite.fakes, "c_recent", "home", "2026-11-20");
        let questions = vec![
            question("c_home"),
            proto::RecommendRequest { limit: Some(51), ..question("cust_lapsed_1") },
            question("nobody"),
            proto::RecommendRequest { flow: "Summer".to_owned(), ..question("cust_lapsed_1") },
            question("cust_lapsed_1"),
            proto::RecommendRequest { channel: "pigeon".to_owned(), ..question("cust_lapsed_1") },
            question("c_recent"),
            proto::RecommendRequest {
                min_revision: vec!["catalog:999".to_owned()],
                ..question("c_home")
            },
        ];
        let results = batch(&suite, questions).await;
        let shown: Vec<_> = results.iter().map(shown).collect();
        assert_eq!(shown[0], "off_home");
        assert!(
            shown[1].starts_with("INVALID_ARGUMENT INVALID_FIELD: ") && shown[1].contains("limit"),
            "{}",
            shown[1]
        );
        assert_eq!(shown[2], "customer_unknown");
        assert!(
            shown[3].starts_with("NOT_FOUND NOT_FOUND: ") && shown[3].contains("Summer"),
            "{}",
            shown[3]
        );
        assert_eq!(shown[4], "off_apparel");
        assert!(
            shown[5].starts_with("NOT_FOUND NOT_FOUND: ") && shown[5].contains("pigeon"),
            "{}",
            shown[5]
        );
        assert_eq!(shown[6], "nothing_qualified");
        assert!(shown[7].starts_with("UNAVAILABLE SNAPSHOT_STALE: "), "{}", shown[7]);
        // Each decision has its own record, as if it had been asked for alone.
        for (result, customer_id) in [(&results[0], "c_home"), (&results[4], "cust_lapsed_1")] {
            let decision_id = result.decision().unwrap().decision_id.clone().unwrap();
            let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
            let kept = suite
                .decisions
                .clone()
                .get_decision(request)
                .await
                .unwrap()
                .into_inner()
                .decision
                .unwrap();
            assert_eq!(kept.customer_id, customer_id);
            assert_eq!(kept.answer.unwrap().decisions, result.decision().unwrap().decisions);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_decides_as_single_calls_do() {
    on_both(async |suite| {
        let customers: Vec<_> = (0..20).map(|number| format!("c_{number}")).collect();
        for (number, customer_id) in customers.iter().enumerate() {
            let category = ["apparel", "electronics", "home", "garden"][number % 4];
            lapsed(
                &suite.fakes,
                customer_id,
                category,
                ["2026-07-03", "2026-11-20"][number % 5 / 4],
            );
        }
        let ask = |customer_id: &String| proto::RecommendRequest {
            dry_run: true,
            explain: true,
            ..question(customer_id)
        };
        let together = batch(&suite, customers.iter().map(ask).collect()).await;
        assert!(together.iter().any(|result| shown(result) == "nothing_qualified"));
        for (customer_id, result) in customers.iter().zip(together) {
            let mut alone = suite.recommend(ask(customer_id)).await.unwrap();
            let mut together = result.into_decision().unwrap();
            (alone.latency_ms, together.latency_ms) = (0.0, 0.0);
            assert_eq!(together, alone, "{customer_id}");
        }
        let script = suite.fakes.script.lock().unwrap();
        // One call for all to either; the fake lookup answers five at a time and is asked for the
        // rest.
        assert_eq!(script.lookups, [20, 15, 10, 5]);
        assert_eq!(script.batches.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_asked_about_twice_is_looked_up_once_and_decided_twice() {
    on_both(async |suite| {
        let results =
            batch(&suite, vec![question("cust_lapsed_1"), question("cust_lapsed_1")]).await;
        let ids: BTreeSet<_> =
            results.iter().map(|result| result.decision().cloned().unwrap().decision_id).collect();
        assert_eq!(ids.len(), 2);
        let script = suite.fakes.script.lock().unwrap();
        // One customer is looked up by the call for one.
        assert_eq!((script.lookups.len(), script.batches.as_slice()), (0, [2].as_slice()));
        let asked: Vec<_> =
            script.reserves.iter().map(|asked| Some(asked.decision_id.clone())).collect();
        let answered: Vec<_> =
            results.iter().map(|result| result.decision().cloned().unwrap().decision_id).collect();
        assert_eq!(asked, answered, "the earlier question reserves first");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_id_is_one_decision_within_a_batch_and_after_it() {
    on_both(async |suite| {
        let ask = |limit| proto::RecommendRequest {
            request_id: "r-1".to_owned(),
            limit: Some(limit),
            ..question("cust_lapsed_1")
        };
        let results = batch(&suite, vec![ask(1), ask(1), ask(2)]).await;
        let first = results[0].decision().cloned().unwrap();
        let second = results[1].decision().cloned().unwrap();
        assert_eq!(
            (&first.decision_id, &first.decisions),
            (&second.decision_id, &second.decisions)
        );
        assert!(
            shown(&results[2]).starts_with("ABORTED IDEMPOTENCY_MISMATCH: "),
            "{}",
            shown(&results[2])
        );
        let again = batch(&suite, vec![question("nobody"), ask(1), ask(2)]).await;
        assert_eq!(again[1].decision().cloned().unwrap().decision_id, first.decision_id);
        assert!(
            shown(&again[2]).starts_with("ABORTED IDEMPOTENCY_MISMATCH: "),
            "{}",
            shown(&again[2])
        );
        assert_eq!(suite.recommend(ask(1)).await.unwrap().decision_id, first.decision_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_undelivered_outcomes_and_arms_of_each_customer_go_with_that_customer() {
    on_both(async |suite| {
        let holdout = holdout(50);
        suite.fakes.write_experiment(&holdout);
        let customers: Vec<_> = (0..16).map(|number| format!("c_{number:02}")).collect();
        for customer_id in &customers {
            lapsed(&suite.fakes, customer_id, "apparel", "2026-07-03");
        }
        let arms = async || {
            let results =
                batch(&suite, customers.iter().map(|customer_id| question(customer_id)).collect())
                    .await;
            results
                .into_iter()
                .map(|result| result.into_decision().unwrap().control_group)
                .collect::<Vec<_>>()
        };
        let first = arms().await;
        let held_out = first.iter().filter(|is| **is).count();
        assert!((1..16).contains(&held_out), "{held_out}");
        // Nobody is drawn again when the split changes.
        let epochs =
            vec![experiment::SplitEpoch { epoch: 2, holdout_basis_points: 0, since: None }];
        suite.fakes.write_experiment(&experiment::Experiment { epochs, ..holdout });
        suite.fakes.script.lock().unwrap().deliveries_away = true;
        suite.respond(report("c_03", "click", "k-1")).await.unwrap();
        suite.respond(report("c_07", "click", "k-2")).await.unwrap();
        suite.respond(report("c_07", "click", "k-3")).await.unwrap();
        let asked_before = {
            let mut script = suite.fakes.script.lock().unwrap();
            script.checks.clear();
            script.reserves.len()
        };
        assert_eq!(arms().await, first);
        let script = suite.fakes.script.lock().unwrap();
        let mut pending = std::collections::BTreeMap::new();
        let reserved = script.reserves[asked_before..].iter().map(|asked| asked.question.clone());
        for question in
            reserved.chain(script.checks.iter().map(|asked| asked.question.clone())).flatten()
        {
            assert!(
                question
                    .pending_outcomes
                    .iter()
                    .all(|outcome| outcome.customer_id == question.customer_id)
            );
            pending.insert(question.customer_id, question.pending_outcomes.len());
        }
        assert_eq!(
            (pending.len(), pending["c_03"], pending["c_07"], pending["c_08"]),
            (16, 1, 2, 0)
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_away_is_told_of_every_customer() {
    on_both(async |suite| {
        let ask = || vec![question("cust_lapsed_1"), question("nobody")];
        suite.fakes.script.lock().unwrap().policy_away = true;
        let results = batch(&suite, ask()).await;
        assert_eq!(
            results.iter().map(shown).collect::<Vec<_>>(),
            ["policy_unavailable", "customer_unknown"]
        );
        suite.fakes.script.lock().unwrap().catalog_away = true;
        let results = batch(&suite, ask()).await;
        assert_eq!(
            results.iter().map(shown).collect::<Vec<_>>(),
            ["customer_unavailable", "customer_unavailable"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_limits() {
    on_both(async |suite| {
        let ask = |count: usize, limit: i32| {
            let one =
                proto::RecommendRequest { limit: Some(limit), dry_run: true, ..question("nobody") };
            let request =
                proto::RecommendBatchRequest { requests: vec![one; count], ..Default::default() };
            let mut decisions = suite.decisions.clone();
            async move {
                decisions
                    .recommend_batch(request)
                    .await
                    .map(|answer| answer.into_inner().results.len())
            }
        };
        assert_eq!(ask(0, 1).await.unwrap(), 0);
        assert_eq!(ask(1_000, 4).await.unwrap(), 1_000);
        assert_eq!(told(&ask(1_001, 1).await.unwrap_err()).1, "LIMIT_EXCEEDED");
        assert_eq!(told(&ask(801, 5).await.unwrap_err()).1, "LIMIT_EXCEEDED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_leaves_later_traces_out_and_says_so() {
    on_both(async |suite| {
        let policies = (0..20).map(|number| policy::PolicyVerdict {
            policy_id: format!("pol_{number}_{}", "x".repeat(200)),
            passed: true,
            ..Default::default()
        });
        let verdict = policy::Verdict { policies: policies.collect(), ..Default::default() };
        suite.fakes.script.lock().unwrap().verdicts.insert("off_apparel".to_owned(), verdict);
        let one = proto::RecommendRequest { dry_run: true, ..question("cust_lapsed_1") };
        let results = batch(&suite, vec![one; 600]).await;
        let traced = |result: &proto::RecommendResult| {
            let decision = result.decision().unwrap();
            let is_left_out = decision.degraded == ["trace_left_out"];
            assert_eq!(
                (decision.trace.is_none(), decision.decisions[0].trace.is_none()),
                (is_left_out, is_left_out)
            );
            !is_left_out
        };
        assert!(traced(&results[0]) && !traced(&results[599]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_answers_in_order_and_goes_on_after_a_bad_question() {
    on_both(async |suite| {
        let questions = (0..300).map(|number| {
            let request = match number % 3 {
                0 => question("cust_lapsed_1"),
                1 => question(""),
                _ => question("nobody"),
            };
            proto::RecommendStreamRequest {
                request: Some(proto::RecommendRequest { dry_run: true, ..request }),
            }
        });
        let answers = suite
            .decisions
            .clone()
            .recommend_stream(futures::stream::iter(questions))
            .await
            .unwrap();
        let answers: Vec<_> = answers
            .into_inner()
            .map(|answer| shown(&answer.unwrap().result.unwrap()))
            .collect()
            .await;
        assert_eq!(answers.len(), 300);
        for (number, answer) in answers.iter().enumerate() {
            match number % 3 {
                0 => assert_eq!(answer, "off_apparel"),
                1 => assert!(answer.starts_with("INVALID_ARGUMENT"), "{answer}"),
                _ => assert_eq!(answer, "customer_unknown"),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_a_conversation_each_answer_before_the_next_question() {
    on_both(async |suite| {
        let (sender, receiver) = mpsc::channel(1);
        let questions = futures::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|question| (question, receiver))
        });
        let mut answers =
            suite.decisions.clone().recommend_stream(questions).await.unwrap().into_inner();
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            let request = Some(question("cust_lapsed_1"));
            sender.send(proto::RecommendStreamRequest { request }).await.unwrap();
            let answer = answers.next().await.unwrap().unwrap().result.unwrap();
            ids.insert(answer.into_decision().unwrap().decision_id);
        }
        drop(sender);
        assert!(answers.next().await.is_none());
        assert_eq!(ids.len(), 3);
    })
    .await;
}

/// A hundred thousand questions, of which one answer is read: the others are not taken from the
/// caller.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_the_answers_is_not_read_from() {
    on_both(async |suite| {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = taken.clone();
        let asked = proto::RecommendRequest { dry_run: true, ..question("nobody") };
        let questions = futures::stream::iter(0..100_000).map(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            proto::RecommendStreamRequest { request: Some(asked.clone()) }
        });
        let mut answers =
            suite.decisions.clone().recommend_stream(questions).await.unwrap().into_inner();
        assert_eq!(
            shown(&answers.next().await.unwrap().unwrap().result.unwrap()),
            "customer_unknown"
        );
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken < 10_000, "{taken}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_question_may_not_be_as_large_as_a_batch() {
    on_both(async |suite| {
        let large =
            proto::RecommendRequest { placement: "x".repeat(300_000), ..question("cust_lapsed_1") };
        let refused = suite.recommend(large).await.unwrap_err();
        assert_eq!(
            (refused.code(), told(&refused).1.as_str()),
            (Code::InvalidArgument, "LIMIT_EXCEEDED")
        );
    })
    .await;
}
