//! What customers did, and its way to the neighbours.

use proffer_proto::{
    catalog::v1 as catalog,
    decision::v1 as proto,
    errors::v1 as errors,
    experiment::v1::ledger_entry::Entry,
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use prost_types::Timestamp;
use tonic::Code;

use super::suite::{NOW_US, code, on_both, question, report, rule, string, told};

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
            .respond_batch(proto::RespondBatchRequest { outcomes, ..Default::default() })
            .await
            .unwrap();
        let answer = answer.into_inner();
        assert_eq!((answer.accepted, answer.refused), (2, 2));
        let reasons: Vec<_> = answer
            .results
            .iter()
            .map(|result| result.error.as_ref().map_or("", |error| &error.reason))
            .collect();
        assert_eq!(reasons, ["", "INVALID_FIELD", "", "IDEMPOTENCY_MISMATCH"]);
        let fault = answer.results[1].error.as_ref().unwrap();
        assert_eq!(fault.code, "INVALID_ARGUMENT");
        assert_eq!(fault.field_violations[0].field, "outcome");
        assert!(
            answer.results[2].duplicate
                && answer.results[0].outcome_id == answer.results[2].outcome_id
        );
        let many = vec![report("c", "click", "x"); 1_001];
        let status = suite
            .outcomes
            .clone()
            .respond_batch(proto::RespondBatchRequest { outcomes: many, ..Default::default() })
            .await
            .unwrap_err();
        assert_eq!(told(&status).1, "LIMIT_EXCEEDED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_could_not_read_is_refused_at_its_place() {
    on_both(async |suite| {
        let unread = |index| {
            let fault = errors::ItemFault { message: "as told".into(), ..Default::default() };
            std::collections::BTreeMap::from([(index, fault)])
        };
        let outcomes = ["a", "b", "c"].map(|key| report("cust_lapsed_1", "click", key)).to_vec();
        let request = proto::RespondBatchRequest { outcomes, unread: unread(1) };
        let answer = suite.outcomes.clone().respond_batch(request).await.unwrap().into_inner();
        assert_eq!((answer.accepted, answer.refused), (2, 1));
        let told: Vec<_> = answer
            .results
            .iter()
            .map(|result| (result.index, result.error.as_ref().map(|it| it.message.as_str())))
            .collect();
        assert_eq!(told, [(0, None), (1, Some("as told")), (2, None)]);
        let requests = vec![question("cust_lapsed_1"); 3];
        let request = proto::RecommendBatchRequest { requests, unread: unread(2) };
        let answer = suite.decisions.clone().recommend_batch(request).await.unwrap().into_inner();
        let told: Vec<_> = answer
            .results
            .iter()
            .map(|result| result.error().map(|it| it.message.as_str()))
            .collect();
        assert_eq!(told, [None, None, Some("as told")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_has_at_most_128_bytes() {
    on_both(async |suite| {
        suite.respond(report("cust_lapsed_1", "click", &"k".repeat(128))).await.unwrap();
        let long = suite.respond(report("cust_lapsed_1", "click", &"k".repeat(129))).await;
        let status = long.unwrap_err();
        let (code, reason, fields) = told(&status);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fields, ["outcome.idempotency_key"]);
        assert!(status.message().contains("exceeds the maximum 128"), "{status}");
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

/// At the limit policy is still asked; one past it the others must be delivered first.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_undelivered_outcomes_mean_no_offers() {
    on_both(async |suite| {
        suite.fakes.script.lock().unwrap().deliveries_away = true;
        let outcomes = (0..100).map(|n| report("cust_lapsed_1", "click", &n.to_string())).collect();
        suite
            .outcomes
            .clone()
            .respond_batch(proto::RespondBatchRequest { outcomes, ..Default::default() })
            .await
            .unwrap();
        let at_limit = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!(at_limit.decisions.len(), 1);
        suite.respond(report("cust_lapsed_1", "click", "one more")).await.unwrap();
        let beyond = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!(code(beyond.reason_code()), "policy_unavailable");
    })
    .await;
}

/// More than a question carries: the decision delivers the oldest itself, in parts.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_with_many_fresh_outcomes_is_decided_at_once() {
    on_both(async |suite| {
        suite.stop_relay();
        let clicks = |first: usize, count: usize| {
            let click = |n: usize| report("cust_lapsed_1", "click", &n.to_string());
            (first..first + count).map(click).collect()
        };
        suite.report_all(clicks(0, 101)).await;
        let dry = proto::RecommendRequest { dry_run: true, ..question("cust_lapsed_1") };
        assert_eq!(suite.recommend(dry).await.unwrap().decisions.len(), 1);
        suite.report_all(clicks(101, 1_000)).await;
        let together = proto::RecommendBatchRequest {
            requests: vec![question("cust_lapsed_1"), question("nobody")],
            ..Default::default()
        };
        let answer = suite.decisions.clone().recommend_batch(together).await.unwrap();
        let decision = answer.into_inner().results[0].decision().cloned().unwrap();
        assert_eq!(decision.decisions.len(), 1, "{:?}", decision.reason);
        suite.report_all(clicks(1_101, 700)).await;
        let decision_id = decision.decision_id.unwrap();
        let commit = proto::CommitDecisionRequest { decision_id, ..Default::default() };
        let committed = suite.decisions.clone().commit_decision(commit).await.unwrap();
        assert!(committed.into_inner().go);
        // Every outcome came once, in order, and the rest came along.
        let script = suite.fakes.script.lock().unwrap();
        let along = &script.commits[0].question.as_ref().unwrap().pending_outcomes;
        assert!(along.len() <= 100, "{}", along.len());
        let all = script.outcomes.iter().chain(along);
        let ids: Vec<_> = all.clone().map(|fact| fact.customer_seq).collect();
        assert_eq!(ids.len(), 1_801);
        assert!(ids.is_sorted_by(|one, next| one < next));
    })
    .await;
}

/// The words of one event, as several systems spell them.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_in_another_spelling_is_a_duplicate() {
    on_both(async |suite| {
        let amount = |kind: Kind| Some(Value { kind: Some(kind) });
        let decimal = |text: &str| amount(Kind::DecimalValue(text.to_owned()));
        let order = proto::OutcomeReport {
            value: decimal("49.90"),
            channel: "email".to_owned(),
            offer_id: "off_apparel".to_owned(),
            ..report("c", "conversion", "order-7")
        };
        let check = async |first: &proto::OutcomeReport, spelled: proto::OutcomeReport| {
            let recorded = suite.respond(first.clone()).await.unwrap();
            let again = suite.respond(spelled.clone()).await;
            let again = again.unwrap_or_else(|status| panic!("{spelled:?}: {status:?}"));
            assert!(again.duplicate && again.outcome_id == recorded.outcome_id, "{spelled:?}");
        };
        let spelled = |value| proto::OutcomeReport { value, ..order.clone() };
        check(&order, spelled(decimal("49.9"))).await;
        check(&order, spelled(decimal("4.990e1"))).await;
        check(&order, spelled(amount(string("49.90")))).await;
        check(&order, spelled(amount(Kind::DoubleValue(49.9)))).await;
        let conversion_value = order.value.clone();
        check(&order, proto::OutcomeReport { conversion_value, ..spelled(None) }).await;
        for channel in ["Email", " EMAIL ", "ch_email"] {
            let channel = channel.to_owned();
            check(&order, proto::OutcomeReport { channel, ..order.clone() }).await;
        }
        let offer_id = "Apparel — 20% back".to_owned();
        check(&order, proto::OutcomeReport { offer_id, ..order.clone() }).await;
        // What is another event stays one.
        for other in [
            spelled(decimal("49.91")),
            spelled(None),
            proto::OutcomeReport { channel: String::new(), ..order.clone() },
            proto::OutcomeReport { offer_id: "off_home".to_owned(), ..order.clone() },
            proto::OutcomeReport { outcome: "click".to_owned(), ..order.clone() },
        ] {
            let refused = suite.respond(other.clone()).await.unwrap_err();
            assert_eq!(told(&refused).1, "IDEMPOTENCY_MISMATCH", "{other:?}");
        }
        // Of a decision, what its report leaves out is what the decision says.
        let id = suite.recommend(question("cust_lapsed_1")).await.unwrap().decision_id.unwrap();
        let click =
            proto::OutcomeReport { decision_id: id, ..report("cust_lapsed_1", "click", "") };
        for spelled in [
            proto::OutcomeReport { rank: Some(1), ..click.clone() },
            proto::OutcomeReport { offer_id: "off_apparel".to_owned(), ..click.clone() },
            proto::OutcomeReport { channel: "Email".to_owned(), ..click.clone() },
        ] {
            check(&click, spelled).await;
        }
        // Without a key of its own an event is known by what it is about.
        let occurred_at = Some(Timestamp { seconds: NOW_US / 1_000_000 - 60, nanos: 0 });
        let seen = proto::OutcomeReport {
            occurred_at,
            offer_id: "off_apparel".to_owned(),
            ..report("c", "impression", "")
        };
        let offer_id = "apparel — 20% BACK".to_owned();
        check(&seen, proto::OutcomeReport { offer_id, ..seen.clone() }).await;
        // In one bulk as well.
        let twice = vec![
            proto::OutcomeReport { idempotency_key: "order-8".to_owned(), ..order.clone() },
            proto::OutcomeReport {
                idempotency_key: "order-8".to_owned(),
                ..spelled(decimal("49.9"))
            },
        ];
        let answer = suite.report_all(twice).await;
        assert_eq!((answer.accepted, answer.results[1].duplicate), (2, true));
    })
    .await;
}

/// What comes in one instant came in the order of the bulk.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_of_one_bulk_keep_its_order() {
    on_both(async |suite| {
        let metric = catalog::BehavioralMetric {
            key: "last_click".to_owned(),
            name: "Last click".to_owned(),
            outcome: "click".to_owned(),
            aggregate: catalog::MetricAggregate::Last.into(),
            window_days: 7,
            ..Default::default()
        };
        let resource = metric.encode_to_vec();
        suite.fakes.write_catalog("behavioral_metric", "last_click", "Last click", resource);
        let rules = vec![rule("metrics.last_click", catalog::Operator::Gt, Kind::IntegerValue(0))];
        let offer = catalog::Offer {
            name: "Clicked".to_owned(),
            category: "Apparel".to_owned(),
            qualification_rules: rules,
            ..Default::default()
        };
        let resource = offer.encode_to_vec();
        let revision = suite.fakes.write_catalog("offer", "off_clicked", "Clicked", resource);
        let customers: Vec<_> = (0..20).map(|n| format!("c_{n}")).collect();
        for customer_id in &customers {
            suite.fakes.put_record(customer_id, &[]);
            let click = |n: i64| proto::OutcomeReport {
                value: Some(Value { kind: Some(Kind::IntegerValue(n)) }),
                ..report(customer_id, "click", &n.to_string())
            };
            suite.report_all((1..=9).map(click).collect()).await;
        }
        for customer_id in &customers {
            let asked = proto::RecommendRequest {
                min_revision: vec![format!("catalog:{revision}")],
                ..question(customer_id)
            };
            let decision_id = suite.recommend(asked).await.unwrap().decision_id.unwrap();
            let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
            let kept = suite.decisions.clone().get_decision(request).await.unwrap().into_inner();
            let metrics = kept.decision.unwrap().metrics;
            assert_eq!(metrics.get("last_click"), Some(&9.0), "{customer_id}");
        }
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
        assert_eq!((outcome.value_e4, outcome.positive), (Some(199_001), true));
        assert_eq!(script.counted_through, NOW_US - 1);
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
        let is_settled = || suite.fakes.script.lock().unwrap().counted_through == NOW_US + 999_999;
        while !is_settled() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
