use super::*;

/// Customers of two categories. Contact moves those whose number is above 0, of category `moved`
/// by much, of `calm` not at all.
fn rows(count: usize, calm_every: usize) -> Vec<TrainingRow> {
    let mut state = 5_u64;
    let mut unit = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..count)
        .map(|index| {
            let is_calm = index % calm_every == 0;
            let number = 2.0 * unit() - 1.0;
            let is_treated = unit() < 0.5;
            let lift = if is_treated && !is_calm && number > 0.0 { 0.3 } else { 0.0 };
            let outcome = unit() < 0.2 + lift;
            TrainingRow {
                customer_id: format!("customer-{index}"),
                fold: index % 5,
                arm: if is_treated { Arm::Treatment } else { Arm::Holdout },
                epoch: 1,
                treatment_probability: 0.5,
                gate_probability: 1.0,
                offer_ids: Vec::new(),
                category_id: if is_calm { "calm" } else { "moved" }.to_owned(),
                channel: "email".to_owned(),
                exposed_us: 0,
                outcome,
                value_e4: if outcome { 250_000 } else { 0 },
                is_matured: true,
                is_ghost: !is_treated,
                features: BTreeMap::from([
                    ("number".to_owned(), FeatureValue::Number(number)),
                    ("isNew".to_owned(), FeatureValue::Boolean(index % 3 == 0)),
                    ("zip".to_owned(), FeatureValue::Text(format!("zip {}", index % 4))),
                ]),
            }
        })
        .collect()
}

fn q(learned: &Learned) -> f64 {
    match &learned.outcome {
        Outcome::Model(_, card) | Outcome::NoModel(_, Some(card)) => card.qini.value,
        Outcome::NoModel(why, None) => panic!("{why:?}"),
    }
}

#[test]
fn a_category_with_enough_outcomes_is_learned_by_itself() {
    let rows = rows(6_000, 2);
    let whole = learn(&rows, false, "");
    assert_eq!((whole.category_id.as_str(), &whole.fallback), ("", &None));
    assert!(whole.why().is_empty());
    assert_eq!(whole.counted.treated + whole.counted.held_out, 6_000);
    let moved = learn(&rows, false, "moved");
    assert_eq!((moved.category_id.as_str(), &moved.fallback), ("moved", &None));
    assert_eq!(moved.left_out, BTreeMap::from([(OTHER_CATEGORY, 3_000)]));
    assert!(q(&moved) > q(&whole), "its customers are moved by more");
    let calm = learn(&rows, false, "calm");
    assert_eq!(calm.category_id, "calm");
    assert!(calm.why()[0].starts_with("the effect model ranks no better than chance: have Q"));
}

#[test]
fn a_category_with_too_few_outcomes_is_answered_by_the_whole_experiment() {
    let rows = rows(6_000, 20);
    let learned = learn(&rows, false, "calm");
    assert_eq!((learned.category_id.as_str(), learned.why().len()), ("", 0));
    let fallback = learned.fallback.unwrap();
    assert!(fallback.starts_with("category `calm` has too few outcomes"), "{fallback}");
    assert!(
        fallback.contains(", need 100: it was learned over the whole experiment"),
        "{fallback}"
    );
}

#[test]
fn too_few_outcomes_in_the_smaller_arm_say_how_many_there_are() {
    let rows: Vec<TrainingRow> = rows(900, 2)
        .into_iter()
        .map(|mut row| {
            row.outcome &= row.arm == Arm::Treatment || row.customer_id.ends_with('7');
            row
        })
        .collect();
    let learned = learn(&rows, false, "");
    let have = learned.counted.events_held_out;
    assert!((1..100).contains(&have));
    assert_eq!(
        learned.why(),
        [format!("customers held out with the outcome: have {have}, need 100")]
    );
}

