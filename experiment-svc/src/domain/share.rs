//! The share of customers in the holdout, as an exact percentage.

/// All, in basis points.
pub const WHOLE: u32 = 10_000;

/// A percentage as exact basis points; a fault says what would be right.
pub fn basis_points(percent: f64) -> Result<u32, String> {
    if !(0.0..=100.0).contains(&percent) {
        return Err(format!("is {percent}; it must be 0 to 100"));
    }
    let nearest = (percent * 100.0).round();
    // The quotient of two whole numbers is rounded once, as reading the decimal text was: equal
    // means two decimals.
    if nearest / 100.0 == percent {
        Ok(nearest as u32)
    } else {
        Err(format!("is {percent}; it must have at most two decimals"))
    }
}

/// Basis points as a percentage.
pub fn percent(basis_points: u32) -> f64 {
    f64::from(basis_points) / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentage_of_two_decimals_is_exact() {
        for points in 0..=WHOLE {
            let text = format!("{}.{:02}", points / 100, points % 100);
            assert_eq!(basis_points(text.parse().unwrap()), Ok(points), "{text}");
            assert_eq!(basis_points(percent(points)), Ok(points), "{text}");
        }
        assert_eq!(basis_points(15.25), Ok(1_525));
    }

    #[test]
    fn a_third_decimal_is_refused() {
        let check =
            |percent: f64, expected: &str| assert_eq!(basis_points(percent).unwrap_err(), expected);
        check(15.255, "is 15.255; it must have at most two decimals");
        check(15.000_000_000_1, "is 15.0000000001; it must have at most two decimals");
        check(0.001, "is 0.001; it must have at most two decimals");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for wrong in [-0.01, 100.01, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                basis_points(wrong).unwrap_err(),
                format!("is {wrong}; it must be 0 to 100")
            );
        }
        assert_eq!(basis_points(-0.0), Ok(0));
    }
}
