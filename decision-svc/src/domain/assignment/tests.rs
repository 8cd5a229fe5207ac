//! Tests of the hash that draws an arm, and of which arms apply to a decision.

use super::*;
use crate::domain::snapshot::Split;

/// The vectors other languages check themselves against.
const VECTORS: &str = include_str!("../../../../proto/vectors/assignment.csv");

#[test]
fn published_vectors_hold() {
    let mut rows = 0;
    for line in VECTORS.lines().skip(1).filter(|line| !line.is_empty()) {
        let cells: Vec<_> = line.split(',').collect();
        let [salt, customer, basis_points, expected] = cells[..] else { panic!("{line}") };
        assert_eq!(
            is_held_out(salt, customer, basis_points.parse().unwrap()),
            expected == "true",
            "{line}"
        );
        rows += 1;
    }
    assert!(rows >= 20);
}

#[test]
fn nobody_and_everybody_are_exact() {
    for n in 0..1000 {
        assert!(!is_held_out("s", &n.to_string(), 0));
        assert!(is_held_out("s", &n.to_string(), 10_000));
    }
}

/// 100,000 ids at 15 %: five standard deviations are 565.
#[test]
fn the_share_is_what_was_asked_for() {
    let held_out =
        (0..100_000).filter(|n| is_held_out("winback", &format!("cust_{n}"), 1_500)).count();
    assert!(held_out.abs_diff(15_000) < 565, "{held_out}");
}

/// Growing the holdout moves customers only from treatment to holdout.
#[test]
fn a_larger_holdout_keeps_those_it_had() {
    for n in 0..10_000 {
        let id = n.to_string();
        assert!(!is_held_out("s", &id, 1_500) || is_held_out("s", &id, 2_000));
    }
}

/// An experiment that holds out this share, in percent, open from second 100 to second 200.
fn experiment(id: &str, flow: &str, percent: u32) -> Experiment {
    Experiment {
        id: id.to_owned(),
        flow: flow.to_owned(),
        salt: id.to_owned(),
        splits: vec![Split { epoch: 1, holdout_basis_points: percent * 100 }],
        starts_at: at(100),
        planned_end: at(200),
        is_running: true,
        is_binding: true,
    }
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(second, 0).unwrap()
}

fn stored(experiment_id: &str, is_holdout: bool) -> Arm {
    let experiment_id = experiment_id.to_owned();
    Arm { experiment_id, is_holdout, epoch: 1, assigned_us: 1, exposed_us: None }
}

/// What binds a decision of flow `f` at second 150: arms as `id arm`, drawn ones with a star.
fn bound(experiments: &[Experiment], stored: &[Arm]) -> Vec<String> {
    bound_at(experiments, stored, 150)
}

fn bound_at(experiments: &[Experiment], stored: &[Arm], second: i64) -> Vec<String> {
    let experiments = experiments.iter().map(|it| (it.id.clone(), it.clone())).collect();
    let experiments = Experiments { revision: 1, experiments, ..Experiments::default() };
    let arms = binding_arms(&experiments, ("f", "Flow"), stored, "c", (Draw::Missing, at(second)));
    let shown = |it: &BindingArm| {
        let arm = if it.arm.is_holdout { "holdout" } else { "treatment" };
        let drawn = if it.is_new { "*" } else { "" };
        let counts = if it.is_counting { "" } else { " closed" };
        format!("{} {arm}{drawn}{counts}", it.arm.experiment_id)
    };
    arms.iter().map(shown).collect()
}

#[test]
fn nobody_is_assigned_while_another_experiment_on_the_flow_holds_them_out() {
    let old = Experiment { is_running: false, ..experiment("a", "f", 50) };
    let new = experiment("b", "Flow", 0);
    let both = [old.clone(), new.clone()];
    assert_eq!(bound(&both, &[stored("a", true)]), ["a holdout closed"]);
    assert_eq!(bound(&both, &[stored("a", false)]), ["a treatment closed", "b treatment*"]);
    assert_eq!(bound(&both, &[]), ["b treatment*"]);
    // An arm that was drawn before stays, and so does one on another flow.
    let arms = [stored("a", true), stored("b", false)];
    assert_eq!(bound(&both, &arms), ["a holdout closed", "b treatment"]);
    let elsewhere = Experiment { flow: "g".to_owned(), ..old };
    assert_eq!(bound(&[elsewhere, new], &[stored("a", true)]), ["b treatment*"]);
}

