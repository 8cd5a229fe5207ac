//! Figures of known data, against scipy 1.17.1 and statsmodels 0.15.0.

use super::*;

fn close_interval(what: &str, actual: Option<Interval>, expected: Option<Interval>) {
    match (actual, expected) {
        (Some(actual), Some(expected)) => {
            actual.iter().zip(expected).for_each(|(a, e)| close(what, *a, e))
        }
        _ => assert_eq!(actual, expected, "{what}"),
    }
}

/// Figures in cents.
fn means(treated: &[f64], held_out: &[f64]) -> Pair {
    let mut pair = Pair::default();
    treated.iter().for_each(|value| pair.treatment.add(cents(value * CENTS)));
    held_out.iter().for_each(|value| pair.holdout.add(cents(value * CENTS)));
    pair
}

/// Difference, statistic and p, then the intervals: Wald's or Welch's, Newcombe's, the lift's, and
/// its g.
struct Expected {
    difference: f64,
    test: Option<(f64, f64)>,
    unpooled: Option<Interval>,
    newcombe: Option<Interval>,
    lift: Option<(f64, Option<Interval>, f64)>,
}

fn check(effect: Option<Effect>, expected: &Expected) {
    let effect = effect.unwrap();
    close("difference", effect.difference, expected.difference);
    match (effect.test, expected.test) {
        (Some(test), Some((statistic, p))) => {
            close("statistic", test.statistic, statistic);
            close("p", test.p, p);
        }
        (test, expected) => assert_eq!(test.map(|test| (test.statistic, test.p)), expected),
    }
    let unpooled = by(&effect, "welch").or(by(&effect, "wald"));
    close_interval("unpooled", unpooled.and_then(|of| of.interval), expected.unpooled);
    close_interval(
        "newcombe",
        by(&effect, "newcombe").and_then(|of| of.interval),
        expected.newcombe,
    );
    let lift = effect.relative_lift;
    match expected.lift {
        Some((value, interval, g)) => {
            close("lift", lift.value.unwrap(), value);
            close_interval("lift's interval", lift.interval, interval);
            close("g", lift.g.unwrap(), g);
        }
        None => assert_eq!((lift.value, lift.interval), (None, None)),
    }
}

/// What the method of this name says.
fn by(effect: &Effect, method: &str) -> Option<Estimate> {
    let named = effect.estimates.iter().find(|(known, _)| known.name == method);
    named.map(|(_, estimate)| *estimate)
}

fn rates_effect(strata: &strata::Strata) -> Option<Effect> {
    Effect::of(&conversions(), strata)
}

fn means_effect(strata: &strata::Strata) -> Option<Effect> {
    Effect::of(&revenue_in_cents(), strata)
}

/// The headline is one of the estimates, and the others agree on the difference.
#[test]
fn each_method_gives_its_own_estimate_and_some_give_the_headline() {
    let check = |effect: Effect, methods: &[&str], headline: &str| {
        let named: Vec<_> = effect.estimates.iter().map(|(method, _)| method.name).collect();
        assert_eq!(named, methods);
        let estimates: Vec<_> = effect.estimates.iter().map(|(_, estimate)| *estimate).collect();
        assert!(estimates.iter().all(|estimate| estimate.difference == effect.difference));
        assert_eq!(estimates[0].test, effect.test);
        assert_eq!(effect.interval_methods, [headline]);
        assert_eq!(effect.interval, by(&effect, headline).unwrap().interval);
    };
    let rates = rates_effect(&strata([rates((68, 1_700), (6, 300))])).unwrap();
    check(rates, &["pooled_z", "newcombe", "wald"], "newcombe");
    check(means_effect(&strata([tight()])).unwrap(), &["pooled_t", "welch"], "pooled_t");
}

/// Whichever is wider, whatever the sizes: the small arm varies less here, and more there.
#[test]
fn the_interval_of_a_mean_is_the_wider_of_both() {
    for (treated, held_out, headline) in [
        (&[0.0, 10.0, 50.0, 0.0, 90.0, 5.0][..], &[1.0, 2.0][..], "pooled_t"),
        (&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], &[0.0, 90.0], "welch"),
    ] {
        let effect = means_effect(&strata([means(treated, held_out)])).unwrap();
        assert_eq!(effect.interval_methods, [headline]);
        let width = |method| by(&effect, method).unwrap().interval.map(|[low, high]| high - low);
        let [low, high] = effect.interval.unwrap();
        assert!(Some(high - low) >= width("welch") && Some(high - low) >= width("pooled_t"));
    }
}

fn check_rates(pairs: impl IntoIterator<Item = Pair>, expected: Expected) {
    check(rates_effect(&strata(pairs)), &expected);
}

fn check_means(pairs: impl IntoIterator<Item = Pair>, expected: Expected) {
    check(means_effect(&strata(pairs)), &expected);
}

