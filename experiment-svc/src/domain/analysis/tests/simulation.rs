//! What the tests declare where there is nothing to find.

use super::*;

/// SplitMix64: seeded, the same on every machine.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }

    /// `n` customers of whom a share buys, for as many cents as `spend` says.
    fn buyers(&mut self, n: u64, share: f64, mut spend: impl FnMut(&mut Self) -> f64) -> Sample {
        let mut sample = Sample::default();
        let mut next = 0;
        loop {
            let skipped = (libm::log(1.0 - self.unit()) / libm::log(1.0 - share)) as u64;
            if next + skipped >= n {
                return sample.with(&Sample { n: n - next, ..Sample::default() });
            }
            next += skipped + 1;
            sample = sample.with(&Sample { n: skipped, ..Sample::default() });
            sample.add(cents(spend(self)));
        }
    }

    /// `n` customers of whom a share buys, for log-normal sums: the moments of the logarithm are
    /// those of Hillstrom's control arm.
    fn arm(&mut self, n: u64, share: f64) -> Sample {
        self.buyers(n, share, |random| CENTS * libm::exp(4.413 + 0.79 * random.normal()))
    }
}

/// Share of Hillstrom's control arm who buy.
const CONTROL_BUYS: f64 = 0.005_73;

/// Runs of a simulation, and whether it is the drill, which has so many that its bounds are tight.
fn runs() -> (usize, bool) {
    match std::env::var("PROFFER_TEST_RUNS").map(|runs| runs.parse()) {
        Ok(Ok(runs)) => (runs, true),
        _ => (400, false),
    }
}

/// 85 % treated, 15 % held out, and nothing to find: 21,306 customers, about 18 buyers in the
/// holdout. The pooled test declares an effect as often as it says it does: 5.2 %. The unpooled z
/// declares one in 8.1 %, nearly always a gain: 7.4 %, where 2.5 % was promised. Monte-Carlo error:
/// 0.35 points.
#[test]
fn heavy_tailed_revenue_without_an_effect_is_not_declared_a_gain() {
    const RUNS: usize = 4_000;
    let mut random = Random(20_260_917);
    let (mut pooled, mut unpooled, mut unpooled_gains) = (0, 0, 0);
    for _ in 0..RUNS {
        let pair = Pair {
            treatment: random.arm(18_110, CONTROL_BUYS),
            holdout: random.arm(3_196, CONTROL_BUYS),
        };
        let strata = strata([pair]);
        let effect = Effect::of(&revenue_in_cents(), &strata).unwrap();
        pooled += usize::from(effect.test.unwrap().p < 0.05);
        let arms = comparison::Comparison::of(&revenue_in_cents(), &strata.of_two()).unwrap();
        let z = effect.difference / (arms.treatment.variance + arms.holdout.variance).sqrt();
        unpooled += usize::from(z.abs() > 1.96);
        unpooled_gains += usize::from(z > 1.96);
    }
    let share = |count: usize| 100.0 * count as f64 / RUNS as f64;
    let (pooled, unpooled, gains) = (share(pooled), share(unpooled), share(unpooled_gains));
    assert!((3.9..6.1).contains(&pooled), "pooled t: {pooled} %");
    assert!(
        unpooled > pooled + 1.0 && gains > 5.0,
        "unpooled z: {unpooled} %, of these gains {gains} %"
    );
}

/// 64,000 customers at 85/15, about 55 conversions in the holdout: 5.0 % are declared.
#[test]
fn rates_without_an_effect_are_declared_at_the_level_promised() {
    const RUNS: usize = 4_000;
    let mut random = Random(7);
    let mut declared = 0;
    for _ in 0..RUNS {
        let [treated, held_out] = [54_400, 9_600].map(|n| (random.arm(n, CONTROL_BUYS).events, n));
        let pair = rates(treated, held_out);
        let effect = Effect::of(&conversions(), &strata([pair])).unwrap();
        declared += usize::from(effect.test.unwrap().p < 0.05);
    }
    let share = 100.0 * declared as f64 / RUNS as f64;
    assert!((3.5..6.1).contains(&share), "{share} %");
}

