//! Quantiles and p-values of the normal, t and chi-square distributions, from statrs. Upper tails
//! use `sf`, because 1 − cdf cancels.

use statrs::distribution::{
    Binomial, ChiSquared, ContinuousCDF as _, Discrete as _, DiscreteCDF as _, Normal, StudentsT,
};

/// Upper tail beyond a two-sided 95 % interval.
const TAIL: f64 = 0.025;
/// Above this many degrees of freedom t and normal agree to 1e-8, and statrs computes t no better
/// than that.
const NORMAL_FROM: f64 = 1e8;
/// Halvings of the bracket in which a quantile is sought; 64 exhaust a double.
const HALVINGS: usize = 64;

/// The normal quantile of a two-sided 95 % interval.
pub const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

/// The t quantile of a two-sided 95 % interval, to 1e-7; none below one degree of freedom.
///
/// It is sought by halving a bracket with `sf`: statrs 0.19's own `inverse_cdf` is off by 7 % at
/// 10^7 degrees of freedom and does not end at 10^8, both within reach of a large experiment.
pub fn t_quantile(degrees_of_freedom: f64) -> Option<f64> {
    let distribution = student(degrees_of_freedom).filter(|_| degrees_of_freedom >= 1.0)?;
    // The quantile falls from 12.71 at one degree of freedom to the normal one.
    let (mut low, mut high) = (1.9, 13.0);
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if distribution.sf(middle) > TAIL { low = middle } else { high = middle }
    }
    Some(high)
}

