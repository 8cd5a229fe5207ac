//! Single decisions: offers, refusals, faults, retries, and what is recorded.

use std::collections::BTreeSet;

use proffer_proto::{
    decision::v1 as proto,
    experiment::v1::{self as experiment, ledger_entry::Entry},
    policy::v1 as policy,
    values::v1::{ReasonCode, Value, value::Kind},
};
use prost_types::Timestamp;
use tonic::Code;

use super::suite::{NOW_US, Suite, code, holdout, lapsed, on_both, priced, question, report, told};

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn at(us: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: us / 1_000_000, nanos: 0 })
}

async fn reason(suite: &Suite, customer_id: &str) -> String {
    let decision = suite.recommend(question(customer_id)).await.unwrap();
    assert_eq!(decision.decisions.is_empty(), decision.reason_code != 0, "{decision:?}");
    code(decision.reason_code())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapsed_customer_gets_the_offer_of_their_category() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "c_el", "electronics", "2026-07-03");
        let apparel = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        let offered = &apparel.decisions[0];
        assert_eq!((offered.name.as_str(), offered.rank), ("Apparel — 20% back", 1));
        let trace = offered.trace.as_ref().unwrap();
        assert_eq!(trace.computed_fields["daysSinceLastPurchase"], value(Kind::IntegerValue(142)));
        assert_eq!(trace.computed_fields["isRecoverable"], value(Kind::BooleanValue(true)));
        assert_eq!(trace.contact_policy, "passed (0 contacts in last 30d)");
        assert_eq!((trace.qualified, trace.cate), (true, None));
        assert_eq!(trace.uplift_segment(), proto::UpliftSegment::Uncertain);
        assert_eq!(offered.personalization, trace.computed_fields);
        assert!(apparel.reserved_until.is_some() && apparel.reason.is_empty());
        let whole = apparel.trace.as_ref().unwrap();
        assert_eq!(whole.tz_version, chrono_tz::IANA_TZDB_VERSION);
        assert_eq!(whole.notes, ["quiet hours were evaluated with time zone database test"]);
        let electronics = suite.recommend(question("c_el")).await.unwrap();
        assert_eq!(electronics.decisions[0].offer_id, "off_electronics");

        let id = apparel.decision_id.clone().unwrap();
        let request = proto::GetDecisionRequest { decision_id: id.clone(), ..Default::default() };
        let kept = suite
            .decisions
            .clone()
            .get_decision(request)
            .await
            .unwrap()
            .into_inner()
            .decision
            .unwrap();
        assert_eq!(
            (kept.decision_id.as_str(), kept.customer_id.as_str()),
            (id.as_str(), "cust_lapsed_1")
        );
        assert_eq!(kept.answer.unwrap().decisions, apparel.decisions);
        assert_eq!(
            kept.customer_fields["lifetimeRevenue"],
            value(Kind::DecimalValue("320.50".to_owned()))
        );
        assert_eq!(kept.request.unwrap(), question("cust_lapsed_1"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_answers_with_a_reason() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "c_recent", "apparel", "2026-11-01");
        lapsed(&suite.fakes, "c_lost", "apparel", "2025-07-03");
        suite.fakes.put_record("c_empty", &[]);
        assert_eq!(reason(&suite, "nobody").await, "customer_unknown");
        for customer in ["c_recent", "c_lost", "c_empty"] {
            assert_eq!(reason(&suite, customer).await, "nothing_qualified");
        }
        let refusal = policy::Refusal {
            reason_code: ReasonCode::QuietHours.into(),
            reason: "channel email is within quiet hours (21:00-08:00 local) — deliver after 08:00"
                .to_owned(),
            deliver_after: "2026-11-23T08:00:00+00:00".to_owned(),
        };
        suite.fakes.script.lock().unwrap().refusal = Some(refusal.clone());
        let night = suite.recommend(question("cust_lapsed_1")).await.unwrap();
        assert_eq!((night.reason_code(), night.reason), (ReasonCode::QuietHours, refusal.reason));
        assert_eq!(night.deliver_after, Some(refusal.deliver_after));
        assert!(night.decisions.is_empty() && night.decision_id.is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_that_is_away_never_means_yes() {
    on_both(async |suite| {
        suite.fakes.script.lock().unwrap().policy_away = true;
        assert_eq!(reason(&suite, "cust_lapsed_1").await, "policy_unavailable");
        suite.respond(report("cust_lapsed_1", "opt_out", "k1")).await.unwrap();
        suite.fakes.script.lock().unwrap().policy_away = false;
        suite.fakes.script.lock().unwrap().catalog_away = true;
        assert_eq!(reason(&suite, "cust_lapsed_1").await, "customer_unavailable");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_are_not_found_and_wrong_fields_are_all_told() {
    on_both(async |suite| {
        let unknown_flow =
            proto::RecommendRequest { flow: "Upsell".to_owned(), ..question("cust_lapsed_1") };
        assert_eq!(told(&suite.recommend(unknown_flow).await.unwrap_err()).0, Code::NotFound);
        let unknown_channel =
            proto::RecommendRequest { channel: "fax".to_owned(), ..question("nobody") };
        assert_eq!(told(&suite.recommend(unknown_channel).await.unwrap_err()).0, Code::NotFound);
        let wrong = proto::RecommendRequest {
            customer_id: "x".repeat(129),
            limit: Some(51),
            at: at(NOW_US),
            min_revision: vec!["billing:1".to_owned()],
            channel: "a\nb".to_owned(),
            ..Default::default()
        };
        let (code, reason, mut fields) = told(&suite.recommend(wrong).await.unwrap_err());
        fields.sort();
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(fields, ["at", "channel", "customer_id", "flow", "limit", "min_revision"]);
        let ahead = proto::RecommendRequest {
            min_revision: vec!["catalog:999".to_owned()],
            ..question("cust_lapsed_1")
        };
        assert_eq!(told(&suite.recommend(ahead).await.unwrap_err()).1, "SNAPSHOT_STALE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_id_is_the_same_decision() {
    on_both(async |suite| {
        let asked =
            proto::RecommendRequest { request_id: "r1".to_owned(), ..question("cust_lapsed_1") };
        let racing = (0..16).map(|_| suite.recommend(asked.clone()));
        let answers = futures::future::join_all(racing).await;
        let ids: BTreeSet<_> =
            answers.into_iter().map(|answer| answer.unwrap().decision_id.unwrap()).collect();
        assert_eq!(ids.len(), 1, "{ids:?}");
        let other = proto::RecommendRequest { limit: Some(2), ..asked.clone() };
        let (code, reason, _) = told(&suite.recommend(other).await.unwrap_err());
        assert_eq!((code, reason.as_str()), (Code::Aborted, "IDEMPOTENCY_MISMATCH"));
        // A day later the id is free again.
        suite.clock.set(serve::from_micros(NOW_US + 24 * 3600 * 1_000_000));
        suite.fakes.script.lock().unwrap().grants.clear();
        let later = suite.recommend(asked).await.unwrap().decision_id.unwrap();
        assert!(!ids.contains(&later));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing() {
    on_both(async |suite| {
        let dry = proto::RecommendRequest {
            dry_run: true,
            at: at(NOW_US + 86_400_000_000),
            ..question("cust_lapsed_1")
        };
        let decision = suite.recommend(dry).await.unwrap();
        assert!(
            decision.dry_run && decision.decision_id.is_none() && decision.reserved_until.is_none()
        );
        let days = &decision.decisions[0].personalization["daysSinceLastPurchase"];
        assert_eq!(*days, value(Kind::IntegerValue(143)));
        let list = proto::ListDecisionsRequest {
            customer_id: "cust_lapsed_1".to_owned(),
            ..Default::default()
        };
        assert!(
            suite
                .decisions
                .clone()
                .list_decisions(list)
                .await
                .unwrap()
                .into_inner()
                .decisions
                .is_empty()
        );
        let script = suite.fakes.script.lock().unwrap();
        assert_eq!((script.reserves.len(), script.checks.len()), (0, 1));
        assert_eq!(script.checks[0].question.as_ref().unwrap().as_of, at(NOW_US + 86_400_000_000));
    })
    .await;
}

/// Once slots are being reserved the decision runs to its end: the slot is not lost with the
/// caller.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_does_not_lose_the_decision() {
    on_both(async |suite| {
        suite.fakes.gate_open.send_replace(false);
        let mut begun = suite.fakes.reserving.subscribe();
        let mut asking = Box::pin(suite.recommend(question("cust_lapsed_1")));
        tokio::select! {
            _ = &mut asking => panic!("policy has not answered"),
            _ = begun.wait_for(|count| *count == 1) => {}
        }
        drop(asking);
        suite.fakes.gate_open.send_replace(true);
        let list = proto::ListDecisionsRequest {
            customer_id: "cust_lapsed_1".to_owned(),
            ..Default::default()
        };
        loop {
            let page =
                suite.decisions.clone().list_decisions(list.clone()).await.unwrap().into_inner();
            if let [kept] = page.decisions.as_slice() {
                assert_eq!(kept.answer.as_ref().unwrap().decisions[0].offer_id, "off_apparel");
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_out_customer_gets_nothing_and_leaves_a_ghost() {
    on_both(async |suite| {
        let revision = suite.fakes.write_experiment(&holdout(100));
        let asked = proto::RecommendRequest {
            min_revision: vec![format!("experiment:{revision}")],
            ..question("cust_lapsed_1")
        };
        let decision = suite.recommend(asked).await.unwrap();
        assert!(decision.decisions.is_empty() && decision.control_group);
        assert_eq!(code(decision.reason_code()), "holdout");
        suite.fakes.delivered(2).await;
        let request = proto::GetDecisionRequest {
            decision_id: decision.decision_id.unwrap(),
            ..Default::default()
        };
        let kept = suite
            .decisions
            .clone()
            .get_decision(request)
            .await
            .unwrap()
            .into_inner()
            .decision
            .unwrap();
        assert_eq!(
            (kept.arm.as_str(), kept.ghost_offers),
            ("holdout", vec!["off_apparel".to_owned()])
        );
        let script = suite.fakes.script.lock().unwrap();
        assert!(script.reserves.is_empty());
        let [first, second] = script.entries.as_slice() else { panic!("{:?}", script.entries) };
        let Some(Entry::Assignment(assignment)) = &first.entry else { panic!("{first:?}") };
        assert_eq!((assignment.arm(), assignment.epoch), (experiment::Arm::Holdout, 1));
        assert!(matches!(&second.entry, Some(Entry::Exposure(exposure)) if exposure.ghost));
    })
    .await;
}

/// The arm of the first decision binds later ones, whatever the split becomes; it ends when the
/// experiment ships.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_arm_stays_until_everyone_is_treated() {
    on_both(async |suite| {
        let ask = async |revision: i64| {
            let min_revision = vec![format!("experiment:{revision}")];
            suite
                .recommend(proto::RecommendRequest { min_revision, ..question("cust_lapsed_1") })
                .await
                .unwrap()
        };
        assert!(ask(suite.fakes.write_experiment(&holdout(100))).await.control_group);
        let mut none = holdout(100);
        none.epochs.push(experiment::SplitEpoch { epoch: 2, holdout_basis_points: 0, since: None });
        assert!(ask(suite.fakes.write_experiment(&none)).await.control_group);
        let concluded = experiment::Experiment {
            status: experiment::ExperimentStatus::Concluded.into(),
            ..none.clone()
        };
        assert!(ask(suite.fakes.write_experiment(&concluded)).await.control_group);
        let shipped = experiment::Experiment { shipped: Some(true), ..concluded };
        let decision = ask(suite.fakes.write_experiment(&shipped)).await;
        assert!(!decision.control_group && decision.decisions.len() == 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_is_unknown_is_not_assigned() {
    on_both(async |suite| {
        let revision = suite.fakes.write_experiment(&holdout(100));
        let min_revision = vec![format!("experiment:{revision}")];
        let asked = proto::RecommendRequest { min_revision, ..question("nobody") };
        let decision = suite.recommend(asked).await.unwrap();
        assert_eq!(
            (decision.reason_code(), decision.control_group),
            (ReasonCode::CustomerUnknown, false)
        );
        let request = proto::GetDecisionRequest {
            decision_id: decision.decision_id.unwrap(),
            ..Default::default()
        };
        let kept = suite
            .decisions
            .clone()
            .get_decision(request)
            .await
            .unwrap()
            .into_inner()
            .decision
            .unwrap();
        assert_eq!(kept.arm, "");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_of_a_customer_are_listed_newest_first() {
    on_both(async |suite| {
        let mut made = Vec::new();
        for second in 0..5 {
            suite.clock.set(serve::from_micros(NOW_US + second * 1_000_000));
            made.insert(
                0,
                suite.recommend(question("cust_lapsed_1")).await.unwrap().decision_id.unwrap(),
            );
        }
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = proto::ListDecisionsRequest {
                customer_id: "cust_lapsed_1".to_owned(),
                page_size: 2,
                page_token,
                ..Default::default()
            };
            let page = suite.decisions.clone().list_decisions(request).await.unwrap().into_inner();
            assert!(page.decisions.len() <= 2);
            listed.extend(page.decisions.into_iter().map(|kept| kept.decision_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, made);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_and_release_reach_policy_by_decision_and_rank() {
    on_both(async |suite| {
        let id = suite.recommend(question("cust_lapsed_1")).await.unwrap().decision_id.unwrap();
        let commit = |rank| proto::CommitDecisionRequest {
            decision_id: id.clone(),
            rank,
            ..Default::default()
        };
        let go = suite.decisions.clone().commit_decision(commit(None)).await.unwrap().into_inner();
        assert_eq!((go.go, go.contact_id), (true, Some(format!("con_{id}"))));
        let missing = suite.decisions.clone().commit_decision(commit(Some(2))).await.unwrap_err();
        assert_eq!(missing.code(), Code::NotFound);
        for odd in [0, -1] {
            let status = suite.decisions.clone().commit_decision(commit(Some(odd))).await;
            assert_eq!(told(&status.unwrap_err()).2, ["rank"]);
        }
        suite.fakes.script.lock().unwrap().policy_away = true;
        let no_go =
            suite.decisions.clone().commit_decision(commit(Some(1))).await.unwrap().into_inner();
        assert_eq!((no_go.go, no_go.reason_code()), (false, ReasonCode::Unavailable));
        let release =
            proto::ReleaseDecisionRequest { decision_id: id.clone(), ..Default::default() };
        assert_eq!(
            suite.decisions.clone().release_decision(release).await.unwrap().into_inner().released,
            1
        );
        let script = suite.fakes.script.lock().unwrap();
        assert_eq!(
            (script.releases[0].decision_id.as_str(), script.releases[0].rank),
            (id.as_str(), 0)
        );
    })
    .await;
}

/// Budgets are policy's; here every question and every fact says what a contact costs, in 1/10,000
/// of the currency.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_contact_costs_travels_to_policy_as_decided() {
    on_both(async |suite| {
        let asked = || proto::RecommendRequest { limit: Some(2), ..question("cust_lapsed_1") };
        let costs = |question: Option<&policy::ContactQuestion>| -> Vec<(String, i64)> {
            let candidates = &question.unwrap().candidates;
            candidates.iter().map(|one| (one.offer_id.clone(), one.cost_ten_thousandths)).collect()
        };
        priced(&suite.fakes, "off_priced", "0.0501");
        let id = suite.recommend(asked()).await.unwrap().decision_id.unwrap();
        suite.recommend(proto::RecommendRequest { hold: Some(false), ..asked() }).await.unwrap();
        // The price changes after the decision, and the next decision knows the new one.
        priced(&suite.fakes, "off_priced", "999999999.9999");
        suite.recommend(proto::RecommendRequest { dry_run: true, ..asked() }).await.unwrap();
        let commit = proto::CommitDecisionRequest {
            decision_id: id.clone(),
            rank: Some(1),
            ..Default::default()
        };
        assert!(suite.decisions.clone().commit_decision(commit).await.unwrap().into_inner().go);
        let named = proto::OutcomeReport {
            decision_id: id.clone(),
            rank: Some(1),
            ..report("cust_lapsed_1", "impression", "decided")
        };
        suite.respond(named).await.unwrap();
        for (offer, key) in
            [("off_priced", "by offer"), ("off_apparel", "without cost"), ("", "without offer")]
        {
            let offer_id = offer.to_owned();
            suite
                .respond(proto::OutcomeReport {
                    offer_id,
                    ..report("cust_lapsed_1", "impression", key)
                })
                .await
                .unwrap();
        }
        suite.fakes.delivered(8).await;
        let script = suite.fakes.script.lock().unwrap();
        let both = |cost| [("off_priced".to_owned(), cost), ("off_apparel".to_owned(), 0)];
        assert_eq!(costs(script.reserves[0].question.as_ref()), both(501));
        assert_eq!(costs(script.checks[0].question.as_ref()), both(501));
        assert_eq!(costs(script.checks[1].question.as_ref()), both(9_999_999_999_999));
        assert_eq!(costs(script.commits[0].question.as_ref()), [("off_priced".to_owned(), 501)]);
        let cost = |fact: &policy::OutcomeFact| {
            fact.offer.as_ref().map_or(0, |offer| offer.cost_ten_thousandths)
        };
        let told: Vec<i64> = script.outcomes.iter().map(cost).collect();
        assert_eq!(told, [501, 9_999_999_999_999, 0, 0]);
    })
    .await;
}