#[test]
fn rows_that_cannot_be_compared_are_counted_and_left_out() {
    let mut rows = rows(6_000, 2);
    rows.iter_mut().take(40).for_each(|row| row.is_matured = false);
    rows.iter_mut().skip(40).take(7).for_each(|row| row.treatment_probability = 1.0);
    let learned = learn(&rows, false, "");
    assert_eq!(learned.left_out, BTreeMap::from([(OPEN, 40), (ONE_ARM, 7)]));
    assert_eq!(learned.counted.treated + learned.counted.held_out, 5_953);
}

/// Customers with a number below 0, whom contact does not move, passed a gate by lot. The card is
/// about all of them, what is learned about those who are there.
#[test]
fn the_card_counts_who_passed_the_gate_by_lot_for_those_who_did_not_and_the_model_does_not() {
    let all = rows(12_000, 1_000);
    let is_below = |row: &TrainingRow| match row.features["number"] {
        FeatureValue::Number(number) => number < 0.0,
        _ => false,
    };
    let mut below = 0;
    let mut passed = all.clone();
    passed.retain(|row| {
        below += usize::from(is_below(row));
        !is_below(row) || below % 5 == 0
    });
    passed.iter_mut().filter(|row| is_below(row)).for_each(|row| row.gate_probability = 0.2);
    let card = |rows: &[TrainingRow]| match learn(rows, false, "").outcome {
        Outcome::Model(model, card) => (*model, *card),
        Outcome::NoModel(why, _) => panic!("{why:?}"),
    };
    let ((_, whole), (model, weighted)) = (card(&all), card(&passed));
    assert!((whole.average.value - 0.15).abs() < 0.02, "{:?}", whole.average);
    let distance = (weighted.average.value - whole.average.value).abs();
    assert!(distance < 3.0 * weighted.average.error, "{:?} {:?}", weighted.average, whole.average);
    assert!(weighted.average.error > 1.2 * whole.average.error, "fewer customers say less");
    assert!(model.average_effect > 0.22, "of six who are left five are moved by .3");
    let mut alike = passed.clone();
    alike.iter_mut().for_each(|row| row.gate_probability = 1.0);
    let (unweighted, unweighted_card) = card(&alike);
    assert_eq!(model, unweighted, "what is learned does not depend on it");
    assert!((unweighted_card.average.value - model.average_effect).abs() < 1e-12);
    assert!(weighted.average.value < 0.22, "{:?}", weighted.average);
}

#[test]
fn revenue_is_learned_in_money() {
    let learned = learn(&rows(6_000, 2), true, "");
    let Outcome::Model(model, card) = learned.outcome else { panic!("{:?}", learned.outcome) };
    assert!(model.in_money && card.response.is_none());
    assert!((card.average.value - 25.0 * 0.075).abs() < 1.0, "{:?}", card.average);
    let best = model.bins.last().unwrap();
    assert_eq!(best.money.unwrap().effect, best.effect);
}

#[test]
fn rows_without_features_say_that_there_are_none() {
    let mut rows = rows(2_000, 2);
    rows.iter_mut().for_each(|row| row.features.clear());
    let why = learn(&rows, false, "").why();
    assert_eq!(why.last().unwrap(), "features recorded with the exposures: have 0, need 1");
    assert!(learn(&[], false, "").why()[0].starts_with("customers of the smallest fold: have 0"));
}

#[test]
fn only_rates_of_one_outcome_and_revenue_can_be_learned() {
    let target = |name: &str| Target::parse(name).map(|it| (it.outcome, it.in_money));
    assert_eq!(target(""), Ok((Some("conversion".to_owned()), false)));
    assert_eq!(target("outcome:visit"), Ok((Some("visit".to_owned()), false)));
    assert_eq!(target("revenue_per_customer"), Ok((None, true)));
    for name in ["count:visit", "rate:conversion/visit"] {
        assert!(target(name).unwrap_err().contains("cannot be learned; it must be"), "{name}");
    }
    assert!(target("nonsense").unwrap_err().contains("is not a metric"));
}