/// Hillstrom's e-mail experiment (MineThatData, 2008), both e-mails against none: 456 of 42,694 and
/// 122 of 21,306 converted. statsmodels: `proportions_ztest`, `confint_proportions_2indep` with
/// `wald` and `newcomb`; lift: the roots of Fieller's quadratic by numpy.
#[test]
fn conversions_of_the_hillstrom_experiment_agree_with_statsmodels() {
    check_rates(
        [rates((456, 42_694), (122, 21_306))],
        Expected {
            difference: 0.004_954_571_155_268_468,
            test: Some((6.243_765_091_468_568_5, 4.271_613_795_144_971e-10)),
            unpooled: Some([0.003_548_426_506_506_275, 0.006_360_715_804_030_661]),
            newcombe: Some([0.003_508_189_265_492_727_7, 0.006_333_495_420_672_826]),
            lift: Some((
                0.865_263_057_656_967_1,
                Some([0.543_431_219_897_456, 1.307_661_311_128_499]),
                0.031_307_067_991_924_21,
            )),
        },
    );
}

/// The same experiment's spend: sums and sums of squares in cents over all customers of each arm.
/// scipy: `ttest_ind`, pooled for t and p, Welch for the interval.
#[test]
fn spend_of_the_hillstrom_experiment_agrees_with_scipy() {
    let sample = |n, events, sum, squares| Sample {
        n,
        events,
        buyers: events,
        sum: Some(sum),
        squares: Some(squares),
        ..Sample::default()
    };
    let none = sample(21_306, 122, 1_390_833, 28_700_503_621);
    check_means(
        [Pair { treatment: sample(42_694, 456, 5_334_980, 116_704_710_736), holdout: none }],
        Expected {
            difference: 0.596_796_066_727_898_1,
            test: Some((4.732_576_879_956_087, 2.221_602_641_143_008_6e-6)),
            unpooled: Some([0.376_185_270_153_367_17, 0.817_406_863_302_429]),
            newcombe: None,
            lift: Some((
                0.914_224_568_852_234_6,
                Some([0.486_511_224_447_359_95, 1.572_563_291_605_492]),
                0.056_817_231_966_623,
            )),
        },
    );
    check_means(
        [Pair { treatment: sample(21_387, 189, 2_303_811, 49_114_465_763), holdout: none }],
        Expected {
            difference: 0.424_412_215_936_596_7,
            test: Some((3.254_767_529_596_833_2, 0.001_135_735_313_038_701_4)),
            unpooled: Some([0.168_956_789_883_778_7, 0.679_867_641_989_414_7]),
            newcombe: None,
            lift: Some((
                0.650_151_863_864_686_2,
                Some([0.224_172_786_863_516_16, 1.274_940_894_582_139]),
                0.056_817_231_966_623,
            )),
        },
    );
}

/// Pooled test and unpooled interval disagree: p 0.09, and an interval above zero. Both are needed
/// for a verdict.
#[test]
fn few_events_at_unequal_arms_agree_with_statsmodels() {
    check_rates(
        [rates((68, 1_700), (6, 300))],
        Expected {
            difference: 0.02,
            test: Some((1.691_944_372_570_216_1, 0.090_656_580_476_063_23)),
            unpooled: Some([0.001_622_103_348_500_797_4, 0.038_377_896_651_499_2]),
            newcombe: Some([-0.004_403_568_811_434_742, 0.034_994_594_616_122_5]),
            lift: Some((
                1.0,
                Some([0.048_079_710_507_782_15, 8.688_396_211_072_71]),
                0.627_438_274_046_707,
            )),
        },
    );
}

/// 1 − cdf would give p = 0 here.
#[test]
fn a_far_tail_keeps_its_digits() {
    check_rates(
        [rates((12_000, 100_000), (10_000, 100_000))],
        Expected {
            difference: 0.02,
            test: Some((14.293_008_498_232_314, 2.419_279_969_902_138e-46)),
            unpooled: Some([0.017_258_851_800_197_997, 0.022_741_148_199_801_983]),
            newcombe: Some([0.017_259_043_238_760_88, 0.022_741_562_023_034_997]),
            lift: Some((
                0.2,
                Some([0.170_348_497_508_228_78, 0.230_481_544_558_561_74]),
                0.000_345_731_293_862_471_25,
            )),
        },
    );
}

#[test]
fn a_holdout_without_events_has_a_difference_and_no_lift() {
    check_rates(
        [rates((5, 40), (0, 30))],
        Expected {
            difference: 0.125,
            test: Some((2.009_592_381_171_251, 0.044_474_348_283_052_995)),
            unpooled: Some([0.022_511_030_043_055_352, 0.227_488_969_956_944_65]),
            newcombe: Some([-0.008_574_526_394_488_163, 0.261_121_198_388_511]),
            lift: None,
        },
    );
}

