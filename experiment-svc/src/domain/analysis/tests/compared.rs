//! Which splits are compared: guards, totals and texts are about those alone.

use super::*;

fn means(treated: &[(u64, i128)], held_out: &[(u64, i128)]) -> Pair {
    let mut pair = Pair::default();
    for (arm, figures) in [(Arm::Treatment, treated), (Arm::Holdout, held_out)] {
        for (repeated, units) in figures {
            let value = units * 10_000;
            let figure = Figure { value, is_buyer: value > 0, paired: 0 };
            (0..*repeated).for_each(|_| pair.of(arm).add(figure));
        }
    }
    pair
}

fn counted(metric: &str, pairs: &[Pair]) -> Counts {
    let mut counts = Counts::new(Metric::parse(metric).unwrap());
    for (epoch, pair) in (1..).zip(pairs) {
        for (arm, sample) in [(Arm::Treatment, pair.treatment), (Arm::Holdout, pair.holdout)] {
            counts.add_sample(Population::Assigned, epoch, arm, &sample);
        }
    }
    counts
}

fn read_splits(counts: &Counts, splits: &[u32], day: i64) -> ReadOut {
    let design = Design { epochs: epochs(splits), ..design(&experiment(), counts) };
    let more = More { counted_through: Some(at(day)), ..More::default() };
    read_out(&design, counts, &more, at(day))
}

/// Nobody is held out of 20,000; then 20 are treated and 1,500 held out. Two events decide nothing.
#[test]
fn guards_count_the_arms_that_are_compared() {
    let pairs = [rates((600, 20_000), (0, 0)), rates((2, 20), (12, 1_500))];
    let counts = counted(CONVERSION, &pairs);
    let read_out = read_splits(&counts, &[0, 9_868], 90);
    assert!(read_out.assigned.effect.as_ref().unwrap().test.unwrap().p < 1e-3);
    assert_eq!(read_out.judgment.verdict, Verdict::Withheld);
    let few = "too few customers with a conversion: 2 in treatment; at least 10 in each arm are \
               needed";
    assert_eq!(read_out.judgment.withheld, [few]);
    assert!(absent(&read_out.assigned, "anytime").unwrap().ends_with("in the smaller arm: 2"));
    let day = read_splits(&counts, &[0, 9_868], 20);
    assert_eq!(day.judgment.verdict, Verdict::Withheld);
}

/// The second split has four customers who never came: there is nothing to divide by.
#[test]
fn a_split_without_a_denominator_is_left_out_and_the_ratio_stays() {
    let figures = |n: u64, [value, paired]: [i128; 2]| {
        let mut sample = Sample::default();
        for number in 0..i128::from(n) {
            let value = if number % 3 == 0 { value } else { 0 };
            sample.add(Figure { value, is_buyer: false, paired });
        }
        sample
    };
    let large = Pair { treatment: figures(8_500, [1, 2]), holdout: figures(1_500, [1, 3]) };
    let tiny = Pair { treatment: figures(2, [0, 0]), holdout: figures(2, [0, 0]) };
    let ratio = Metric::parse("rate:conversion/visit").unwrap();
    let alone = Effect::of(&ratio, &strata([large])).unwrap();
    let both = Effect::of(&ratio, &strata([large, tiny])).unwrap();
    assert_eq!((both.difference, both.interval), (alone.difference, alone.interval));
    assert_eq!(both.splits.len(), 1);
    assert!(Effect::of(&ratio, &strata([tiny])).is_none());
    let nothing = read_splits(&counted("rate:conversion/visit", &[tiny]), &[5_000], 90).assigned;
    assert_eq!(absent(&nothing, "difference"), Some("an arm has no outcome to divide by"));
}

