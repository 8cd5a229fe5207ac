//! Which outcomes, exposures and customers count, and when.

use super::*;
use crate::domain::measure::Metric;

const DAY: i64 = 24 * HOUR_US;

fn plan(names: &[&str]) -> Plan {
    Plan {
        id: "exp_a".to_owned(),
        metrics: names.iter().map(|name| Metric::parse(name).unwrap()).collect(),
        window_us: None,
        end_us: 90 * DAY,
        cut_us: None,
        look_back_us: None,
        imported: None,
        is_universal: false,
        is_external: false,
    }
}

fn sale(value: i64, occurred_us: i64) -> Outcome {
    Outcome {
        key: "conversion".to_owned(),
        is_positive: true,
        value_e4: Some(value),
        occurred_us,
        received_us: occurred_us,
    }
}

fn facts(outcomes: &[Outcome]) -> Facts<'_> {
    Facts {
        arm: Arm::Treatment,
        epoch: 1,
        assigned_us: DAY,
        exposure: None,
        outcomes,
        imported_e4: None,
    }
}

fn exposed(at_us: i64, emptied_by: &str) -> Option<FirstExposure<'_>> {
    Some(FirstExposure { at_us, emptied_by })
}

fn revenue(windowed: &Windowed) -> i128 {
    windowed.figures[0].value
}

#[test]
fn a_window_counts_from_its_first_instant_to_before_its_last() {
    let windowed = Plan { window_us: Some(7 * DAY), ..plan(&["revenue_per_customer"]) };
    let outcomes = [sale(1, DAY - 1), sale(10, DAY), sale(100, 8 * DAY - 1), sale(1_000, 8 * DAY)];
    let tally = windowed.tally(&facts(&outcomes));
    assert_eq!((revenue(&tally.assigned), tally.assigned.hour), (110, 8 * 24));
    let exposure = exposed(8 * DAY, "");
    let tally = windowed.tally(&Facts { exposure, ..facts(&outcomes) });
    let matched = tally.matched.unwrap();
    assert_eq!((revenue(&matched), matched.hour), (1_000, 15 * 24));
}

#[test]
fn a_window_runs_on_past_the_planned_end_and_without_one_the_end_is_for_all() {
    let late = facts(&[]).assigned_us + 89 * DAY - 1;
    let outcomes = [sale(5, late + DAY), sale(7, late + 6 * DAY)];
    let at = Facts { assigned_us: late, ..facts(&outcomes) };
    let windowed = Plan { window_us: Some(7 * DAY), ..plan(&["revenue_per_customer"]) };
    assert_eq!(revenue(&windowed.tally(&at).assigned), 12);
    let tally = plan(&["revenue_per_customer"]).tally(&at);
    assert_eq!((revenue(&tally.assigned), tally.assigned.hour), (0, ALWAYS));
}

#[test]
fn an_hour_closes_with_the_last_window_in_it() {
    let windowed = Plan { window_us: Some(DAY), ..plan(&["conversion_rate"]) };
    let hour = |assigned_us| windowed.tally(&Facts { assigned_us, ..facts(&[]) }).assigned.hour;
    assert_eq!([hour(0), hour(1), hour(HOUR_US), hour(HOUR_US + 1)], [24, 25, 25, 26]);
}

#[test]
fn what_arrives_a_week_after_the_windows_end_never_counts() {
    let late = |received_us| Outcome { received_us, ..sale(3, 2 * DAY) };
    let outcomes = [late(15 * DAY), late(15 * DAY + 1)];
    let windowed = Plan { window_us: Some(7 * DAY), ..plan(&["revenue_per_customer"]) };
    assert_eq!(revenue(&windowed.tally(&facts(&outcomes)).assigned), 3);
    let external = Plan { is_external: true, ..windowed };
    assert_eq!(revenue(&external.tally(&facts(&outcomes)).assigned), 6);
}

#[test]
fn a_conclusion_leaves_out_the_windows_that_are_open() {
    let cut = |cut_us| Plan {
        window_us: Some(7 * DAY),
        cut_us: Some(cut_us),
        ..plan(&["revenue_per_customer"])
    };
    let outcomes = [sale(5, 2 * DAY)];
    assert_eq!(cut(8 * DAY).tally(&facts(&outcomes)).assigned.hour, 8 * 24);
    assert_eq!(cut(8 * DAY - 1).tally(&facts(&outcomes)).assigned.hour, NEVER);
    let at_once = Plan { cut_us: Some(2 * DAY), ..plan(&["revenue_per_customer"]) };
    assert_eq!(revenue(&at_once.tally(&facts(&outcomes)).assigned), 0);
}

