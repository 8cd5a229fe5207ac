//! Hillstrom's e-mail experiment: what is known of it must come out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod samples;

use samples::{Target, hillstrom};
use uplift::{
    Segment,
    fit::{Card, Figure, Outcome, Row, Settings, Why, fit},
    fold_of,
};

const WOMENS: &str = "Womens E-Mail";
const MENS: &str = "Mens E-Mail";

fn everyone(_: bool, _: usize) -> bool {
    true
}

fn model(rows: &[Row]) -> (uplift::Model, Card) {
    match fit(rows, Settings::default()) {
        Outcome::Model(model, card) => (*model, *card),
        Outcome::NoModel(why, _) => panic!("no model: {why:?}"),
    }
}

fn no_model(rows: &[Row], settings: Settings) -> (Vec<Why>, Card) {
    match fit(rows, settings) {
        Outcome::Model(_, card) => panic!("a model: Q {:?}", card.qini),
        Outcome::NoModel(why, card) => (why, *card.unwrap()),
    }
}

fn errors(figure: Figure) -> f64 {
    figure.value / figure.error
}

#[test]
fn womens_mail_moves_visits_and_the_effect_ranking_beats_the_propensity_ranking() {
    let rows = hillstrom(WOMENS, Target::Visit, everyone);
    assert_eq!(rows.len(), 42_693);
    let (model, card) = model(&rows);
    println!("{card:#?}");
    assert!((card.qini.value - 0.006_88).abs() <= 0.000_1, "{:?}", card.qini);
    assert!(errors(card.qini) >= 5.0, "{:?}", card.qini);
    assert!(errors(card.qini_gain) >= 2.0, "{:?}", card.qini_gain);
    assert!((card.qini_by_propensity.value - 0.004_46).abs() <= 0.000_1);
    assert!((card.slope.unwrap().value - 0.81).abs() < 0.03, "{:?}", card.slope);
    assert!(card.response.unwrap().auc >= 0.62, "{:?}", card.response);
    assert!(errors(card.autoc) > 3.0, "{:?}", card.autoc);
    assert!((card.average.value - 0.045_4).abs() < 0.002, "{:?}", card.average);
    assert_eq!(model.bins.len(), 10);
    assert!(model.bins.iter().all(|bin| (4_200..4_400).contains(&bin.units)));
    let [worst, best] = [0, 9].map(|at| &model.bins[at]);
    assert!(best.effect > worst.effect + 0.03, "{worst:?} {best:?}");
    assert!(best.interval[0] > 0.0 && best.helps > 0.999, "{best:?}");
    assert!(best.money.unwrap().error > 0.0);
    let persuadable = rows.iter().filter(|row| {
        model.predict(row.fold, &row.vector).unwrap().segment == Segment::Persuadable
    });
    assert!(persuadable.count() > 10_000);
}

#[test]
fn folds_by_the_hash_of_the_customer_find_the_same() {
    let mut rows = hillstrom(WOMENS, Target::Visit, everyone);
    let number = |(index, row): (usize, &mut Row)| row.fold = fold_of(&format!("customer-{index}"));
    rows.iter_mut().enumerate().for_each(number);
    let (_, card) = model(&rows);
    assert!(errors(card.qini) >= 5.0, "{:?}", card.qini);
}

/// 8,500 treated and 1,500 held out: the first of each arm in the file.
#[test]
fn ten_thousand_customers_at_eighty_five_to_fifteen_are_enough_to_rank() {
    let share = |is_treated: bool, before| before < if is_treated { 8_500 } else { 1_500 };
    let rows = hillstrom(WOMENS, Target::Visit, share);
    assert_eq!(rows.len(), 10_000);
    assert_eq!(rows[0].probability, 0.85);
    let (_, card) = model(&rows);
    println!("{:?} {:?}", card.qini, card.slope);
    assert!(errors(card.qini) >= 2.0, "{:?}", card.qini);
}

#[test]
fn mens_mail_has_no_effect_model_that_ranks_better_than_chance() {
    let rows = hillstrom(MENS, Target::Visit, everyone);
    let (why, card) = no_model(&rows, Settings::default());
    println!("{:?} {:?} {:?}", card.qini, card.qini_by_propensity, card.slope);
    assert!(errors(card.qini) < 2.0, "{:?}", card.qini);
    // Effects do vary: it is the ranking that is missing.
    assert!(card.slope.unwrap().p < 0.05, "{:?}", card.slope);
    let [Why::DoesNotRank(_)] = why[..] else { panic!("{why:?}") };
    assert!(why[0].to_string().starts_with("the effect model ranks no better than chance: have"));
    assert!((card.qini_by_propensity.value - 0.003_5).abs() < 0.000_3);
    assert!(errors(card.qini_by_propensity) > 3.0, "{:?}", card.qini_by_propensity);
}

#[test]
fn conversion_and_spend_are_shown_with_their_error_and_nobody_gets_a_label() {
    for (target, in_money) in [(Target::Conversion, false), (Target::Spend, true)] {
        let rows = hillstrom(WOMENS, target, everyone);
        let (why, card) = no_model(&rows, Settings { in_money, ..Settings::default() });
        println!("{why:?} {:?} {:?} {:?}", card.qini, card.autoc, card.slope);
        assert!(card.qini.error > 0.0 && card.autoc.error > 0.0);
        assert!(errors(card.qini) < 2.2, "{:?}", card.qini);
        assert!(!why.is_empty());
        assert_eq!(card.response.is_none(), in_money);
        assert!(card.average_money.unwrap().error > 0.0);
    }
}