/// How often an interval covers the truth, and how often it lies above it, in percent.
#[derive(Clone, Copy, Debug, Default)]
struct Coverage {
    covers: usize,
    above: usize,
}

impl Coverage {
    fn add(&mut self, interval: Option<Interval>, truth: f64) {
        // Without an interval nothing false is said.
        let [low, high] = interval.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        self.covers += usize::from(low <= truth && truth <= high);
        self.above += usize::from(low > truth);
    }

    fn percent(self, runs: usize) -> (f64, f64) {
        let share = |count: usize| 100.0 * count as f64 / runs as f64;
        (share(self.covers), share(self.above))
    }
}

/// A case of the table: customers and share who buy, treated and held out; what the intervals must
/// cover and how often they may lie above the truth, in percent.
struct Case {
    treated: (u64, f64),
    held_out: (u64, f64),
    covers_min: f64,
    above_max: f64,
}

const fn case(treated: (u64, f64), held_out: (u64, f64), covers_min: f64, above_max: f64) -> Case {
    Case { treated, held_out, covers_min, above_max }
}

/// No effect, a gain, and a loss; from 1 expected buyer in the smaller arm on, a loss from 15 on.
const CASES: [Case; 9] = [
    case((200, 0.03), (35, 0.03), 93.0, 3.5),
    case((183, 0.11), (27, 0.11), 93.0, 3.5),
    case((850, 0.03), (150, 0.03), 93.0, 3.5),
    case((8_500, 0.01), (1_500, 0.01), 93.0, 3.5),
    case((17_000, 0.03), (3_000, 0.03), 93.0, 3.5),
    case((200, 0.06), (35, 0.03), 93.0, 3.5),
    case((8_500, 0.02), (1_500, 0.01), 93.0, 3.5),
    case((4_250, 0.01), (750, 0.02), 90.0, 100.0),
    case((21_250, 0.01), (3_750, 0.02), 93.0, 100.0),
];

/// `PROFFER_TEST_RUNS=4000` makes it the drill whose table is in docs/experiments.md.
#[test]
fn shown_intervals_cover_the_truth_from_one_expected_buyer_on() {
    let (runs, is_drill) = runs();
    let basket = libm::exp(4.413 + 0.79 * 0.79 / 2.0);
    for (index, Case { treated, held_out, covers_min, above_max }) in CASES.iter().enumerate() {
        let mut random = Random(20_261_130 + index as u64);
        let (mut of_rates, mut of_means) = (Coverage::default(), Coverage::default());
        let truth = treated.1 - held_out.1;
        for _ in 0..runs {
            let pair = Pair {
                treatment: random.arm(treated.0, treated.1),
                holdout: random.arm(held_out.0, held_out.1),
            };
            let means = Effect::of(&revenue_in_cents(), &strata([pair])).unwrap();
            of_means.add(means.interval, truth * basket);
            let counted = [pair.treatment, pair.holdout].map(|sample| (sample.events, sample.n));
            let rates =
                Effect::of(&conversions(), &strata([rates(counted[0], counted[1])])).unwrap();
            of_rates.add(rates.interval, truth);
        }
        for (what, coverage) in [("rate", of_rates), ("mean", of_means)] {
            let (covers, above) = coverage.percent(runs);
            println!(
                "| {} / {} | {} % / {} % | {} | {what} | {covers:.1} % | {above:.1} % |",
                treated.0,
                held_out.0,
                treated.1 * 100.0,
                held_out.1 * 100.0,
                held_out.0 as f64 * held_out.1,
            );
            let (covers_min, above_max) =
                if is_drill { (*covers_min, *above_max) } else { (90.0, 100.0) };
            assert!(covers >= covers_min, "{what} of case {index} covers in {covers} %");
            assert!(above <= above_max, "{what} of case {index} lies above in {above} %");
        }
    }
}

/// What Hillstrom's control customers spent, in cents.
fn control_spends() -> Vec<f64> {
    use std::io::Read as _;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hillstrom/hillstrom.csv.gz");
    let mut text = String::new();
    let packed = std::fs::File::open(path).unwrap();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let control = text.lines().filter(|line| line.contains("No E-Mail"));
    let spends = control.filter_map(|line| line.rsplit(',').next()?.trim().parse::<f64>().ok());
    spends.filter(|spend| *spend > 0.0).map(|spend| spend * CENTS).collect()
}

