//! Read-outs, from the deliveries to the verdict.

use chrono::{DateTime, Utc};
use history::timestamp;
use proffer_proto::experiment::v1::{self as proto, Arm, ResultVerdict, ledger_entry::Entry};
use tonic::Code;

use super::suite::*;

fn sale(id: &str, customer: &str, value: i64, at: DateTime<Utc>) -> Entry {
    Entry::Outcome(bought(id, customer, value, at))
}

fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-6 * expected.abs(), "{actual:e} is not {expected:e}");
}

fn check_interval(actual: &[f64], expected: [f64; 2]) {
    assert_eq!(actual.len(), 2);
    actual.iter().zip(expected).for_each(|(actual, expected)| close(*actual, expected));
}

async fn deliver_all(suite: &Suite, entries: &[Entry]) {
    for batch in entries.chunks(500) {
        suite.deliver(batch.iter().cloned()).await.unwrap();
    }
}

/// 850 treated, of whom every fifth buys for 10 to 59; 150 held out, of whom 105 buy for 1 to 4.
fn programme() -> Vec<Entry> {
    let mut entries = Vec::new();
    for n in 0..1_000_i64 {
        let customer = format!("c{n:04}");
        let is_holdout = n % 20 < 3;
        let arm = if is_holdout { Arm::Holdout } else { Arm::Treatment };
        entries.push(assigned(&customer, arm, hour(n % 5)));
        let value = match is_holdout {
            true if n % 10 != 2 => 1 + n % 4,
            false if n % 5 == 3 => 10 + n % 50,
            _ => continue,
        };
        entries.push(sale(&format!("o{n}"), &customer, value, day(1)));
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn revenue_is_read_out_from_deliveries_to_verdict() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_all(&suite, &programme()).await;
        suite.deliver_through([], Some(day(90))).await.unwrap();
        suite.clock.set(day(90));
        let results = suite.results(SEED, "").await.unwrap();
        assert_eq!(results.metric, "revenue_per_customer");
        let [treatment, holdout] = &results.arms[..] else { panic!("{:?}", results.arms) };
        assert_eq!((treatment.arm(), holdout.arm()), (Arm::Treatment, Arm::Holdout));
        assert_eq!((treatment.n, treatment.events(), treatment.total()), (850, 200, 7_100.0));
        assert_eq!((holdout.n, holdout.events(), holdout.total()), (150, 100, 150.0));
        // scipy 1.17.1: `ttest_ind`; the pooled interval is the wider one here.
        close(treatment.mean(), 8.352_941_176_470_589);
        close(holdout.mean(), 1.0);
        close(treatment.variance.unwrap(), 275.611_445_991_824_3);
        close(holdout.variance.unwrap(), 0.671_140_939_597_315_5);
        close(results.difference.unwrap(), 7.352_941_176_470_589);
        close(results.statistic.unwrap(), 5.421_084_842_578_949);
        close(results.p.unwrap(), 7.429_756_314_554_182e-8);
        check_interval(&results.ci95, [4.691_297_005_933_404, 10.014_585_347_007_774]);
        assert_eq!(results.interval_methods, ["pooled_t"]);
        let [_, welch] = &results.estimates[..] else { panic!("{:?}", results.estimates) };
        check_interval(&welch.ci95, [6.227_645_571_332_102, 8.478_236_781_609_075]);
        let total = results.incremental_total.unwrap();
        close(total.value.unwrap(), 6_250.0);
        check_interval(
            &total.ci95,
            [850.0 * 4.691_297_005_933_404, 850.0 * 10.014_585_347_007_774],
        );
        let lift = results.relative_lift.unwrap();
        close(lift.value.unwrap(), 7.352_941_176_470_589);
        assert!(
            lift.ci95[0] < lift.value.unwrap()
                && lift.value.unwrap() < lift.ci95[1]
                && lift.g.unwrap() < 1.0
        );
        let srm = results.srm.unwrap();
        assert_eq!((srm.chi_square, srm.degrees_of_freedom, srm.p), (0.0, 1, 1.0));
        assert_eq!(results.counted_through, Some(timestamp(day(90))));
        assert_eq!((results.verdict, results.withheld.len()), (ResultVerdict::Gain.into(), 0));
        let estimates: Vec<_> =
            results.estimates.iter().map(|estimate| estimate.method.as_str()).collect();
        assert_eq!(estimates, ["pooled_t", "welch"]);
        let named: Vec<_> = results.methods.keys().map(String::as_str).collect();
        let expected =
            ["anytime", "cuped", "interval", "lift", "population", "srm", "test", "total"];
        assert_eq!(named, [&expected[..], &["winsorized"]].concat());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversions_are_read_out_with_newcombe_beside_wald() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_all(&suite, &programme()).await;
        let results = suite.results(SEED, "conversion_rate").await.unwrap();
        assert_eq!(
            (results.arms[0].events(), results.arms[0].total(), results.arms[1].events()),
            (200, 200.0, 100)
        );
        // statsmodels 0.15.0: `proportions_ztest`, `confint_proportions_2indep` with `wald` and
        // `newcomb`.
        close(results.difference.unwrap(), -0.431_372_549_019_607_8);
        close(results.statistic.unwrap(), -10.629_135_653_628_22);
        close(results.p.unwrap(), 2.181_246_247_786_591_3e-26);
        check_interval(&results.ci95, [-0.506_918_018_200_306, -0.347_201_596_985_281_2]);
        let [pooled_z, newcombe, wald] = &results.estimates[..] else { panic!("{results:?}") };
        let named = [pooled_z, newcombe, wald].map(|estimate| estimate.method.as_str());
        assert_eq!(named, ["pooled_z", "newcombe", "wald"]);
        assert_eq!((pooled_z.statistic, pooled_z.p), (results.statistic, results.p));
        assert_eq!((&newcombe.ci95, newcombe.p), (&results.ci95, None));
        check_interval(&wald.ci95, [-0.512_021_310_593_164_1, -0.350_723_787_446_051_4]);
        assert_eq!(results.methods["test"], "z test of two proportions, pooled variance");
        assert_eq!(results.verdict(), ResultVerdict::Withheld);
        assert!(
            results.withheld[0].starts_with("the planned end at 2027-02-20"),
            "{:?}",
            results.withheld
        );
    })
    .await;
}

