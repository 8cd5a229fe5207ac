//! Arms, first exposures, and what is sent of them to experiment-svc.

use std::collections::BTreeMap;

use database::Location;
use proffer_proto::{
    decision::v1 as proto,
    experiment::v1::{self as experiment, Arm, ledger_entry::Entry},
};
use prost_types::Timestamp;

use super::{
    features::features_of_lapsed,
    neighbours::Fakes,
    suite::{NOW_US, Suite, holdout, lapsed, on_both, question},
};

/// An experiment on this flow that holds out this share, in percent.
fn on_flow(id: &str, flow: &str, percent: i32) -> experiment::Experiment {
    let (id, flow_id) = (id.to_owned(), flow.to_owned());
    experiment::Experiment { name: id.clone(), salt: id.clone(), id, flow_id, ..holdout(percent) }
}

fn concluded(found: experiment::Experiment, ship: bool) -> experiment::Experiment {
    let status = experiment::ExperimentStatus::Concluded.into();
    experiment::Experiment { status, shipped: Some(ship), ..found }
}

/// Writes experiments and asks about a customer when they are known; gives the record.
pub async fn decide(
    suite: &Suite,
    customer: &str,
    experiments: &[experiment::Experiment],
) -> proto::DecisionRecord {
    let mut request = question(customer);
    for found in experiments {
        let revision = suite.fakes.write_experiment(found);
        request.min_revision = vec![format!("experiment:{revision}")];
    }
    let decision_id = suite.recommend(request).await.unwrap().decision_id.unwrap();
    let request = proto::GetDecisionRequest { decision_id, ..Default::default() };
    suite.decisions.clone().get_decision(request).await.unwrap().into_inner().decision.unwrap()
}

/// The arms of a record as `experiment arm epoch share`.
fn arms(record: &proto::DecisionRecord) -> Vec<String> {
    let shown = |it: &proto::DecisionArm| {
        let arm = if it.arm() == Arm::Holdout { "holdout" } else { "treatment" };
        let share = it.holdout_basis_points.unwrap();
        format!("{} {arm} {} {share}", it.experiment_id, it.epoch)
    };
    record.arms.iter().map(shown).collect()
}