#[test]
fn a_universal_holdout_comes_first_and_leaves_the_flows_experiment_its_assignments() {
    let of_flow = experiment("a", "f", 0);
    let all = experiment("z", "*", 100);
    let both = [of_flow, all];
    assert_eq!(bound(&both, &[]), ["z holdout*", "a treatment*"]);
    assert_eq!(bound(&both, &[stored("a", true)]), ["z holdout*", "a holdout"]);
    assert_eq!(bound(&both, &[stored("z", false)]), ["z treatment", "a treatment*"]);
    // A universal holdout assigns no customer whom an earlier one still holds out.
    let next = experiment("y", "*", 0);
    let ended = Experiment { is_running: false, ..experiment("z", "*", 100) };
    assert_eq!(bound(&[next, ended], &[stored("z", true)]), ["z holdout closed"]);
}

#[test]
fn arms_are_drawn_and_exposures_counted_from_the_start_to_the_planned_end() {
    let all = [experiment("a", "f", 100)];
    assert_eq!(bound_at(&all, &[], 99), [""; 0]);
    assert_eq!(bound_at(&all, &[], 100), ["a holdout*"]);
    assert_eq!(bound_at(&all, &[], 199), ["a holdout*"]);
    assert_eq!(bound_at(&all, &[], 200), [""; 0]);
    assert_eq!(bound_at(&all, &[stored("a", true)], 199), ["a holdout"]);
    assert_eq!(bound_at(&all, &[stored("a", true)], 200), ["a holdout closed"]);
    let shipped = [Experiment { is_binding: false, ..experiment("a", "f", 100) }];
    assert_eq!(bound_at(&shipped, &[stored("a", true)], 150), [""; 0]);
}

/// A larger or smaller holdout moves only those without an arm, and their arms name their split.
#[test]
fn a_changed_split_moves_nobody_who_has_an_arm() {
    let splits = |shares: &[u32]| {
        let split = |(epoch, share): (i32, &u32)| Split { epoch, holdout_basis_points: *share };
        let splits = (1..).zip(shares).map(split).collect();
        let experiment = Experiment { splits, ..experiment("a", "f", 0) };
        let experiments = [("a".to_owned(), experiment)].into_iter().collect();
        Experiments { revision: 1, experiments, ..Experiments::default() }
    };
    let draw = |experiments: &Experiments, stored: &[Arm], customer: &str| {
        binding_arms(experiments, ("f", "f"), stored, customer, (Draw::Missing, at(150)))
    };
    let (mut moved, changes) = (0, [&[1_500][..], &[1_500, 4_000], &[1_500, 4_000, 1_500]]);
    for n in 0..2_000 {
        let customer = format!("c{n}");
        let first = draw(&splits(changes[0]), &[], &customer).remove(0);
        assert_eq!((first.arm.epoch, first.holdout_basis_points), (1, Some(1_500)));
        let again = draw(&splits(changes[1]), std::slice::from_ref(&first.arm), &customer);
        assert_eq!(again, [BindingArm { is_new: false, ..first.clone() }]);
        let fresh = draw(&splits(changes[1]), &[], &customer).remove(0);
        assert_eq!((fresh.arm.epoch, fresh.holdout_basis_points), (2, Some(4_000)));
        moved += usize::from(fresh.arm.is_holdout != first.arm.is_holdout);
        let last = draw(&splits(changes[2]), std::slice::from_ref(&fresh.arm), &customer);
        assert_eq!(last, [BindingArm { is_new: false, ..fresh }]);
    }
    assert!(moved > 400, "the split divides others: {moved}");
}