/// From the assignment on, before the end, received at most a week after it; positive ones only;
/// every one of them.
#[tokio::test(flavor = "multi_thread")]
async fn only_outcomes_within_the_window_count() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        suite
            .deliver([
                assigned("ann", Arm::Treatment, hour(1)),
                assigned("bob", Arm::Holdout, hour(1)),
            ])
            .await
            .unwrap();
        let just_before = |at: DateTime<Utc>| at - chrono::TimeDelta::microseconds(1);
        let late = |id: &str, value, received| {
            let received_at = Some(timestamp(received));
            Entry::Outcome(proto::OutcomeEntry {
                received_at,
                ..bought(id, "ann", value, just_before(day(90)))
            })
        };
        let other = |id: &str, key: &str, positive, value| {
            let entry = bought(id, "ann", value, hour(2));
            Entry::Outcome(proto::OutcomeEntry { key: key.to_owned(), positive, ..entry })
        };
        suite
            .deliver([
                sale("before", "ann", 1, just_before(hour(1))),
                sale("at", "ann", 10, hour(1)),
                sale("last", "ann", 100, just_before(day(90))),
                sale("end", "ann", 1_000, day(90)),
                late("in time", 10_000, day(97)),
                late("too late", 100_000, day(97) + chrono::TimeDelta::microseconds(1)),
                other("click", "click", true, 1_000_000),
                other("complaint", "complaint", false, 10_000_000),
            ])
            .await
            .unwrap();
        let results = suite.results(SEED, "revenue_per_customer").await.unwrap();
        assert_eq!((results.arms[0].total(), results.arms[1].total()), (1_010_110.0, 0.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_conclusion_ends_the_count() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        suite.deliver([assigned("ann", Arm::Treatment, hour(1))]).await.unwrap();
        suite.deliver([sale("o1", "ann", 5, day(9)), sale("o2", "ann", 7, day(10))]).await.unwrap();
        suite.clock.set(day(10));
        suite.conclude(SEED, true).await.unwrap();
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        suite.clock.set(day(100));
        let results = suite.results(SEED, "").await.unwrap();
        assert_eq!(results.arms[0].total(), 5.0);
        assert!(
            results.withheld.iter().any(|why| why.contains("before the planned end")),
            "{:?}",
            results.withheld
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_outcomes_since_the_first_exposure_are_ghost_matched() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        for (customer, arm) in
            [("ann", Arm::Treatment), ("bob", Arm::Treatment), ("cas", Arm::Holdout)]
        {
            suite
                .deliver([assigned(customer, arm, hour(1)), sale(customer, customer, 8, hour(2))])
                .await
                .unwrap();
        }
        suite
            .deliver([exposed("ann", "dec_1", hour(2)), exposed("cas", "dec_2", hour(3))])
            .await
            .unwrap();
        let matched = suite.results(SEED, "conversion_rate").await.unwrap().ghost_matched.unwrap();
        let arms: Vec<_> = matched.arms.iter().map(|arm| (arm.n, arm.events())).collect();
        assert_eq!(arms, [(1, 1), (1, 0)]);
        assert_eq!((matched.difference, matched.ci95.len()), (None, 0));
    })
    .await;
}