/// Upper tail of a z.
pub fn normal_upper(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// Upper tail of a t; none without a t or degrees of freedom, where statrs would panic.
pub fn t_upper(t: f64, degrees_of_freedom: f64) -> Option<f64> {
    Some(student(degrees_of_freedom).filter(|_| t.is_finite())?.sf(t))
}

/// Upper tail of a chi-square; 1 without degrees of freedom, where nothing is tested.
pub fn chi_square_p(statistic: f64, degrees_of_freedom: u32) -> f64 {
    match ChiSquared::new(f64::from(degrees_of_freedom)) {
        Ok(distribution) => distribution.sf(statistic),
        Err(_) => 1.0,
    }
}

/// Two-sided p of `hits` among `n` draws of probability `p`: the chance of all counts that are no
/// likelier than this one, as scipy's `binomtest` has it. None for a share that is no probability
/// strictly between 0 and 1.
pub fn binomial_p(hits: u64, n: u64, p: f64) -> Option<f64> {
    let counts = Binomial::new(p, n).ok().filter(|_| p > 0.0 && p < 1.0 && hits <= n)?;
    let limit = counts.pmf(hits) * (1.0 + 1e-7);
    let is_rare = |count: u64| counts.pmf(count) <= limit;
    let mode = ((n + 1) as f64 * p) as u64;
    let below = |count: u64| if count == 0 { 0.0 } else { counts.cdf(count - 1) };
    let sum = if hits < mode {
        // The first rare count above the mode; n + 1 when there is none.
        let other = partition(mode, n + 1, is_rare);
        counts.cdf(hits) + if other > n { 0.0 } else { counts.sf(other - 1) }
    } else if hits > mode {
        // The first count below the mode that is not rare.
        let other = partition(0, mode, |count| !is_rare(count));
        below(other) + counts.sf(hits - 1)
    } else {
        1.0
    };
    Some(sum.min(1.0))
}

/// The first number of [low, high) for which `holds`, given that it holds for all after it too;
/// `high` when there is none.
fn partition(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

fn student(degrees_of_freedom: f64) -> Option<StudentsT> {
    let free = if degrees_of_freedom > NORMAL_FROM { f64::INFINITY } else { degrees_of_freedom };
    StudentsT::new(0.0, 1.0, free).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(actual: f64, expected: f64, relative: f64) {
        assert!(
            (actual - expected).abs() <= relative * expected.abs(),
            "{actual:e} is not {expected:e}"
        );
    }

    /// scipy 1.17.1, stats.t.ppf(0.975, df).
    #[test]
    fn t_quantiles_agree_with_scipy_however_many_degrees_of_freedom() {
        for (free, expected) in [
            (1.0, 12.706_204_736_175),
            (1.5, 6.016_663_104_428),
            (3.7, 2.867_520_707_191),
            (30.3, 2.041_424_872_700),
            (1e3, 1.962_339_080_826),
            (25_000.5, 1.960_058_878_007),
            (1e6, 1.959_966_356_814),
            (1e7, 1.959_964_221_767),
            (1e8, 1.959_964_008_263),
            (1e10, 1.959_963_984_777),
            (f64::INFINITY, 1.959_963_984_540),
        ] {
            check(t_quantile(free).unwrap(), expected, 1e-7);
        }
        for wrong in [0.0, 0.99, -1.0, f64::NAN] {
            assert_eq!(t_quantile(wrong), None);
        }
    }

    /// scipy 1.17.1, stats.t.sf and stats.norm.sf.
    #[test]
    fn far_tails_do_not_cancel() {
        check(t_upper(40.0, 10.0).unwrap(), 1.140_428_871_542_876_8e-12, 1e-9);
        check(t_upper(40.0, 100.0).unwrap(), 1.231_053_801_070_035_4e-63, 1e-9);
        check(t_upper(2.0, 1e7).unwrap(), 0.022_750_145_445_921_48, 1e-6);
        check(t_upper(2.0, 1e10).unwrap(), 0.022_750_131_961_676_96, 1e-6);
        check(normal_upper(6.24), 2.187_854_468_029_027_8e-10, 1e-9);
        check(normal_upper(-6.24), 1.0, 1e-9);
        assert_eq!(t_upper(2.0, 0.0), None);
        assert_eq!(
            (t_upper(f64::NAN, 5.0), t_upper(f64::INFINITY, 5.0), t_upper(2.0, f64::NAN)),
            (None, None, None)
        );
        assert_eq!(t_upper(1e300, 5.0), Some(0.0));
    }

    /// scipy 1.17.1, stats.chi2.sf.
    #[test]
    fn chi_square_tails_agree_with_scipy() {
        check(chi_square_p(10.8, 1), 0.001_015_000_947_113_068_2, 1e-9);
        check(chi_square_p(16.0, 3), 0.001_133_984_289_785_321_6, 1e-9);
        assert_eq!((chi_square_p(0.0, 1), chi_square_p(5.0, 0)), (1.0, 1.0));
        for huge in [1e4, 1e9, 1e18] {
            assert!((0.0..1e-300).contains(&chi_square_p(huge, 1)), "{huge}");
        }
    }

    /// scipy 1.17.1, stats.binomtest(hits, n, p).pvalue.
    #[test]
    fn exact_binomial_tests_agree_with_scipy() {
        for (hits, n, p, expected) in BINOMIALS {
            check(binomial_p(hits, n, p).unwrap(), expected, 1e-9);
        }
        for (hits, n, p) in [(1, 5, 0.0), (1, 5, 1.0), (1, 5, f64::NAN), (6, 5, 0.5)] {
            assert_eq!(binomial_p(hits, n, p), None);
        }
    }

    const BINOMIALS: [(u64, u64, f64, f64); 14] = [
        (0, 5, 0.01, 1.0),
        (1, 5, 0.01, 0.049009950100000005),
        (5, 27, 0.15, 0.5887811751061052),
        (0, 27, 0.15, 0.02624444941388253),
        (12, 27, 0.15, 0.0002454692830625609),
        (2, 5, 0.5, 1.0),
        (30, 50000, 0.0001, 2.8005312132690863e-14),
        (0, 50000, 0.0001, 0.012186882090414367),
        (5, 50000, 0.0001, 1.0),
        (9, 90, 0.9, 2.769895578763414e-70),
        (85, 90, 0.9, 0.21586272333757175),
        (60, 66, 0.8501, 0.22673706632511276),
        (8, 8, 0.5, 0.0078125),
        (1, 1, 0.2, 0.2),
    ];
}
