//! Sums that no formula likes: a figure is right or absent, and never a NaN.

use proptest::prelude::*;

use super::*;

/// Every number of a read-out, by name.
fn numbers(findings: &Findings) -> Vec<(String, f64)> {
    let mut found = Vec::new();
    let mut add = |name: &str, values: &[Option<f64>]| {
        found.extend(values.iter().flatten().map(|value| (name.to_owned(), *value)));
    };
    let of_effect = |effect: &Effect| {
        let (interval, lift) = (effect.interval, effect.relative_lift);
        let bounds =
            [interval, lift.interval].map(|bounds| bounds.map(Vec::from).unwrap_or_default());
        let test =
            effect.test.map(|test| vec![test.statistic, test.p, test.p_higher, test.p_lower]);
        let splits = effect.splits.iter().flat_map(|split| {
            let interval = split.interval.map(|(_, bounds)| bounds.to_vec()).unwrap_or_default();
            interval.into_iter().chain([split.difference]).chain(split.test.map(|test| test.p))
        });
        let estimates = effect.estimates.iter().flat_map(|(_, estimate)| {
            estimate.interval.map(|bounds| bounds.to_vec()).unwrap_or_default()
        });
        bounds
            .concat()
            .into_iter()
            .chain(test.unwrap_or_default())
            .chain([effect.difference])
            .chain(lift.value)
            .chain(lift.g)
            .chain(splits)
            .chain(estimates)
            .map(Some)
            .collect::<Vec<_>>()
    };
    findings.effect.iter().for_each(|effect| add("effect", &of_effect(effect)));
    if let Some(cuped) = &findings.cuped {
        add("cuped", &of_effect(&cuped.effect));
        let balance = cuped.balance.map(|test| test.p);
        add("cuped", &[Some(cuped.theta), cuped.variance_reduction, balance]);
    }
    if let Some(winsorized) = &findings.winsorized {
        add("winsorized", &of_effect(&winsorized.effect));
        add("winsorized", &[Some(winsorized.cap)]);
    }
    if let Some(total) = &findings.total {
        let [low, high] = total.interval.map_or([None; 2], |bounds| bounds.map(Some));
        add("total", &[Some(total.value), low, high]);
    }
    if let Some(anytime) = &findings.anytime {
        add("anytime", &anytime.interval.map(Some));
    }
    let (chi_square, _) = findings.srm.chi_square();
    add("srm", &[Some(findings.srm.p()), Some(chi_square)]);
    found
}

fn customers(values: std::ops::Range<i128>) -> impl Strategy<Value = Vec<(i32, bool, i128, i128)>> {
    let value = prop_oneof![3 => Just(0), 2 => values, 1 => Just(1)];
    let paired = prop_oneof![Just(0), Just(7_i128), -10_000_000_000_000..10_000_000_000_000_i128];
    proptest::collection::vec((1..4_i32, any::<bool>(), value, paired), 0..60)
}

fn check(metric: &str, customers: &[(i32, bool, i128, i128)]) {
    let metric = Metric::parse(metric).unwrap();
    let mut counts = Counts::new(metric.clone()).keeping_figures();
    counts.covariate = Some("before".to_owned());
    for (epoch, is_holdout, value, covariate) in customers {
        let sums = match metric.scale {
            Scale::Amount => vec![*value],
            Scale::Rate | Scale::Ratio => vec![value.rem_euclid(3), covariate.rem_euclid(4)],
        };
        let since_assignment = Activity { sums, is_buyer: *value > 0 };
        counts.add(&Customer {
            arm: if *is_holdout { Arm::Holdout } else { Arm::Treatment },
            epoch: *epoch,
            covariate: *covariate,
            since_exposure: Some(since_assignment.clone()),
            since_assignment,
        });
    }
    let recomputed = Some(Recomputed::of(&counts, Vec::new(), at(0)));
    let design =
        Design { epochs: epochs(&[1_500, 5_000, 8_000]), ..design(&experiment(), &counts) };
    let read_out = read_out(&design, &counts, &More { recomputed, ..More::default() }, at(95));
    for findings in [&read_out.assigned, &read_out.matched] {
        for (name, number) in numbers(findings) {
            assert!(number.is_finite(), "{name} is {number}");
        }
        check_absent(findings);
    }
}

/// What is not there says why.
fn check_absent(findings: &Findings) {
    let effect = findings.effect.as_ref();
    for (figure, is_there) in [
        ("difference", effect.is_some()),
        ("ci95", effect.is_some_and(|effect| effect.interval.is_some())),
        ("p", effect.is_some_and(|effect| effect.test.is_some())),
        ("relativeLift", effect.is_some_and(|effect| effect.relative_lift.value.is_some())),
        ("incrementalTotal", findings.total.is_some()),
        ("anytime", findings.anytime.is_some()),
        ("cuped", findings.cuped.is_some()),
        ("winsorized", findings.winsorized.is_some()),
    ] {
        assert_eq!(absent(findings, figure).is_none(), is_there, "{figure}: {:?}", findings.absent);
    }
}

proptest! {
    #[test]
    fn whatever_customers_do_a_figure_is_a_number_or_absent_and_says_why(
        small in customers(-3..4),
        money in customers(-10_000_000_000_000..10_000_000_000_000),
    ) {
        for metric in [CONVERSION, REVENUE, "outcome:visit", "count:visit"] {
            check(metric, &small);
        }
        check("rate:conversion/visit", &small);
        check(REVENUE, &money);
    }
}

/// Sums at the limits of 128 bits, and beyond.
#[test]
fn sums_beyond_128_bits_leave_figures_out_and_say_so() {
    let huge = Sample {
        n: 1_000_000,
        events: 1_000_000,
        buyers: 1_000_000,
        sum: Some(i128::MAX / 2),
        squares: None,
        ..Sample::default()
    };
    let mut counts = Counts::new(Metric::parse(REVENUE).unwrap());
    for arm in [Arm::Treatment, Arm::Holdout] {
        counts.add_sample(Population::Assigned, 1, arm, &huge);
    }
    let findings = read_at(&experiment(), &counts, 90).assigned;
    assert!(findings.effect.is_none() && findings.total.is_none());
    assert_eq!(absent(&findings, "difference"), Some("a sum exceeds 128 bits"));
    assert!(numbers(&findings).iter().all(|(_, number)| number.is_finite()));
}

/// Nobody yet, one customer, nobody who did anything.
#[test]
fn little_data_is_said_to_be_little() {
    for held_out in [&[][..], &[(1, 0)], &[(20, 0)]] {
        for metric in [CONVERSION, REVENUE] {
            let counts = counts(metric, &[(85, 0)], held_out);
            let read_out = read_at(&experiment(), &counts, 100);
            assert_eq!(read_out.judgment.verdict, Verdict::Withheld);
            let withheld = &read_out.judgment.withheld;
            let little = |why: &String| why.starts_with("not enough data");
            assert!(withheld.iter().any(little), "{withheld:?}");
            let effect = read_out.assigned.effect.as_ref();
            assert_eq!(effect.and_then(|effect| effect.test), None);
            let lift = effect.map(|effect| effect.relative_lift).unwrap_or_default();
            assert_eq!(lift, RelativeLift::default());
            assert!(absent(&read_out.assigned, "p").is_some());
        }
    }
}
