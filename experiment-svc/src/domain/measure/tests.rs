//! Names of metrics, and what a customer's outcomes make of them.

use super::*;

fn fault(name: &str) -> String {
    Metric::parse(name).unwrap_err()
}

#[test]
fn every_kind_reads_its_own_form() {
    for MetricKind { form, .. } in KINDS {
        let name =
            form.replace("<a>", "conversion").replace("<b>", "visit").replace("<key>", "visit");
        assert_eq!(Metric::parse(&name).map(|metric| metric.name), Ok(name));
    }
    assert!(Metric::parse(Metric::DEFAULT).is_ok());
}

#[test]
fn a_metric_that_is_not_known_is_refused_with_those_that_are() {
    let known =
        "conversion_rate, revenue_per_customer, outcome:<key>, count:<key> and rate:<a>/<b>";
    for (name, shown) in [
        ("revenue", "revenue".to_owned()),
        ("Conversion_Rate", "Conversion_Rate".to_owned()),
        (&"x".repeat(9_999), "x".repeat(60)),
    ] {
        assert_eq!(fault(name), format!("`{shown}` is not a metric; known are {known}"));
    }
}

#[test]
fn a_key_that_cannot_be_one_is_refused_with_its_form() {
    for (name, wrong) in [
        ("outcome:", ""),
        ("outcome:Click", "Click"),
        ("count:a b", "a b"),
        ("rate:click/", ""),
        ("rate:/visit", ""),
        ("rate:conversion/visit/2", "visit/2"),
    ] {
        let expected = format!(
            "`{name}` has `{wrong}` where the key of an outcome type belongs: \
             [a-z][a-z0-9_]{{0,62}}"
        );
        assert_eq!(fault(name), expected);
    }
    assert!(
        fault(&format!("count:{}", "k".repeat(64))).contains("where the key of an outcome type")
    );
    assert!(Metric::parse(&format!("count:{}", "k".repeat(63))).is_ok());
}

/// The held-out never see the recommendation, so they have no clicks to divide by.
#[test]
fn a_rate_over_something_that_follows_contact_is_refused_with_the_remedy() {
    for after in ["impression", "click", "dismiss", "complaint", "share"] {
        let name = format!("rate:conversion/{after}");
        let expected = format!(
            "`{name}` divides by `{after}`, which follows a contact: held-out customers have \
             none, so there is nothing to compare with; use `outcome:conversion` or \
             `count:conversion`, or divide by what customers do by themselves, for example \
             `rate:conversion/visit`"
        );
        assert_eq!(fault(&name), expected);
    }
    assert!(fault("rate:conversion").starts_with("`rate:conversion` lacks its second key"));
    assert_eq!(
        Metric::parse("rate:returned/conversion").map(|metric| metric.scale),
        Ok(Scale::Ratio)
    );
}

fn outcome(key: &str, is_positive: bool, value_e4: Option<i64>) -> Happened<'_> {
    Happened { key, is_positive, value_e4 }
}

/// One customer's figure of these outcomes.
fn figure(metric: &str, outcomes: &[Happened<'_>]) -> i128 {
    let metric = Metric::parse(metric).unwrap();
    let sum = |sum: &Sum| outcomes.iter().map(|outcome| sum.of(outcome)).sum();
    metric.figure_of(&metric.sums.iter().map(sum).collect::<Vec<_>>())
}

#[test]
fn a_conversion_has_a_value_above_zero_or_none() {
    for (value, converts) in [(None, 1), (Some(1), 1), (Some(0), 0), (Some(-490_000), 0)] {
        let outcomes = [outcome("conversion", true, value)];
        for metric in ["conversion_rate", "outcome:conversion", "count:conversion"] {
            assert_eq!(figure(metric, &outcomes), converts, "{metric} of {value:?}");
        }
    }
}

#[test]
fn a_refund_lowers_revenue_and_takes_no_conversion_back() {
    let outcomes = [
        outcome("conversion", true, Some(490_000)),
        outcome("conversion", true, Some(-490_000)),
        outcome("returned", false, Some(-100_000)),
    ];
    assert_eq!(figure("conversion_rate", &outcomes), 1);
    assert_eq!(figure("count:conversion", &outcomes), 1);
    assert_eq!(figure("revenue_per_customer", &outcomes), -100_000);
}

#[test]
fn a_negative_outcome_earns_nothing_and_costs_what_it_says() {
    let earned =
        |is_positive, value| figure("revenue_per_customer", &[outcome("x", is_positive, value)]);
    assert_eq!((earned(true, Some(7)), earned(true, Some(-7)), earned(true, None)), (7, -7, 0));
    assert_eq!((earned(false, Some(7)), earned(false, Some(-7)), earned(false, None)), (0, -7, 0));
}

#[test]
fn a_buyer_has_a_positive_outcome_with_a_value_above_zero() {
    let buys = |is_positive, value| Sum::Purchases.of(&outcome("any", is_positive, value));
    assert_eq!([Some(1), Some(0), Some(-1), None].map(|value| buys(true, value)), [1, 0, 0, 0]);
    assert_eq!([Some(1), Some(0), Some(-1), None].map(|value| buys(false, value)), [0; 4]);
}

#[test]
fn other_outcomes_count_whatever_their_value() {
    let opened = [
        outcome("visit", true, Some(-5)),
        outcome("visit", false, None),
        outcome("click", true, None),
    ];
    assert_eq!(figure("outcome:visit", &opened), 1);
    assert_eq!(figure("count:visit", &opened), 2);
    let rate = Metric::parse("rate:click/visit").unwrap();
    let sums: Vec<i128> =
        rate.sums.iter().map(|sum| opened.iter().map(|outcome| sum.of(outcome)).sum()).collect();
    assert_eq!((rate.figure_of(&sums), rate.paired_of(&sums, 99)), (1, 2));
}
