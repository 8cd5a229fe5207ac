//! What is shown beside the headline: adjusted and clamped figures, further metrics, guardrails,
//! groups and costs.

use super::*;

fn figure(value: i128) -> Figure {
    Figure { value, is_buyer: value > 0, paired: 0 }
}

fn revenue() -> Metric {
    Metric::parse(REVENUE).unwrap()
}

/// 2,000 customers: every tenth buys for 1 to 99, one for 100,000.
fn spread() -> winsorized::Spread {
    let mut spread = winsorized::Spread::default();
    for n in 0..2_000_i128 {
        let arm = if n % 2 == 0 { Arm::Treatment } else { Arm::Holdout };
        let units = if n == 1_000 {
            100_000
        } else if n % 10 < 2 {
            n % 99 + 1
        } else {
            0
        };
        spread.add(1, arm, figure(units * 10_000));
    }
    spread
}

/// The two largest of 2,000 are above the rank, and the third largest is the cap.
#[test]
fn the_largest_figures_are_clamped_to_a_cap_over_both_arms_and_nobody_is_dropped() {
    let winsorized = spread().winsorized(&revenue()).unwrap();
    assert_eq!((winsorized.cap, winsorized.clamped), (99.0, 1));
    assert_eq!(winsorized.arms.n(), 2_000);
    let [low, high] = winsorized.effect.interval.unwrap();
    assert!(high - low < 5.0, "one customer no longer decides");
}

#[test]
fn a_cap_of_zero_is_none() {
    let mut few = winsorized::Spread::default();
    (0..3_000).for_each(|n| few.add(1, Arm::Treatment, figure(i128::from(n == 7))));
    assert!(few.winsorized(&revenue()).unwrap_err().contains("the cap would be 0"));
    let none = winsorized::Spread::default();
    assert_eq!(none.winsorized(&revenue()).unwrap_err(), TWO_CUSTOMERS);
    let rates = winsorized::Spread::default().winsorized(&conversions());
    assert!(rates.unwrap_err().starts_with("only means are winsorized"));
}

#[test]
fn losses_are_not_clamped_and_do_not_move_the_cap() {
    let mut spread = winsorized::Spread::default();
    for n in 0..100_i128 {
        for arm in [Arm::Treatment, Arm::Holdout] {
            spread.add(1, arm, figure(if n < 30 { -500 * n } else { 10 * n }));
        }
    }
    let winsorized = spread.winsorized(&revenue()).unwrap();
    assert_eq!((winsorized.cap, winsorized.clamped), (990.0 / 10_000.0, 0));
    assert_eq!(winsorized.arms.treatment.sum, Some(-172_350));
}

/// The covariate explains half of the figure, so most of the variance goes and the difference of 5
/// stays.
#[test]
fn a_covariate_that_explains_the_figure_narrows_the_interval() {
    let mut counts = Counts::new(revenue());
    counts.covariate = Some("spend_before".to_owned());
    for n in 0..400_i128 {
        let arm = if n % 4 == 0 { Arm::Holdout } else { Arm::Treatment };
        let (before, noise) = (n / 4 % 50 * 10_000, n / 4 % 7 * 10_000);
        let gain = if arm == Arm::Treatment { 50_000 } else { 0 };
        let since_assignment = Activity { sums: vec![before / 2 + noise + gain], is_buyer: true };
        let since_exposure = Some(since_assignment.clone());
        counts.add(&Customer {
            arm,
            epoch: 1,
            covariate: before,
            since_assignment,
            since_exposure,
        });
    }
    let findings = read_at(&experiment(), &counts, 90).assigned;
    let (raw, cuped) = (findings.effect.unwrap(), findings.cuped.unwrap());
    close("difference", cuped.effect.difference, 5.0);
    assert!((cuped.theta - 0.5).abs() < 0.05, "{}", cuped.theta);
    assert!(cuped.variance_reduction.unwrap() > 0.8);
    let width = |effect: &Effect| effect.interval.map(|[low, high]| high - low).unwrap();
    assert!(width(&cuped.effect) < 0.5 * width(&raw));
    close("balance", cuped.balance.unwrap().p, 1.0);
    assert_eq!(cuped.covariate, "spend_before");
}