#[test]
fn g_of_one_or_more_leaves_the_lift_without_an_interval() {
    check_rates(
        [rates((3, 7), (2, 5))],
        Expected {
            difference: 0.028_571_428_571_428_525,
            test: Some((0.098_974_331_861_078_55, 0.921_158_650_225_025)),
            unpooled: Some([-0.536_039_131_173_622_6, 0.593_181_988_316_479_7]),
            newcombe: Some([-0.429_090_596_984_214_8, 0.456_075_698_565_290_57]),
            lift: Some((0.071_428_571_428_571_4, None, 1.152_437_646_208_237_5)),
        },
    );
}

#[test]
fn small_samples_of_revenue_agree_with_scipy() {
    check_means(
        [means(&[0.0, 0.0, 12.5, 30.0, 7.25], &[0.0, 5.0, 0.0, 9.99])],
        Expected {
            difference: 6.202_5,
            test: Some((0.936_444_510_190_446_5, 0.380_218_228_023_591_73)),
            unpooled: Some([-8.984_114_000_572_996, 21.389_114_000_572_995]),
            newcombe: None,
            lift: Some((1.655_103_402_268_178_8, None, 1.564_279_972_458_376_5)),
        },
    );
    check_means(
        [means(&[3.0, 3.5], &[1.0, 2.25])],
        Expected {
            difference: 1.625,
            test: Some((2.414_039_396_301_674_4, 0.137_159_694_920_036_43)),
            unpooled: Some([-3.346_582_818_427_059, 6.596_582_818_427_059]),
            newcombe: None,
            lift: Some((
                1.0,
                Some([0.110_335_662_600_259_84, 7.154_567_019_509_919]),
                0.568_263_139_155_935_7,
            )),
        },
    );
    check_means(
        [tight()],
        Expected {
            difference: 10.739_583_333_333_332,
            test: Some((10.401_987_567_582_752, 2.335_596_214_971_822_8e-7)),
            unpooled: Some([8.521_487_934_696_816, 12.957_678_731_969_848]),
            newcombe: None,
            lift: Some((
                0.354_539_202_200_825_35,
                Some([0.279_009_725_534_464_57, 0.436_055_871_943_817]),
                0.002_205_174_373_021_343,
            )),
        },
    );
}

fn tight() -> Pair {
    means(
        &[40.0, 42.5, 39.0, 41.0, 44.0, 38.25, 40.5, 43.0],
        &[30.0, 31.5, 29.0, 33.0, 30.25, 28.0],
    )
}

/// Two splits, weighted by their treated; their distances to the bounds add up as squares. Computed
/// with numpy, scipy and statsmodels.
#[test]
fn splits_are_compared_within_and_combined_by_their_treated() {
    check_rates(
        [rates((30, 400), (10, 100)), rates((90, 600), (50, 400))],
        Expected {
            difference: 0.004_999_999_999_999_992,
            test: Some((0.276_163_024_069_716_9, 0.782_422_855_773_004)),
            unpooled: Some([-0.031_493_639_923_956_554, 0.041_493_639_923_956_535]),
            newcombe: Some([-0.035_973_703_374_739_596, 0.038_270_061_437_780_28]),
            lift: Some((
                0.043_478_260_869_565_15,
                Some([-0.225_768_827_319_698_44, 0.470_823_668_114_592_53]),
                0.070_420_693_598_641_37,
            )),
        },
    );
    let both = [tight(), means(&[3.0, 3.5, 0.0, 0.0, 9.0], &[1.0, 2.25, 0.0])];
    check_means(
        both,
        Expected {
            difference: 7.384_615_384_615_384,
            test: Some((6.886_823_031_846_24, 1.400_538_413_582_438_7e-5)),
            unpooled: Some([5.173_110_732_852_11, 9.596_120_036_378_657]),
            newcombe: None,
            lift: Some((
                0.387_487_386_478_304_66,
                Some([0.283_495_991_665_257_74, 0.499_194_049_557_719_2]),
                0.002_772_593_480_435_49,
            )),
        },
    );
    let effect = means_effect(&strata(both)).unwrap();
    let pooled = Some([4.858_037_746_784_101, 9.911_193_022_446_668]);
    close_interval("pooled", by(&effect, "pooled_t").unwrap().interval, pooled);
    assert_eq!(effect.splits.len(), 2);
}