/// The exposures of a customer that were sent, once `count` entries are there.
pub async fn exposures(suite: &Suite, count: usize) -> Vec<experiment::ExposureEntry> {
    suite.fakes.delivered(count).await;
    let script = suite.fakes.script.lock().unwrap();
    let exposure = |entry: &experiment::LedgerEntry| match &entry.entry {
        Some(Entry::Exposure(exposure)) => Some(exposure.clone()),
        _ => None,
    };
    script.entries.iter().filter_map(exposure).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_names_every_arm_and_the_experiment_that_emptied_the_answer() {
    on_both(async |suite| {
        let flow = |percent| on_flow("exp_flow", "flow_winback", percent);
        let all = |percent| on_flow("exp_all", "*", percent);
        for customer in ["a", "b", "c", "d"] {
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        let none = decide(&suite, "a", &[flow(0), all(0)]).await;
        assert_eq!(arms(&none), ["exp_all treatment 1 0", "exp_flow treatment 1 0"]);
        assert_eq!((none.emptied_by.as_str(), none.arm.as_str()), ("", "treatment"));
        assert_eq!(none.experiment_id, "exp_flow");
        let by_all = decide(&suite, "b", &[all(100)]).await;
        assert_eq!(arms(&by_all), ["exp_all holdout 1 10000", "exp_flow treatment 1 0"]);
        assert_eq!((&*by_all.emptied_by, &*by_all.experiment_id), ("exp_all", "exp_all"));
        let by_both = decide(&suite, "c", &[flow(100)]).await;
        assert_eq!(arms(&by_both), ["exp_all holdout 1 10000", "exp_flow holdout 1 10000"]);
        assert_eq!(by_both.emptied_by, "exp_all");
        let by_flow = decide(&suite, "d", &[all(0)]).await;
        assert_eq!(arms(&by_flow), ["exp_all treatment 1 0", "exp_flow holdout 1 10000"]);
        assert_eq!((&*by_flow.emptied_by, &*by_flow.arm), ("exp_flow", "holdout"));
        // What was drawn stays, whatever the splits are now.
        let again = decide(&suite, "b", &[flow(100), all(0)]).await;
        assert_eq!(again.emptied_by, "exp_all");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_universal_holdout_is_drawn_by_the_first_decision_of_any_flow() {
    on_both(async |suite| {
        let other = proto::DecisionFlow { name: "Other".to_owned(), ..super::suite::winback() };
        let request =
            proto::CreateDecisionFlowRequest { decision_flow: Some(other), ..Default::default() };
        suite.flows.clone().create_decision_flow(request).await.unwrap();
        let first = decide(&suite, "cust_lapsed_1", &[on_flow("exp_all", "*", 100)]).await;
        assert_eq!(arms(&first), ["exp_all holdout 1 10000"]);
        let mut split = on_flow("exp_all", "*", 100);
        split.epochs.push(experiment::SplitEpoch {
            epoch: 2,
            holdout_basis_points: 0,
            since: None,
        });
        let revision = suite.fakes.write_experiment(&split);
        let elsewhere = proto::RecommendRequest {
            flow: "Other".to_owned(),
            min_revision: vec![format!("experiment:{revision}")],
            ..question("cust_lapsed_1")
        };
        assert!(suite.recommend(elsewhere).await.unwrap().control_group);
        let entries = exposures(&suite, 2).await;
        assert_eq!(entries.len(), 1, "one exposure, of the first flow");
        assert_eq!((&*entries[0].flow_id, entries[0].ghost), ("flow_winback", true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_exposure_is_sent_once_with_what_was_or_would_have_been_returned() {
    on_both(async |suite| {
        for customer in ["treated", "held", "emptied"] {
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        let flow = |percent| on_flow("exp_flow", "flow_winback", percent);
        // Nothing is returned at first: no exposure.
        suite.fakes.script.lock().unwrap().policy_away = true;
        decide(&suite, "treated", &[flow(0)]).await;
        suite.fakes.script.lock().unwrap().policy_away = false;
        suite.clock.set(serve::from_micros(NOW_US + 1_000_000));
        let treated = decide(&suite, "treated", &[]).await;
        suite.clock.set(serve::from_micros(NOW_US + 2_000_000));
        decide(&suite, "treated", &[]).await;
        let held = decide(&suite, "held", &[flow(100)]).await;
        decide(&suite, "held", &[]).await;
        let all = [flow(0), on_flow("exp_all", "*", 100)];
        let emptied = decide(&suite, "emptied", &all).await;
        let sent = exposures(&suite, 4 + 4).await;
        let at = |second: i64| Timestamp { seconds: NOW_US / 1_000_000 + second, nanos: 0 };
        let entry = |experiment: &str, customer: &str, decision: &proto::DecisionRecord| {
            experiment::ExposureEntry {
                experiment_id: experiment.to_owned(),
                customer_id: customer.to_owned(),
                decision_id: decision.decision_id.clone(),
                at: Some(at(2)),
                epoch: 1,
                flow_id: "flow_winback".to_owned(),
                offer_id: "off_apparel".to_owned(),
                category_id: "cat_apparel".to_owned(),
                channel: "ch_email".to_owned(),
                offer_ids: vec!["off_apparel".to_owned()],
                features: features_of_lapsed(),
                ..Default::default()
            }
        };
        let treated_entry =
            experiment::ExposureEntry { at: Some(at(1)), ..entry("exp_flow", "treated", &treated) };
        let held_entry = experiment::ExposureEntry {
            ghost: true,
            emptied_by: "exp_flow".to_owned(),
            ..entry("exp_flow", "held", &held)
        };
        let by_all = |ghost, of: &str| experiment::ExposureEntry {
            ghost,
            emptied_by: "exp_all".to_owned(),
            ..entry(of, "emptied", &emptied)
        };
        let expected =
            [treated_entry, held_entry, by_all(true, "exp_all"), by_all(false, "exp_flow")];
        for wanted in &expected {
            assert_eq!(sent.iter().filter(|it| *it == wanted).count(), 1, "{wanted:?}: {sent:?}");
        }
        assert_eq!(sent.len(), expected.len());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_first_decisions_in_one_batch_one_is_the_exposure() {
    on_both(async |suite| {
        suite.fakes.write_experiment(&holdout(100));
        decide(&suite, "nobody", &[holdout(100)]).await;
        let requests = vec![question("cust_lapsed_1"), question("cust_lapsed_1")];
        let request = proto::RecommendBatchRequest { requests, ..Default::default() };
        suite.decisions.clone().recommend_batch(request).await.unwrap();
        assert_eq!(exposures(&suite, 2).await.len(), 1);
        // Nothing follows: a later message of the same customer comes after all earlier ones.
        let later = super::suite::report("cust_lapsed_1", "click", "k1");
        suite.respond(later).await.unwrap();
        assert_eq!(exposures(&suite, 4).await.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exposure_at_or_after_the_end_is_not_sent_and_arms_bind_on() {
    on_both(async |suite| {
        for customer in ["early", "late"] {
            lapsed(&suite.fakes, customer, "nothing", "2026-07-03");
        }
        let end = NOW_US / 1_000_000 + 10;
        let planned_end = Some(Timestamp { seconds: end, nanos: 0 });
        let ending = experiment::Experiment { planned_end, ..holdout(100) };
        for customer in ["early", "late"] {
            assert!(decide(&suite, customer, std::slice::from_ref(&ending)).await.arm == "holdout");
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        suite.clock.set(serve::from_micros(end * 1_000_000 - 1));
        assert_eq!(decide(&suite, "early", &[]).await.ghost_offers.len(), 1);
        suite.clock.set(serve::from_micros(end * 1_000_000));
        let late = decide(&suite, "late", &[]).await;
        assert_eq!((late.ghost_offers.len(), late.arm.as_str()), (1, "holdout"));
        let bound = decide(&suite, "late", &[concluded(ending, false)]).await;
        assert!(bound.answer.unwrap().control_group, "the holdout binds on");
        suite.respond(super::suite::report("late", "click", "k1")).await.unwrap();
        let sent = exposures(&suite, 2 + 1 + 2).await;
        assert_eq!(sent.iter().map(|it| &*it.customer_id).collect::<Vec<_>>(), ["early"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_ship_decisions_neither_read_nor_draw_arms_and_write_no_exposure() {
    on_both(async |suite| {
        for customer in ["old", "new"] {
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        let before = decide(&suite, "old", &[holdout(100)]).await;
        assert_eq!(before.emptied_by, "exp_1");
        for customer in ["old", "new"] {
            let after = decide(&suite, customer, &[concluded(holdout(100), true)]).await;
            assert_eq!((arms(&after).len(), after.arm.as_str()), (0, ""), "{customer}");
            assert_eq!(after.answer.unwrap().decisions.len(), 1, "{customer}");
        }
        suite.respond(super::suite::report("new", "click", "k1")).await.unwrap();
        assert_eq!(exposures(&suite, 2 + 2).await.len(), 1, "that of the time before");
        // The record of the time before keeps its arm and replays by it.
        let decision_id = before.decision_id;
        let request = proto::ReplayRequest { decision_id, ..Default::default() };
        let replayed = suite.decisions.clone().replay(request).await.unwrap().into_inner();
        assert!(replayed.identical, "{replayed:?}");
    })
    .await;
}

/// Splits 15, 40, 15 %, a new process each time, a conclusion without ship: nobody who has an arm
/// changes it. Then the experiment ships.
#[tokio::test(flavor = "multi_thread")]
async fn no_customer_changes_arms_whatever_becomes_of_the_split_and_the_process() {
    const CUSTOMERS: usize = 450;
    let location = Location::Url(testkit::fresh_database_url().await);
    let (fakes, mut split) = (Fakes::new(), holdout(15));
    let mut first = BTreeMap::new();
    for (step, share) in [None, Some(4_000), Some(1_500), None].into_iter().enumerate() {
        let suite = Suite::start(&location, fakes.clone()).await;
        let epoch = split.epochs.len() as i32 + 1;
        let new = |holdout_basis_points| experiment::SplitEpoch {
            epoch,
            holdout_basis_points,
            since: None,
        };
        split.epochs.extend(share.map(new));
        if step == 3 {
            split = concluded(split, false);
        }
        let revision = suite.fakes.write_experiment(&split);
        // More customers come with each step but the last, when nobody is assigned.
        let seen = CUSTOMERS * (step + 1).min(3) / 3;
        let requests = (0..seen).map(|n| {
            let customer = format!("c{n}");
            lapsed(&fakes, &customer, "apparel", "2026-07-03");
            let min_revision = vec![format!("experiment:{revision}")];
            proto::RecommendRequest { min_revision, ..question(&customer) }
        });
        let requests = requests.collect();
        let request = proto::RecommendBatchRequest { requests, ..Default::default() };
        let answer = suite.decisions.clone().recommend_batch(request).await.unwrap();
        for (n, result) in answer.into_inner().results.into_iter().enumerate() {
            let Some(proto::recommend_result::Outcome::Decision(decision)) = result.outcome else {
                panic!("{result:?}")
            };
            let arm = *first.entry(n).or_insert(decision.control_group);
            assert_eq!(decision.control_group, arm, "customer {n} in step {step}");
        }
    }
    let held_out = first.values().filter(|is_held_out| **is_held_out).count();
    assert!((60..180).contains(&held_out), "{held_out} of {CUSTOMERS}");
    // Everyone is treated from then on.
    let suite = Suite::start(&location, fakes).await;
    for n in 0..20 {
        let after = decide(&suite, &format!("c{n}"), &[concluded(split.clone(), true)]).await;
        assert!(!after.answer.unwrap().control_group, "{n}");
    }
}