/// Each customer's revenue may pass what 64 bits hold; sums are exact to the last 1/10,000.
#[tokio::test(flavor = "multi_thread")]
async fn sums_are_exact_beyond_sixty_four_bits() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        suite
            .deliver([
                assigned("ann", Arm::Treatment, hour(1)),
                assigned("bob", Arm::Treatment, hour(1)),
            ])
            .await
            .unwrap();
        let outcome = |n: usize, customer: &str, value_e4| {
            let entry = bought(&format!("{customer}{n}"), customer, 0, hour(2));
            Entry::Outcome(proto::OutcomeEntry { value_e4: Some(value_e4), ..entry })
        };
        suite.deliver((0..500).map(|n| outcome(n, "ann", 9_999_999_999_999))).await.unwrap();
        suite.deliver((0..3).map(|n| outcome(n, "bob", -3))).await.unwrap();
        let arm = &suite.results(SEED, "").await.unwrap().arms[0];
        assert_eq!(arm.total(), (500.0 * 9_999_999_999_999.0 - 9.0) / 10_000.0);
        assert_eq!((arm.n, arm.events()), (2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_without_customers_has_no_figures_and_says_so() {
    on_both(async |suite| {
        let draft = proto::Experiment { status: proto::ExperimentStatus::Draft.into(), ..seed() };
        suite.create(draft).await.unwrap();
        for metric in ["conversion_rate", "revenue_per_customer"] {
            let results = suite.results(SEED, metric).await.unwrap();
            assert_eq!(
                (results.difference, results.statistic, results.p, results.ci95.len()),
                (None, None, None, 0)
            );
            let arms: Vec<_> =
                results.arms.iter().map(|arm| (arm.n, arm.mean, arm.variance, arm.total)).collect();
            assert_eq!(arms, [(0, None, None, Some(0.0)); 2]);
            assert_eq!(results.absent["arms.holdout.mean"], "there are no customers");
            assert!(results.estimates.is_empty());
            assert_eq!(results.relative_lift.unwrap(), proto::RelativeLift::default());
            assert_eq!(results.incremental_total.unwrap(), proto::IncrementalTotal::default());
            assert_eq!(results.verdict, i32::from(ResultVerdict::Withheld));
            assert_eq!(results.withheld[0], "the experiment is a draft: nobody is assigned yet");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_metric_is_refused_with_the_known_ones() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let status = suite.results(SEED, "profit").await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["metric"]));
        let known = "known are conversion_rate, revenue_per_customer, outcome:<key>, count:<key> \
                     and rate:<a>/<b>";
        assert_eq!(status.message(), format!("`metric` `profit` is not a metric; {known}"));
        assert_eq!(suite.results("nope", "").await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

/// A refund is no conversion and makes no buyer; it lowers revenue whatever its classification. A
/// conversion without a value is one.
#[tokio::test(flavor = "multi_thread")]
async fn refunds_lower_revenue_and_are_neither_conversions_nor_buyers() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        for customer in ["ann", "bob", "cas", "dan"] {
            suite.deliver([assigned(customer, Arm::Treatment, hour(1))]).await.unwrap();
        }
        let outcome = |id: &str, customer: &str, value: Option<i64>, positive| {
            let entry = bought(id, customer, 0, hour(2));
            let value_e4 = value.map(|value| value * 10_000);
            Entry::Outcome(proto::OutcomeEntry { value_e4, positive, ..entry })
        };
        suite
            .deliver([
                outcome("sold", "ann", Some(50), true),
                outcome("sent back", "ann", Some(-50), true),
                outcome("refunded", "bob", Some(-20), false),
                outcome("free", "cas", Some(0), true),
                outcome("done", "dan", None, true),
            ])
            .await
            .unwrap();
        let revenue = suite.results(SEED, "revenue_per_customer").await.unwrap();
        let arm = &revenue.arms[0];
        assert_eq!((arm.n, arm.total(), arm.events(), arm.buyers()), (4, -20.0, 1, 1));
        let conversions = suite.results(SEED, "conversion_rate").await.unwrap();
        assert_eq!(conversions.arms[0].events(), 2, "ann's stays one, and dan's has no value");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_counts_and_rates_are_read_out_by_their_keys() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let visit = |id: &str, customer: &str| {
            let entry = bought(id, customer, 0, hour(2));
            Entry::Outcome(proto::OutcomeEntry { key: "visit".to_owned(), value_e4: None, ..entry })
        };
        for (customer, arm) in [
            ("ann", Arm::Treatment),
            ("bob", Arm::Treatment),
            ("cas", Arm::Holdout),
            ("dan", Arm::Holdout),
        ] {
            suite.deliver([assigned(customer, arm, hour(1))]).await.unwrap();
        }
        let sold = sale("sold", "ann", 5, hour(3));
        let visits =
            [visit("v1", "ann"), visit("v2", "ann"), visit("v3", "cas"), visit("v4", "dan")];
        suite.deliver(visits.into_iter().chain([sold])).await.unwrap();
        let difference = async |metric: &str| {
            let results = suite.results(SEED, metric).await.unwrap();
            (results.difference, results.arms[0].mean(), results.arms[1].mean())
        };
        assert_eq!(difference("outcome:visit").await, (Some(-0.5), 0.5, 1.0));
        assert_eq!(difference("count:visit").await, (Some(0.0), 1.0, 1.0));
        assert_eq!(difference("rate:conversion/visit").await, (Some(0.5), 0.5, 0.0));
        let status = suite.results(SEED, "rate:conversion/click").await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["metric"]));
        assert!(status.message().contains("held-out customers have none"), "{}", status.message());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_the_assigned_is_there_of_the_matched_too() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let mut entries = Vec::new();
        for entry in programme() {
            if let Entry::Assignment(arm) = &entry {
                let customer = arm.customer_id.clone();
                entries.push(entry);
                entries.push(exposed(&customer, &format!("dec_{customer}"), hour(5)));
            } else {
                entries.push(entry);
            }
        }
        deliver_all(&suite, &entries).await;
        suite.deliver_through([], Some(day(90))).await.unwrap();
        suite.clock.set(day(90));
        let results = suite.results(SEED, "").await.unwrap();
        let matched = results.ghost_matched.unwrap();
        // Everyone was exposed before they bought.
        assert_eq!(
            (matched.difference, &matched.ci95, matched.statistic, matched.p),
            (results.difference, &results.ci95, results.statistic, results.p)
        );
        assert_eq!((&matched.estimates, &matched.splits), (&results.estimates, &results.splits));
        assert_eq!(
            (&matched.anytime, &matched.winsorized),
            (&results.anytime, &results.winsorized)
        );
        assert_eq!(
            (matched.relative_lift, matched.incremental_total),
            (results.relative_lift, results.incremental_total)
        );
        assert_eq!((matched.srm, matched.absent), (results.srm, results.absent));
        assert!(results.preliminary && !results.early);
        assert!(results.winsorized.is_some() && results.computed_at.is_some());
        let guardrails: Vec<_> =
            results.guardrails.iter().map(|guardrail| guardrail.metric.as_str()).collect();
        assert_eq!(guardrails, ["outcome:opt_out", "outcome:complaint"]);
        assert_eq!(results.picture, format!("/api/v1/experiments/{SEED}/results.svg"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_drawn_as_a_picture() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        deliver_all(&suite, &programme()).await;
        let picture = suite.picture(SEED, "conversion_rate").await.unwrap();
        assert_eq!(picture.content_type, "image/svg+xml");
        assert!(picture.text.starts_with("<svg") && picture.text.contains("Sample ratio"));
        assert_eq!(suite.picture("nope", "").await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}