/// 1,000 who spend 10 each and two who spend nothing: that 10,000 has no error, so it is not in a
/// total that has one.
#[test]
fn a_split_in_which_nobody_varies_is_counted_beside_and_not_as_exact() {
    let flat = means(&[(1_000, 10)], &[(2, 0)]);
    let varied = means(&[(300, 8), (700, 0)], &[(60, 8), (140, 0)]);
    let findings = read_splits(&counted(REVENUE, &[flat, varied]), &[20, 1_667], 90).assigned;
    let total = findings.total.unwrap();
    assert_eq!((total.value, total.treated, findings.uncompared_treated()), (0.0, 1_000, 1_000));
    let alone = Effect::of(&Metric::parse(REVENUE).unwrap(), &strata([varied])).unwrap();
    assert_eq!(findings.effect.unwrap().interval, alone.interval);
    // Where no split varies the differences are shown, and nothing bounds them.
    let findings = read_splits(&counted(REVENUE, &[flat, flat]), &[20, 20], 90).assigned;
    let (effect, total) = (findings.effect.unwrap(), findings.total.unwrap());
    assert_eq!((effect.difference, effect.interval, total.interval), (10.0, None, None));
}

/// Wald has no interval for a split in which nobody converts; beside Newcombe's it would be that of
/// the other split alone.
#[test]
fn a_method_without_an_interval_in_one_split_has_none_over_all() {
    let effect = Effect::of(
        &conversions(),
        &strata([rates((0, 1_000), (0, 150)), rates((90, 900), (5, 100))]),
    );
    let effect = effect.unwrap();
    let wald = effect.estimates.iter().find(|(method, _)| method.name == "wald").unwrap();
    assert_eq!(wald.1.interval, None);
    assert!(effect.interval.is_some());
}

#[test]
fn without_any_comparison_all_treated_are_beside_the_total() {
    for pair in [rates((20, 200), (0, 0)), rates((20, 200), (0, 1))] {
        let findings = read_splits(&counted(CONVERSION, &[pair]), &[0], 90).assigned;
        assert!(findings.total.is_none());
        assert_eq!((findings.compared, findings.uncompared_treated()), (Pair::default(), 200));
    }
}

#[test]
fn the_population_is_described_with_its_window() {
    let counts = counted(CONVERSION, &[rates((20, 200), (3, 30))]);
    let said = |design: &Design, population| {
        let findings = Findings::of(design, &counts, population, None);
        findings.methods.into_iter().find(|(what, _)| *what == "population").unwrap().1
    };
    let open = Design::of(&experiment());
    let of = "intention to treat: everyone assigned, all their outcomes";
    let expected = format!("{of} from the assignment to the end");
    assert_eq!(said(&open, Population::Assigned), expected);
    let windowed = Design { outcome_window: Some(TimeDelta::days(30)), ..open };
    let expected =
        format!("{of} in the 30 days from the assignment on; only customers whose days are over");
    assert_eq!(said(&windowed, Population::Assigned), expected);
    let matched = said(&windowed, Population::Matched);
    assert!(matched.contains("in the 30 days from the first one on"), "{matched}");
}

#[test]
fn an_arm_without_a_mean_or_a_total_says_why() {
    let because = |metric: &str, pair: Pair| {
        let findings = read_splits(&counted(metric, &[pair]), &[1_500], 90).assigned;
        ["mean", "total"]
            .map(|figure| absent(&findings, &format!("arms.holdout.{figure}")).map(str::to_owned))
    };
    let nobody = rates((20, 200), (0, 0));
    assert_eq!(because(CONVERSION, nobody), [Some("there are no customers".to_owned()), None]);
    let ratio = because("rate:conversion/visit", rates((20, 200), (3, 30)));
    assert_eq!(ratio, [Some("an arm has no outcome to divide by".to_owned()), None]);
    let mut huge = means(&[(3, 1)], &[(3, 1)]);
    huge.holdout.sum = None;
    let too_large = Some("a sum exceeds 128 bits".to_owned());
    assert_eq!(because(REVENUE, huge), [too_large.clone(), too_large]);
    assert_eq!(because(CONVERSION, rates((20, 200), (3, 30))), [None, None]);
}