/// Eight and five customers with a numerator and a denominator each; numpy: the ratio of the sums,
/// and scipy's `ttest_ind` of ratio + (x − ratio × b) / mean b.
#[test]
fn ratios_are_compared_by_the_delta_method() {
    let mut pair = Pair::default();
    let add = |sample: &mut Sample, figures: &[(i128, i128)]| {
        figures.iter().for_each(|(value, paired)| {
            sample.add(Figure { value: *value, paired: *paired, is_buyer: false })
        });
    };
    let treated = [(1, 2), (0, 1), (2, 4), (1, 1), (0, 0), (3, 5), (0, 1), (1, 2)];
    add(&mut pair.treatment, &treated);
    add(&mut pair.holdout, &[(0, 1), (1, 2), (0, 0), (0, 3), (2, 4)]);
    let metric = Metric::parse("rate:conversion/visit").unwrap();
    let effect = Effect::of(&metric, &strata([pair])).unwrap();
    close("difference", effect.difference, 0.2);
    let test = effect.test.unwrap();
    close("statistic", test.statistic, 1.416_226_678_783_451_9);
    close("p", test.p, 0.184_398_150_005_583_18);
    let of = |method| by(&effect, method).unwrap().interval;
    close_interval(
        "pooled",
        of("pooled_t"),
        Some([-0.110_823_852_292_106_23, 0.510_823_852_292_106_3]),
    );
    close_interval(
        "welch",
        of("welch"),
        Some([-0.197_204_602_914_812_57, 0.597_204_602_914_812_6]),
    );
    assert_eq!(
        IncrementalTotal::of(&metric, &strata([pair]), &effect),
        None,
        "a ratio has no total"
    );
}

/// Early customers convert at 10 %, late ones at 30 %, treated or not, and the split moved from 10
/// % to 50 % between them. Thrown together the holdout would look better.
#[test]
fn a_split_moved_in_between_makes_no_effect() {
    let both = strata([rates((900, 9_000), (100, 1_000)), rates((300, 1_000), (300, 1_000))]);
    let effect = rates_effect(&both).unwrap();
    assert!(effect.difference.abs() < 1e-12, "{}", effect.difference);
    let thrown_together = rates_effect(&strata([both.total()])).unwrap();
    assert!(thrown_together.difference < -0.07 && thrown_together.test.unwrap().p < 1e-9);
}

#[test]
fn a_split_without_both_arms_is_left_out_and_named() {
    let with_one_arm =
        strata([rates((90, 900), (0, 0)), rates((9, 90), (5, 100)), rates((5, 9), (1, 1))]);
    let alone = strata([rates((9, 90), (5, 100))]);
    let difference =
        |strata| rates_effect(strata).map(|effect| (effect.difference, effect.interval));
    assert_eq!(difference(&with_one_arm), difference(&alone));
    let srm = srm::sample_ratio(&[], &with_one_arm);
    let methods = wording::methods(
        &Design::of(&experiment()),
        &conversions(),
        &with_one_arm,
        Population::Assigned,
        None,
        &srm,
    );
    let splits =
        methods.iter().find(|(figure, _)| *figure == "splits").map(|(_, method)| method.as_str());
    let expected = "each split compared by itself, 1 combined by their treated; 2 left out: an \
                    arm has fewer than two customers or nothing to divide by, or nobody varies; \
                    the arms show all customers, so their means do not subtract to the \
                    difference";
    assert_eq!(splits, Some(expected));
}

/// Newcombe's interval has a width without variation too: nobody of 20 is not nobody at all.
#[test]
fn without_variation_there_is_no_test_and_no_interval_that_rests_on_one() {
    for pair in [rates((0, 50), (0, 20)), rates((50, 50), (20, 20))] {
        let effect = rates_effect(&strata([pair])).unwrap();
        assert_eq!((effect.difference, effect.test), (0.0, None));
        assert_eq!(by(&effect, "wald").unwrap().interval, None);
        assert!(effect.interval.is_some_and(|[low, high]| low < -0.06 && high > 0.06));
    }
    for (treated, difference) in [(0.0, 0.0), (5.0, 5.0)] {
        let effect = means_effect(&strata([means(&[treated; 9], &[0.0; 4])])).unwrap();
        assert_eq!((effect.difference, effect.test, effect.interval), (difference, None, None));
    }
    let one_sided = means_effect(&strata([means(&[1.0, 2.0, 3.0], &[0.0; 4])])).unwrap();
    assert!(
        one_sided.test.is_some() && one_sided.interval.is_some(),
        "one arm's variation is enough"
    );
}

#[test]
fn fewer_than_two_customers_in_an_arm_are_not_enough_data() {
    for pair in
        [rates((0, 0), (0, 0)), rates((3, 9), (0, 0)), rates((3, 9), (1, 1)), rates((1, 1), (3, 9))]
    {
        assert!(rates_effect(&strata([pair])).is_none());
        assert!(means_effect(&strata([pair])).is_none());
    }
}

#[test]
fn losses_have_no_lift_to_be_relative_to() {
    let effect = means_effect(&strata([means(&[1.0, 2.0], &[-3.0, -1.0])])).unwrap();
    assert_eq!(effect.relative_lift, RelativeLift::default());
}
