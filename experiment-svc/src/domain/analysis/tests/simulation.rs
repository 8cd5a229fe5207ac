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

    /// `n` customers of whom 0.573 % buy, for log-normal sums: the rate and the moments of the
    /// logarithm are those of Hillstrom's control arm.
    fn arm(&mut self, n: u64) -> Sample {
        let mut sample = Sample::default();
        let mut next = 0;
        loop {
            let skipped = (libm::log(1.0 - self.unit()) / libm::log(1.0 - 0.005_73)) as u64;
            if next + skipped >= n {
                return sample.with(&Sample { n: n - next, ..Sample::default() });
            }
            next += skipped + 1;
            sample = sample.with(&Sample { n: skipped, ..Sample::default() });
            sample.add(cents(CENTS * libm::exp(4.413 + 0.79 * self.normal())));
        }
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
        let pair = Pair { treatment: random.arm(18_110), holdout: random.arm(3_196) };
        let strata = strata([pair]);
        let effect = Effect::of(&revenue_in_cents(), &strata).unwrap();
        pooled += usize::from(effect.test.unwrap().p < 0.05);
        let arms = comparison::Comparison::of(&revenue_in_cents(), &strata).unwrap();
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
        let pair = Pair { treatment: random.arm(54_400), holdout: random.arm(9_600) };
        let effect = Effect::of(&conversions(), &strata([pair])).unwrap();
        declared += usize::from(effect.test.unwrap().p < 0.05);
    }
    let share = 100.0 * declared as f64 / RUNS as f64;
    assert!((3.5..6.1).contains(&share), "{share} %");
}
