//! Quantiles and p-values of the normal, t and chi-square distributions, from statrs. Upper tails
//! use `sf`, because 1 − cdf cancels.

use statrs::distribution::{ChiSquared, ContinuousCDF as _, Normal, StudentsT};

/// Upper tail beyond a two-sided 95 % interval.
const TAIL: f64 = 0.025;
/// Above this many degrees of freedom t and normal agree to 1e-8, and statrs computes t no better
/// than that.
const NORMAL_FROM: f64 = 1e8;
/// Halvings of the bracket in which a quantile is sought; 64 exhaust a double.
const HALVINGS: usize = 64;

/// The normal quantile of a two-sided 95 % interval.
pub fn normal_quantile() -> f64 {
    Normal::standard().inverse_cdf(1.0 - TAIL)
}

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

/// Two-sided p of a z.
pub fn normal_p(z: f64) -> f64 {
    2.0 * Normal::standard().sf(z.abs())
}

/// Two-sided p of a t; none without a t or degrees of freedom, where statrs would panic.
pub fn t_p(t: f64, degrees_of_freedom: f64) -> Option<f64> {
    let distribution = student(degrees_of_freedom).filter(|_| t.is_finite())?;
    Some(2.0 * distribution.sf(t.abs()))
}

/// Upper tail of a chi-square; 1 without degrees of freedom, where nothing is tested.
pub fn chi_square_p(statistic: f64, degrees_of_freedom: u32) -> f64 {
    match ChiSquared::new(f64::from(degrees_of_freedom)) {
        Ok(distribution) => distribution.sf(statistic),
        Err(_) => 1.0,
    }
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
        check(normal_quantile(), 1.959_963_984_540_054, 1e-9);
        for wrong in [0.0, 0.99, -1.0, f64::NAN] {
            assert_eq!(t_quantile(wrong), None);
        }
    }

    /// scipy 1.17.1, 2 * stats.t.sf and 2 * stats.norm.sf.
    #[test]
    fn far_tails_do_not_cancel() {
        check(t_p(40.0, 10.0).unwrap(), 2.0 * 1.140_428_871_542_876_8e-12, 1e-9);
        check(t_p(-40.0, 100.0).unwrap(), 2.0 * 1.231_053_801_070_035_4e-63, 1e-9);
        check(t_p(2.0, 1e7).unwrap(), 2.0 * 0.022_750_145_445_921_48, 1e-6);
        check(t_p(2.0, 1e10).unwrap(), 2.0 * 0.022_750_131_961_676_96, 1e-6);
        check(normal_p(-6.24), 2.0 * 2.187_854_468_029_027_8e-10, 1e-9);
        assert_eq!(t_p(2.0, 0.0), None);
        assert_eq!(
            (t_p(f64::NAN, 5.0), t_p(f64::INFINITY, 5.0), t_p(2.0, f64::NAN)),
            (None, None, None)
        );
        assert_eq!(t_p(1e300, 5.0), Some(0.0));
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
}