#[test]
fn an_exposure_counts_before_the_planned_end_and_before_the_conclusion() {
    let is_matched = |plan: &Plan, at_us| {
        let exposure = exposed(at_us, "");
        plan.tally(&Facts { exposure, ..facts(&[]) }).matched.is_some()
    };
    let open = plan(&["conversion_rate"]);
    assert_eq!([is_matched(&open, 90 * DAY - 1), is_matched(&open, 90 * DAY)], [true, false]);
    let cut = Plan { cut_us: Some(5 * DAY), ..open };
    assert_eq!([is_matched(&cut, 5 * DAY - 1), is_matched(&cut, 5 * DAY)], [true, false]);
}

#[test]
fn whom_the_universal_holdout_emptied_is_matched_in_neither_arm() {
    let of = |plan: &Plan, arm, emptied_by| {
        let tally =
            plan.tally(&Facts { arm, exposure: exposed(2 * DAY, emptied_by), ..facts(&[]) });
        (tally.matched.is_some(), tally.is_emptied)
    };
    let own = plan(&["conversion_rate"]);
    for arm in [Arm::Treatment, Arm::Holdout] {
        assert_eq!(of(&own, arm, "exp_every"), (false, true));
    }
    assert_eq!(of(&own, Arm::Holdout, "exp_a"), (true, false));
    assert_eq!(of(&own, Arm::Treatment, ""), (true, false));
    let universal = Plan { id: "exp_every".to_owned(), is_universal: true, ..own };
    for emptied_by in ["exp_a", "exp_every", ""] {
        assert_eq!(of(&universal, Arm::Treatment, emptied_by), (true, false));
    }
}

#[test]
fn the_covariate_is_the_revenue_before_the_arm() {
    let looking = Plan { look_back_us: Some(DAY), ..plan(&["revenue_per_customer"]) };
    let outcomes = [sale(1, -1), sale(10, 0), sale(100, DAY - 1), sale(1_000, DAY)];
    let tally = looking.tally(&facts(&outcomes));
    assert_eq!((tally.covariate, tally.assigned.figures[0].paired), (110, 110));
    let imported = Facts { imported_e4: Some(-7), ..facts(&outcomes) };
    assert_eq!(plan(&["conversion_rate"]).tally(&imported).covariate, -7);
}

#[test]
fn a_refund_is_neither_a_buyer_nor_a_conversion_and_lowers_revenue() {
    let names = ["conversion_rate", "revenue_per_customer", "count:conversion"];
    let refund = Outcome { is_positive: false, ..sale(-4, 2 * DAY) };
    let none = Outcome { value_e4: None, ..sale(0, 2 * DAY) };
    let values = |outcomes: &[Outcome]| {
        let figures = plan(&names).tally(&facts(outcomes)).assigned.figures;
        let values: Vec<_> = figures.iter().map(|figure| figure.value).collect();
        (values, figures[0].is_buyer)
    };
    assert_eq!(values(std::slice::from_ref(&refund)), (vec![0, -4, 0], false));
    assert_eq!(values(&[sale(0, 2 * DAY)]), (vec![0, 0, 0], false));
    assert_eq!(values(&[none]), (vec![1, 0, 1], false));
    assert_eq!(values(&[sale(9, 2 * DAY), refund]), (vec![1, 5, 1], true));
}

#[test]
fn a_plan_and_a_tally_are_read_back_as_they_were() {
    let outcomes = [sale(1, 2 * DAY), sale(-9, 3 * DAY)];
    let rich = Plan {
        window_us: Some(7 * DAY),
        cut_us: Some(80 * DAY),
        look_back_us: Some(3 * DAY),
        is_universal: true,
        ..plan(&["revenue_per_customer", "rate:conversion/visit"])
    };
    let imported = Plan {
        imported: Some("last spend".to_owned()),
        is_external: true,
        ..plan(&["conversion_rate"])
    };
    for plan in [rich, imported] {
        assert_eq!(Plan::read(&plan.text()).as_ref(), Some(&plan));
        for exposure in [None, exposed(2 * DAY, "")] {
            let tally = plan.tally(&Facts { exposure, ..facts(&outcomes) });
            assert_eq!(Tally::read(&tally.text()), Some(tally));
        }
    }
    for wrong in ["", "0", "2 1 0 0\n0", "0 1 0 0\n0 1", "0 1 0 0\n0\n0\n"] {
        assert_eq!(Tally::read(wrong), None, "{wrong}");
    }
    let other = plan(&["conversion_rate"]).text().replacen(&RULES.to_string(), "0", 1);
    assert_eq!(Plan::read(&other), None);
}

#[test]
fn a_plan_closes_a_week_after_its_last_window() {
    let open = plan(&["conversion_rate"]);
    assert_eq!(open.closed_us(), Some(97 * DAY));
    let windowed = Plan { window_us: Some(DAY), ..open };
    assert_eq!(windowed.closed_us(), Some(98 * DAY));
    assert_eq!(Plan { cut_us: Some(3 * DAY), ..windowed.clone() }.closed_us(), Some(10 * DAY));
    assert_eq!(Plan { is_external: true, ..windowed.clone() }.closed_us(), None);
    assert_eq!(Plan { end_us: 0, ..windowed }.closed_us(), None);
}
