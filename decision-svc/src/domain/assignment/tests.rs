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

/// Customers of the tests of chance: `PROFFER_TEST_IDS`, of which 1,000,000 are promised, or few.
fn ids() -> impl Iterator<Item = String> {
    let asked = std::env::var("PROFFER_TEST_IDS").ok().and_then(|text| text.parse().ok());
    (0..asked.unwrap_or(50_000)).map(|n: u64| format!("cust_{n}"))
}

/// How far counts are from what is expected of them: the statistic of the chi-square test.
fn chi_square(cells: impl Iterator<Item = (u64, f64)>) -> f64 {
    cells.map(|(found, expected)| (found as f64 - expected).powi(2) / expected).sum()
}

/// 256 cells of equal size: the statistic has 255 degrees of freedom. By chance it lies outside of
/// these bounds once in 10,000 salts, on either side; more even than chance is wrong too.
#[test]
fn draws_are_uniform_by_chi_square() {
    for salt in ["", "winback", "exp_1"] {
        let mut cells = [0; 256];
        ids().for_each(|id| cells[(lot(&[salt, &id]) >> 56) as usize] += 1);
        let expected = ids().count() as f64 / 256.0;
        let found = chi_square(cells.into_iter().map(|count| (count, expected)));
        assert!((178.0..348.0).contains(&found), "`{salt}`: {found}");
    }
}

/// Cells of the draws of two salts, 16 by 16, against the products of their margins: 225 degrees of
/// freedom, bounds as above.
fn joint(one: &str, other: &str) -> f64 {
    let mut cells = [[0; 16]; 16];
    let cell = |salt: &str, id: &str| (lot(&[salt, id]) >> 60) as usize;
    ids().for_each(|id| cells[cell(one, &id)][cell(other, &id)] += 1);
    let (total, rows) = (ids().count() as f64, cells.map(|row| row.iter().sum::<u64>()));
    let columns = std::array::from_fn::<u64, 16, _>(|at| cells.iter().map(|row| row[at]).sum());
    let places = (0..256).map(|place| (place / 16, place % 16));
    chi_square(places.map(|(row, column)| {
        (cells[row][column], rows[row] as f64 * columns[column] as f64 / total)
    }))
}

/// Customers held out of one experiment are as likely as others to be held out of another.
#[test]
fn two_experiments_draw_independently_of_each_other() {
    for (one, other) in [("winback", "exp_1"), ("exp_1", "exp_2"), ("a", "aa")] {
        let found = joint(one, other);
        assert!((153.0..313.0).contains(&found), "`{one}` and `{other}`: {found}");
        let held = |salt: &str, share: u32| -> Vec<bool> {
            ids().map(|id| is_held_out(salt, &id, share)).collect()
        };
        let (one, other) = (held(one, 1_500), held(other, 3_000));
        let both = one.iter().zip(&other).filter(|(one, other)| **one && **other).count();
        let expected = one.len() as f64 * 0.15 * 0.3;
        let deviation = (both as f64 - expected) / (expected * (1.0 - 0.15 * 0.3)).sqrt();
        assert!(deviation.abs() < 4.0, "{both} in both, {expected} expected");
    }
    // A shared salt would be found.
    assert!(joint("winback", "winback") > 100_000.0);
}

proptest::proptest! {
    /// Splits change, experiments on the flow and on every flow begin and end, processes forget all
    /// but what is stored: a stored arm stays, and is stored once.
    #[test]
    fn no_history_of_changes_moves_a_customer(
        steps in proptest::collection::vec((0_usize..3, 0_u32..=100, 0_u8..5), 1..12),
    ) {
        let all = [("a", "f"), ("b", "f"), ("z", "*")];
        let mut all = all.map(|(id, flow)| experiment(id, flow, 50));
        let mut arms: Vec<(String, Vec<Arm>)> =
            (0..20).map(|n| (format!("c{n}"), Vec::new())).collect();
        for (which, percent, change) in steps {
            let changed = &mut all[which];
            match change {
                0 => changed.is_running = false,
                1 => changed.is_running = true,
                _ => {
                    let epoch = changed.splits.len() as i32 + 1;
                    changed.splits.push(Split { epoch, holdout_basis_points: percent * 100 });
                }
            }
            let found = all.iter().map(|it| (it.id.clone(), it.clone())).collect();
            let found = Experiments { revision: 1, experiments: found, ..Experiments::default() };
            for (customer, stored) in &mut arms {
                let draw = (Draw::Missing, at(150));
                let bound = binding_arms(&found, ("f", "f"), stored, customer, draw);
                for BindingArm { arm, is_new, .. } in bound {
                    let before = stored.iter().find(|it| it.experiment_id == arm.experiment_id);
                    proptest::prop_assert_eq!(is_new, before.is_none());
                    match before {
                        Some(before) => proptest::prop_assert_eq!(&arm, before),
                        None => stored.push(arm),
                    }
                }
            }
        }
    }
}
