//! What customers did, and its way to the neighbours.

use proffer_proto::{
    decision::v1 as proto,
    experiment::v1::ledger_entry::Entry,
    values::v1::{Value, value::Kind},
};
use prost_types::Timestamp;
use tonic::Code;

use super::suite::{NOW_US, code, on_both, question, report, told};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_outcome_twice_is_one() {
    on_both(async |suite| {
        let id = suite.recommend(question("cust_lapsed_1")).await.unwrap().decision_id.unwrap();
        let shown = proto::OutcomeReport {
            decision_id: id.clone(),
            ..report("cust_lapsed_1", "impression", "")
        };
        let first = suite.respond(shown.clone()).await.unwrap();
        assert!(!first.duplicate);
        let second = suite.respond(shown.clone()).await.unwrap();
        assert_eq!((second.outcome_id, second.duplicate), (first.outcome_id.clone(), true));
        let racing = (0..16).map(|_| suite.respond(report("cust_lapsed_1", "click", "k")));
        let fresh = futures::future::join_all(racing)
            .await
            .into_iter()
            .filter(|answer| !answer.as_ref().unwrap().duplicate);
        assert_eq!(fresh.count(), 1);
        let other = suite.respond(report("cust_lapsed_1", "conversion", "k")).await.unwrap_err();
        assert_eq!(told(&other).1, "IDEMPOTENCY_MISMATCH");
        // Two outcomes, each delivered to policy-svc and experiment-svc once, in order.
        suite.fakes.delivered(4).await;
        let script = suite.fakes.script.lock().unwrap();
        let seen: Vec<_> =
            script.outcomes.iter().map(|fact| (fact.key.as_str(), fact.rank)).collect();
        assert_eq!(seen, [("impression", 1), ("click", 0)]);
        let fact = &script.outcomes[0];
        assert!(fact.counts_as_contact && !fact.releases);
        let offer = fact.offer.as_ref().unwrap();
        assert_eq!((offer.offer_id.as_str(), offer.category.as_str()), ("off_apparel", "Apparel"));
        assert_eq!((offer.category_id.as_str(), fact.channel.as_str()), ("cat_apparel", "email"));
        assert!(script.outcomes.is_sorted_by_key(|fact| fact.customer_seq));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_report_is_told_with_the_remedy() {
    on_both(async |suite| {
        let id = suite.recommend(question("cust_lapsed_1")).await.unwrap().decision_id.unwrap();
        let decided = |customer: &str, outcome: &str| proto::OutcomeReport {
            decision_id: id.clone(),
            ..report(customer, outcome, "")
        };
        let check = async |reported: proto::OutcomeReport, code: Code, field: &str, part: &str| {
            let status = suite.respond(reported).await.unwrap_err();
            let (got, _, fields) = told(&status);
            assert_eq!(got, code, "{status:?}");
            assert!(fields.first().map_or("", String::as_str) == field, "{fields:?}");
            assert!(status.message().contains(part), "{}", status.message());
        };
        let invalid = Code::InvalidArgument;
        check(
            decided("cust_lapsed_1", "klick"),
            invalid,
            "outcome.outcome",
            "known are click, conversion, impression",
        )
        .await;
        check(
            decided("other", "click"),
            invalid,
            "outcome.decision_id",
            "is not a decision of this customer",
        )
        .await;
        check(report("c", "click", ""), invalid, "outcome.idempotency_key", "is required").await;
        check(report("", "click", "k"), invalid, "outcome.customer_id", "is required").await;
        let rank = proto::OutcomeReport { rank: Some(2), ..decided("cust_lapsed_1", "click") };
        check(rank, invalid, "outcome.rank", "2 is not in the decision").await;
        let offer = proto::OutcomeReport {
            offer_id: "off_nothing".to_owned(),
            ..report("c", "click", "k")
        };
        check(offer, invalid, "outcome.offer_id", "is not an offer").await;
        let unknown =
            proto::OutcomeReport { decision_id: "dec_none".to_owned(), ..report("c", "click", "") };
        check(unknown, Code::NotFound, "", "dec_none").await;
        let seconds = NOW_US / 1_000_000 + 301;
        let future = proto::OutcomeReport {
            occurred_at: Some(Timestamp { seconds, nanos: 0 }),
            ..report("c", "click", "k")
        };
        check(future, invalid, "outcome.occurred_at", "5 minutes").await;
        let amount = |text: &str| Some(Value { kind: Some(Kind::DecimalValue(text.to_owned())) });
        let fine =
            proto::OutcomeReport { value: amount("1.00001"), ..report("c", "conversion", "k") };
        check(fine, invalid, "outcome.value", "at most 4 decimals").await;
        let two = proto::OutcomeReport {
            value: amount("1"),
            conversion_value: amount("2"),
            ..report("c", "conversion", "k")
        };
        check(two, invalid, "outcome.conversion_value", "differs").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_report_is_taken_or_refused_one_by_one() {
    on_both(async |suite| {
        let outcomes = vec![
            report("cust_lapsed_1", "click", "a"),
            report("cust_lapsed_1", "klick", "b"),
            report("cust_lapsed_1", "click", "a"),
            report("cust_lapsed_1", "conversion", "a"),
        ];
        let answer = suite
            .outcomes
            .clone()
            .bulk_respond(proto::BulkRespondRequest { outcomes })
            .await
            .unwrap();
        let answer = answer.into_inner();
        assert_eq!((answer.accepted, answer.refused), (2, 2));
        let codes: Vec<_> = answer
            .results
            .iter()
            .map(|result| {
                let error = result.error.as_ref();
                error.map_or(("", ""), |error| (&*error.code, &*error.reason))
            })
            .collect();
        let refused = [("INVALID_ARGUMENT", "INVALID_FIELD"), ("ABORTED", "IDEMPOTENCY_MISMATCH")];
        assert_eq!(codes, [("", ""), refused[0], ("", ""), refused[1]]);
        assert!(
            answer.results[2].duplicate
                && answer.results[0].outcome_id == answer.results[2].outcome_id
        );
        let many = vec![report("c", "click", "x"); 1_001];
        let status = suite
            .outcomes
            .clone()
            .bulk_respond(proto::BulkRespondRequest { outcomes: many })
            .await
            .unwrap_err();
        assert_eq!(told(&status).1, "LIMIT_EXCEEDED");
    })
    .await;
}

/// The relay cannot deliver, yet the next question to policy carries the outcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_never_overtakes_an_outcome() {
    on_both(async |suite| {
        suite.fakes.script.lock().unwrap().deliveries_away = true;
        suite.respond(report("cust_lapsed_1", "opt_out", "k")).await.unwrap();
        suite.recommend(question("cust_lapsed_1")).await.unwrap();
        let script = suite.fakes.script.lock().unwrap();
        let pending = &script.reserves[0].question.as_ref().unwrap().pending_outcomes;
        assert_eq!(pending.iter().map(|fact| fact.key.as_str()).collect::<Vec<_>>(), ["opt_out"]);
    })
    .await;
}

/// At the limit policy is still asked; one past it nobody may decide before the relay has caught
/// up.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_undelivered_outcomes_mean_no_offers() {
    on_both(async |suite| {
        suite.fakes.script.lock().unwrap().deliveries_away = true;
        let outcomes = (0..100).map(|n| report("cust_lapsed_1", "click", &n.to_string())).collect();
        suite.outcomes.clone().bulk_respond(proto::BulkRespondRequest { outcomes }).await.unwrap();
        let at_limit = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!(at_limit.decisions.len(), 1);
        suite.respond(report("cust_lapsed_1", "click", "one more")).await.unwrap();
        let beyond = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!(code(beyond.reason_code()), "policy_unavailable");
    })
    .await;
}

/// A poisoned row is tried ten times and parked; other customers' rows go on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_policy_refuses_holds_up_its_customer_only() {
    on_both(async |suite| {
        suite.fakes.script.lock().unwrap().refused_key = Some("opt_out".to_owned());
        suite.respond(report("poisoned", "opt_out", "k1")).await.unwrap();
        suite.respond(report("poisoned", "click", "k2")).await.unwrap();
        suite.respond(report("healthy", "click", "k3")).await.unwrap();
        // Three to experiment-svc, one to policy.
        suite.fakes.delivered(4).await;
        let script = suite.fakes.script.lock().unwrap();
        assert_eq!(
            script.outcomes.iter().map(|fact| fact.customer_id.as_str()).collect::<Vec<_>>(),
            ["healthy"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn experiments_count_amounts_exactly_and_know_up_to_when() {
    on_both(async |suite| {
        let value = Some(Value { kind: Some(Kind::DecimalValue("19.9001".to_owned())) });
        let sale = proto::OutcomeReport {
            conversion_value: value,
            ..report("c", "conversion", "order-7")
        };
        suite.respond(sale).await.unwrap();
        suite.fakes.delivered(2).await;
        let script = suite.fakes.script.lock().unwrap();
        let Some(Entry::Outcome(outcome)) = &script.entries[0].entry else {
            panic!("{:?}", script.entries)
        };
        assert_eq!((outcome.value_e4, outcome.positive), (199_001, true));
        assert_eq!(script.counted_through, NOW_US);
    })
    .await;
}

/// A caller that waits until everything acknowledged so far is counted does not wait for the report
/// of another.
#[tokio::test(flavor = "multi_thread")]
async fn when_nothing_follows_experiments_are_told_so() {
    on_both(async |suite| {
        suite.respond(report("c", "click", "k1")).await.unwrap();
        suite.fakes.delivered(2).await;
        suite.clock.set(serve::from_micros(NOW_US + 1_000_000));
        let is_settled =
            || suite.fakes.script.lock().unwrap().counted_through == NOW_US + 1_000_000;
        while !is_settled() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
