//! What of a read-out is printed, and what is not.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::{
    analysis::{Arm, Counts, Design, Figure, Population, Recomputed, read_out},
    experiment::{Experiment, ExperimentDraft, SplitEpoch},
};

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::days(day)
}

/// Ran for 90 days with these splits.
fn design(splits: &[u32]) -> Design {
    let draft = ExperimentDraft {
        flow: "winback".to_owned(),
        holdout_percentage: Some(15.0),
        starts_at: Some(at(0)),
        ..Default::default()
    };
    let epoch = |(epoch, split): (i32, &u32)| SplitEpoch {
        epoch,
        holdout_basis_points: *split,
        since: at(0),
    };
    Design {
        epochs: (1..).zip(splits).map(epoch).collect(),
        ..Design::of(&Experiment::create(draft, "salt", at(0)).unwrap())
    }
}

fn conversions() -> Counts {
    Counts::new(Metric::parse("conversion_rate").unwrap())
}

/// So many customers, of whom the first some convert.
fn add(counts: &mut Counts, population: Population, place: (i32, Arm), (events, n): (u64, u64)) {
    for number in 0..n {
        let value = i128::from(number < events);
        let sample = Figure { value, is_buyer: false, paired: 0 }.into();
        counts.add_sample(population, place.0, place.1, &sample);
    }
}

fn printed(design: &Design, counts: &Counts, more: &More, breakdown: &str) -> proto::Results {
    results(read_out(design, counts, more, at(95)), more, breakdown)
}

/// Half of the treated were reached and all of the held out: what those did is not shown, so that
/// nobody can subtract it.
#[test]
fn a_mismatch_over_the_matched_leaves_their_numbers_and_nothing_to_subtract() {
    let mut counts = conversions();
    let both = [Population::Assigned, Population::Matched];
    for (population, treated) in both.into_iter().zip([(85, 850), (40, 400)]) {
        add(&mut counts, population, (1, Arm::Treatment), treated);
        add(&mut counts, population, (1, Arm::Holdout), (7, 150));
    }
    let mut breakdown = Breakdown::new("category".to_owned(), counts.metric.clone());
    breakdown.add("cat_a", 1, Arm::Treatment, Figure::default());
    let recomputed = Some(Recomputed::of(&counts, vec![breakdown], at(95)));
    let more = More { recomputed, counted_through: Some(at(95)), ..More::default() };
    let results = printed(&design(&[1_500]), &counts, &more, "category");
    let matched = results.ghost_matched.unwrap();
    assert!(matched.srm.unwrap().alarm);
    for (arm, n) in matched.arms.iter().zip([400, 150]) {
        let bare = proto::ArmResult { arm: arm.arm, n, ..Default::default() };
        assert_eq!(*arm, bare);
    }
    assert!(matched.absent["arms"].starts_with("withheld"));
    assert_eq!(results.breakdown, None);
    assert!(results.absent["breakdown"].starts_with("withheld: it is of the matched"));
    assert_eq!(results.arms[0].mean, Some(0.1), "those by assignment stay");
}

#[test]
fn every_split_with_customers_is_listed_also_at_0_and_100_percent() {
    let mut counts = conversions();
    let population = Population::Assigned;
    add(&mut counts, population, (1, Arm::Treatment), (30, 300));
    add(&mut counts, population, (2, Arm::Treatment), (85, 850));
    add(&mut counts, population, (2, Arm::Holdout), (7, 150));
    add(&mut counts, population, (3, Arm::Holdout), (2, 40));
    let results = printed(&design(&[0, 1_500, 10_000]), &counts, &More::default(), "");
    let splits: Vec<_> = results
        .splits
        .iter()
        .map(|split| (split.epoch, split.treated, split.held_out, split.difference.is_some()))
        .collect();
    let expected = [(1, 300, 0, false), (2, 850, 150, true), (3, 0, 40, false)];
    assert_eq!(splits, expected);
    let total = results.incremental_total.unwrap();
    assert_eq!((total.treated, total.uncompared_treated), (850, 300));
}

#[test]
fn without_a_comparison_the_total_counts_all_treated_beside_it() {
    let mut counts = conversions();
    add(&mut counts, Population::Assigned, (1, Arm::Treatment), (30, 300));
    let results = printed(&design(&[0]), &counts, &More::default(), "");
    let total = results.incremental_total.unwrap();
    assert_eq!((total.value, total.treated, total.uncompared_treated), (None, 0, 300));
    let [treated, held_out] = [&results.arms[0], &results.arms[1]];
    assert_eq!((treated.mean, treated.total), (Some(0.1), Some(30.0)));
    assert_eq!((held_out.mean, held_out.total), (None, Some(0.0)));
    assert_eq!(results.absent["arms.holdout.mean"], "there are no customers");
}

#[test]
fn every_number_beside_the_headline_names_its_method() {
    let mut counts = conversions();
    for population in [Population::Assigned, Population::Matched] {
        add(&mut counts, population, (1, Arm::Treatment), (85, 850));
        add(&mut counts, population, (1, Arm::Holdout), (7, 150));
    }
    let mut breakdown = Breakdown::new("category".to_owned(), counts.metric.clone());
    for (arm, n) in [(Arm::Treatment, 20), (Arm::Holdout, 10)] {
        for number in 0..n {
            let value = i128::from(number % 3 == 0);
            breakdown.add("cat_a", 1, arm, Figure { value, is_buyer: false, paired: 0 });
        }
    }
    let more = More {
        secondary: vec![counts.clone()],
        guardrails: vec![(Harm::Up, counts.clone())],
        recomputed: Some(Recomputed::of(&counts, vec![breakdown], at(95))),
        contacts: Some(crate::domain::analysis::Contacts::default()),
        ..More::default()
    };
    let results = printed(&design(&[1_500]), &counts, &more, "category");
    let (secondary, guardrail) = (&results.secondary[0], &results.guardrails[0]);
    let group = &results.breakdown.unwrap().groups[0];
    for (methods, test) in [
        (&secondary.interval_methods, &secondary.test),
        (&guardrail.interval_methods, &guardrail.test),
        (&group.interval_methods, &group.test),
    ] {
        assert_eq!((methods.join(" "), test.as_str()), ("newcombe".to_owned(), "pooled_z"));
    }
    assert!(results.net.unwrap().method.starts_with("the total by assignment"));
}