#[test]
fn without_a_covariate_or_with_the_same_for_all_nothing_is_adjusted() {
    let mut counts = counts(REVENUE, &[(50, 1), (50, 0)], &[(20, 1), (20, 0)]);
    let because = |counts: &Counts| {
        let findings = read_at(&experiment(), counts, 90).assigned;
        absent(&findings, "cuped").unwrap().to_owned()
    };
    assert_eq!(because(&counts), "the experiment has no covariate");
    counts.covariate = Some("before".to_owned());
    assert_eq!(because(&counts), "the covariate is the same for every customer");
}

#[test]
fn secondary_metrics_are_corrected_for_their_number() {
    let more = More {
        secondary: vec![
            counts("outcome:visit", &[(230, 1), (770, 0)], &[(180, 1), (820, 0)]),
            counts("outcome:share", &[(0, 1), (1_000, 0)], &[(0, 1), (1_000, 0)]),
            counts(CONVERSION, &[(120, 1), (880, 0)], &[(90, 1), (910, 0)]),
        ],
        ..More::default()
    };
    let counts = counts(REVENUE, &[(9, 1)], &[(9, 1)]);
    let read_out = read_out(&design(&experiment(), &counts), &counts, &more, at(90));
    let ps = |index: usize| {
        let secondary = &read_out.secondary[index];
        (secondary.effect.as_ref().unwrap().test.map(|test| test.p), secondary.p_holm)
    };
    let (visit, untested, conversion) = (ps(0), ps(1), ps(2));
    assert_eq!(untested, (None, None), "a metric nobody has costs the others nothing");
    assert_eq!((visit.1, conversion.1), (visit.0.map(|p| 2.0 * p), conversion.0));
}

#[test]
fn a_guardrail_is_harmed_by_the_change_it_names_and_by_no_other() {
    let harmed = |harm, treated: u64, held_out: u64| {
        let counts = counts(
            "outcome:complaint",
            &[(treated, 1), (1_000 - treated, 0)],
            &[(held_out, 1), (1_000 - held_out, 0)],
        );
        let result = guard::guardrail(harm, &counts);
        (result.p.is_some(), result.is_harmed())
    };
    assert_eq!(harmed(Harm::Up, 60, 30), (true, true));
    assert_eq!(harmed(Harm::Up, 30, 60), (true, false));
    assert_eq!(harmed(Harm::Down, 30, 60), (true, true));
    assert_eq!(harmed(Harm::Up, 31, 30), (true, false));
    assert_eq!(harmed(Harm::Up, 9, 0), (false, false), "nine customers are too few to say");
}

#[test]
fn groups_are_exploratory_corrected_and_limited() {
    let mut breakdown = Breakdown::new("category".to_owned(), conversions());
    for group in 0..25_u64 {
        for n in 0..200 - group {
            let arm = if n % 2 == 0 { Arm::Treatment } else { Arm::Holdout };
            let converts = group == 3 && arm == Arm::Treatment && n % 4 == 0 || n % 20 < 2;
            breakdown.add(&format!("g{group:02}"), 1, arm, figure(converts.into()));
        }
    }
    let groups = breakdown.groups();
    assert_eq!(groups.len(), breakdown::GROUPS_MAX);
    assert_eq!(groups[0].group, Group::Value("g00".to_owned()));
    assert_eq!(groups[19].group, Group::Others(6));
    let customers: u64 = groups.iter().map(|group| group.arms.n()).sum();
    assert_eq!(customers, (0..25).map(|group| 200 - group).sum::<u64>());
    let third = &groups[3];
    let p = third.effect.as_ref().unwrap().test.unwrap().p;
    assert!(third.p_holm.unwrap() > 15.0 * p, "{p} {:?}", third.p_holm);
}

#[test]
fn the_total_is_shown_after_costs_and_by_contact() {
    let counts = counts(REVENUE, &[(2, 10), (2, 30)], &[(3, 5), (3, 7)]);
    let net = |delivered| {
        let contacts = Some(Contacts { delivered, cost_e4: 65_000, leaks: 0 });
        let more = More { contacts, ..More::default() };
        read_out(&design(&experiment(), &counts), &counts, &more, at(90)).net.unwrap()
    };
    let total = read_at(&experiment(), &counts, 90).assigned.total.unwrap();
    let [low, high] = total.interval.unwrap();
    let found = net(8);
    assert_eq!(found.total, Some((56.0 - 6.5, Some([low - 6.5, high - 6.5]))));
    assert_eq!(found.per_contact, Some((7.0, Some([low / 8.0, high / 8.0]))));
    assert_eq!(net(0).per_contact, None);
}
