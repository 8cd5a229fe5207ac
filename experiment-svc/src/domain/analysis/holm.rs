//! Holm's correction: several tests find something by chance more often than one. The smallest p is
//! multiplied by the number of tests, the next by one less, and so on; the chance that any of them
//! falsely declares an effect stays below the level.

/// The adjusted p-values, in the order given. A test that could not be made is not counted.
pub fn holm(ps: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut tested: Vec<(usize, f64)> =
        ps.iter().enumerate().filter_map(|(index, p)| Some((index, (*p)?))).collect();
    tested.sort_by(|one, two| one.1.total_cmp(&two.1));
    let mut adjusted = vec![None; ps.len()];
    let (count, mut largest) = (tested.len(), 0.0_f64);
    for (rank, (index, p)) in tested.into_iter().enumerate() {
        largest = largest.max((p * (count - rank) as f64).min(1.0));
        if let Some(place) = adjusted.get_mut(index) {
            *place = Some(largest);
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// statsmodels 0.15.0, `multipletests(ps, method="holm")`.
    #[test]
    fn adjusted_p_values_agree_with_statsmodels() {
        let check = |ps: &[f64], expected: &[f64]| {
            let given: Vec<_> = ps.iter().copied().map(Some).collect();
            for (adjusted, expected) in holm(&given).into_iter().zip(expected) {
                assert!((adjusted.unwrap() - expected).abs() < 1e-15, "{adjusted:?} {expected}");
            }
        };
        check(&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]);
        check(&[0.9, 0.2, 0.2], &[0.9, 0.6, 0.6]);
        check(&[0.03], &[0.03]);
        check(&[], &[]);
    }

    #[test]
    fn a_metric_without_a_test_costs_the_others_nothing() {
        assert_eq!(
            holm(&[None, Some(0.02), None, Some(0.03)]),
            [None, Some(0.04), None, Some(0.04)]
        );
    }
}
