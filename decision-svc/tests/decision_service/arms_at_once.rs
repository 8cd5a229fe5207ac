//! Many callers at once are the first to ask about a customer, while the split changes.

use database::Location;
use proffer_proto::{
    decision::v1 as proto,
    experiment::v1::{self as experiment, Arm},
};

use super::{
    arms::decide,
    neighbours::Fakes,
    suite::{Suite, holdout, lapsed, question},
};

/// Callers of one customer.
const CALLERS: usize = 64;
const CUSTOMERS: usize = 6;

/// The arms of a record: held out, and the split.
fn arms(record: &proto::DecisionRecord) -> Vec<(bool, i32)> {
    record.arms.iter().map(|it| (it.arm() == Arm::Holdout, it.epoch)).collect()
}

/// What a caller got: held out, and the arms of the record.
async fn asked(suite: &Suite, customer: &str) -> (bool, Vec<(bool, i32)>) {
    let decision = suite.recommend(question(customer)).await.unwrap();
    let request = proto::GetDecisionRequest {
        decision_id: decision.decision_id.unwrap(),
        ..Default::default()
    };
    let found = suite.decisions.clone().get_decision(request).await.unwrap().into_inner();
    (decision.control_group, arms(&found.decision.unwrap()))
}

/// One replica knows the split that treats everybody, the other one already that which treats
/// nobody. Each would draw its own arm, as the first two customers show.
#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_first_callers_on_two_replicas_all_get_one_arm_while_the_split_changes() {
    let location = Location::Url(testkit::fresh_database_url().await);
    let (old, mut new) = (holdout(0), holdout(0));
    let holdout_basis_points = 10_000;
    new.epochs.push(experiment::SplitEpoch { epoch: 2, holdout_basis_points, since: None });
    let replicas =
        [Suite::start(&location, Fakes::new()).await, Suite::start(&location, Fakes::new()).await];
    let customers: Vec<_> = (0..CUSTOMERS).map(|number| format!("c{number}")).collect();
    for replica in &replicas {
        for customer in customers.iter().map(String::as_str).chain(["first", "second"]) {
            lapsed(&replica.fakes, customer, "apparel", "2026-07-03");
        }
        replica.fakes.write_experiment(&old);
    }
    let alone = [
        decide(&replicas[0], "first", std::slice::from_ref(&old)).await,
        decide(&replicas[1], "second", std::slice::from_ref(&new)).await,
    ];
    assert_eq!(alone.each_ref().map(arms), [[(false, 1)], [(true, 2)]]);
    for customer in &customers {
        let calls = (0..CALLERS).map(|caller| asked(&replicas[caller % 2], customer));
        let answers = futures::future::join_all(calls).await;
        let is_held_out = answers[0].0;
        let arm = (is_held_out, if is_held_out { 2 } else { 1 });
        for (caller, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer, (is_held_out, vec![arm]), "{customer}, caller {caller}");
        }
    }
}
