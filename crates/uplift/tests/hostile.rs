//! Whatever the rows are: a finite model, or none and why. Never a panic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod samples;

use samples::Random;
use uplift::fit::{Outcome, Row, Settings, Why, fit};

/// Units whose effect rises with the first number.
fn rows(count: usize, mut change: impl FnMut(usize, &mut Row)) -> Vec<Row> {
    let mut random = Random(11);
    (0..count)
        .map(|index| {
            let vector = vec![random.normal(), random.normal()];
            let is_treated = random.is(0.5);
            let lift = if is_treated { vector[0] } else { 0.0 };
            let is_positive = random.is(uplift::predict::logistic(-1.0 + lift));
            let value = if is_positive { 20.0 } else { 0.0 };
            let fold = index % 5;
            let (probability, selection) = (0.5, 1.0);
            let mut row =
                Row { vector, fold, is_treated, probability, selection, is_positive, value };
            change(index, &mut row);
            row
        })
        .collect()
}

const BOTH: [bool; 2] = [false, true];

/// The reasons, if there is no model; a model must be finite wherever it is asked.
fn outcome(rows: &[Row], settings: Settings) -> Option<Vec<Why>> {
    match fit(rows, settings) {
        Outcome::NoModel(why, _) => {
            assert!(!why.is_empty());
            why.iter().for_each(|why| assert!(!why.to_string().contains("NaN"), "{why}"));
            Some(why)
        }
        Outcome::Model(model, card) => {
            for row in rows {
                let found = model.predict(row.fold, &row.vector).unwrap();
                let all = [found.baseline, found.effect, found.bin.effect, found.bin.error];
                assert!(all.iter().all(|number| number.is_finite()), "{found:?}");
            }
            assert!(card.qini.value.is_finite() && card.autoc.error.is_finite());
            None
        }
    }
}

fn both(rows: &[Row]) -> Vec<Option<Vec<Why>>> {
    let ungated = |in_money| Settings { in_money, is_gated: false, events_min: 1 };
    BOTH.map(|in_money| outcome(rows, ungated(in_money))).to_vec()
}

fn too_few(why: &Option<Vec<Why>>, expected: &str) {
    let why = why.as_ref().unwrap_or_else(|| panic!("{expected}: a model"));
    let found = why.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(found.iter().any(|found| found == expected), "{found:?}");
}

#[test]
fn rows_that_are_as_they_should_be_give_a_model() {
    assert_eq!(outcome(&rows(6_000, |_, _| {}), Settings::default()), None);
}

#[test]
fn too_few_rows_or_outcomes_say_what_there_is_and_what_is_needed() {
    for why in both(&[]) {
        too_few(&why, "customers of the smallest fold: have 0, need 20");
    }
    for why in both(&rows(9, |_, _| {})) {
        too_few(&why, "customers of the smallest fold: have 1, need 20");
    }
    for why in both(&rows(500, |_, row| row.is_treated = true)) {
        too_few(&why, "customers held out: have 0, need 5");
    }
    let none = rows(500, |_, row| {
        row.is_positive &= row.is_treated;
        row.value *= f64::from(u8::from(row.is_treated));
    });
    for why in both(&none) {
        too_few(&why, "customers held out with the outcome: have 0, need 1");
    }
    let all = rows(300, |_, _| {});
    let held_out = all.iter().filter(|row| !row.is_treated && row.is_positive).count();
    let why = outcome(&all, Settings::default());
    too_few(&why, &format!("customers held out with the outcome: have {held_out}, need 100"));
}

#[test]
fn numbers_that_are_none_are_counted_and_refused() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let changed: [&dyn Fn(&mut Row); 3] =
            [&|row| row.vector[1] = number, &|row| row.value = number, &|row| {
                row.probability = number
            }];
        for change in changed {
            let rows = rows(600, |index, row| {
                if index == 7 {
                    change(row)
                }
            });
            for why in both(&rows) {
                assert_eq!(why, Some(vec![Why::NotUsable { rows: 1 }]), "{number}");
            }
        }
    }
    for probability in [0.0, 1.0] {
        let rows = rows(600, |_, row| row.probability = probability);
        assert_eq!(both(&rows)[0], Some(vec![Why::NotUsable { rows: 600 }]));
    }
}

#[test]
fn huge_numbers_give_a_finite_model_or_a_reason() {
    for size in [1e2, 1e10, 1e100, 1e300] {
        both(&rows(600, |_, row| row.vector[1] *= size));
        both(&rows(600, |_, row| row.value *= size));
        both(&rows(600, |index, row| row.value = if index == 3 { size } else { row.value }));
    }
    both(&rows(600, |_, row| row.probability = if row.is_treated { 1e-300 } else { 0.5 }));
    both(&rows(600, |index, row| row.vector[1] = if index == 3 { 1e3 } else { 0.0 }));
}

#[test]
fn columns_that_say_nothing_rank_nobody() {
    let same = rows(600, |_, row| row.vector = vec![0.0, 0.0]);
    let none = rows(600, |_, row| row.vector = Vec::new());
    for rows in [same, none] {
        both(&rows);
        for in_money in BOTH {
            let gated = Settings { in_money, is_gated: true, events_min: 1 };
            assert!(outcome(&rows, gated).is_some(), "nothing tells one from another");
        }
    }
}

#[test]
fn columns_that_say_the_same_do_not_stop_the_regression() {
    let twice = rows(600, |_, row| row.vector[1] = row.vector[0]);
    assert_eq!(both(&twice), [None, None]);
}

#[test]
fn perfect_separation_gives_a_finite_model_or_a_reason() {
    both(&rows(600, |_, row| row.is_positive = row.vector[0] > 0.0));
    both(&rows(600, |_, row| row.is_positive = row.is_treated && row.vector[0] > 0.0));
    both(&rows(600, |index, row| {
        row.is_positive = row.is_treated || index < 10;
        row.value = f64::from(u8::from(row.is_positive));
    }));
}

#[test]
fn everyone_with_the_outcome_gives_a_reason() {
    let all = rows(600, |_, row| {
        row.is_positive = true;
        row.value = 1.0;
    });
    let ungated = Settings { is_gated: false, events_min: 1, in_money: false };
    assert_eq!(outcome(&all, ungated), Some(vec![Why::NotSolved]));
    both(&all);
}

#[test]
fn vectors_of_different_widths_give_a_reason() {
    let ragged = rows(600, |index, row| {
        if index % 2 == 0 {
            row.vector.pop();
        }
    });
    assert!(both(&ragged).iter().all(Option::is_some));
}