/// 64,000 customers at 85/15, spending as Hillstrom's control customers do, with nothing to find
/// and a look every day of twenty. Who stops at the first p below 0.05 finds an effect in every
/// fifth such experiment, and with Welch's interval in every third; the interval shown is the wider
/// one and still misleads. The anytime interval does so in one of twenty at most.
#[test]
fn twenty_looks_at_the_anytime_interval_mislead_as_rarely_as_one() {
    const LOOKS: u64 = 20;
    let (runs, is_drill) = runs();
    let spends = control_spends();
    assert_eq!(spends.len(), 122);
    let mut random = Random(64_000);
    // By pooled t, by Welch, by the interval shown, and by the anytime one.
    let mut misled = [0; 4];
    for _ in 0..runs {
        let mut pair = Pair::default();
        let mut excludes = [false; 4];
        for _ in 0..LOOKS {
            let mut day = |n: u64| {
                random.buyers(n / LOOKS, CONTROL_BUYS, |random| {
                    spends[(random.unit() * spends.len() as f64) as usize]
                })
            };
            pair.treatment = pair.treatment.with(&day(54_400));
            pair.holdout = pair.holdout.with(&day(9_600));
            let effect = Effect::of(&revenue_in_cents(), &strata([pair])).unwrap();
            let is_shown = pair.holdout.buyers >= anytime::GUARDED_MIN;
            let anytime = anytime::anytime(&effect, N_STAR_DEFAULT).filter(|_| is_shown);
            let by = |method: &str| {
                let found = effect.estimates.iter().find(|(known, _)| known.name == method);
                found.unwrap().1.interval
            };
            let intervals = [
                by("pooled_t"),
                by("welch"),
                effect.interval,
                anytime.map(|anytime| anytime.interval),
            ];
            for (excludes, interval) in excludes.iter_mut().zip(intervals) {
                *excludes |= interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0);
            }
        }
        misled.iter_mut().zip(excludes).for_each(|(misled, one)| *misled += usize::from(one));
    }
    let [pooled, welch, shown, anytime] = misled.map(|count| 100.0 * count as f64 / runs as f64);
    println!(
        "pooled t {pooled:.1} %, Welch {welch:.1} %, shown {shown:.1} %, anytime {anytime:.1} %"
    );
    assert!(pooled > if is_drill { 20.0 } else { 17.0 } && welch > 20.0, "{pooled} % {welch} %");
    assert!(shown > anytime + 3.0, "{shown} %");
    assert!(anytime <= 5.0, "{anytime} %");
}

/// 50 % held out and no effect, then 80 % and two points more: the total is what the treated of the
/// second split gained. With one difference for all treated it would be several times as much.
#[test]
fn totals_over_splits_cover_the_effect_of_the_split_that_had_one() {
    let (runs, is_drill) = runs();
    let mut random = Random(5_080);
    let (mut coverage, mut sum) = (Coverage::default(), 0.0);
    let truth = 1_000.0 * 0.02;
    for _ in 0..runs {
        let mut hits = |n: u64, share: f64| (random.arm(n, share).events, n);
        let both = strata([
            rates(hits(4_000, 0.03), hits(4_000, 0.03)),
            rates(hits(1_000, 0.07), hits(4_000, 0.05)),
        ]);
        let effect = Effect::of(&conversions(), &both).unwrap();
        let total = IncrementalTotal::of(&conversions(), &both, &effect).unwrap();
        coverage.add(total.interval, truth);
        sum += total.value;
    }
    let (covers, above) = coverage.percent(runs);
    let mean = sum / runs as f64;
    println!("the total covers in {covers:.1} %, lies above in {above:.1} %, is {mean:.1}");
    assert!(covers >= if is_drill { 93.0 } else { 90.0 }, "{covers} %");
    assert!((mean - truth).abs() < 4.0, "{mean} is not {truth}");
}
