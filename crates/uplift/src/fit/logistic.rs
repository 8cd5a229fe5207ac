//! Whether the outcome happens: logistic regression on features, treatment and their products, by
//! linfa-logistic.

use linfa::{Dataset, traits::Fit as _};
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2};

use super::{ALPHA, Row, Why};
use crate::FoldModel;

/// Steps of the solver.
const STEPS_MAX: u64 = 500;
/// The solver ends when the gradient is so small, per row.
const TOLERANCE: f64 = 1e-8;

/// What the rows of the other folds say.
pub(super) fn learn(rows: &[Row], without: usize) -> Result<FoldModel, Why> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.fold != without).collect();
    let width = rows.first().map_or(0, |row| row.vector.len());
    let columns = 2 * width + 1;
    let mut numbers = Vec::with_capacity(rows.len() * columns);
    rows.iter().for_each(|row| push(row, &mut numbers));
    let targets: Array1<bool> = rows.iter().map(|row| row.is_positive).collect();
    let shape = (rows.len(), columns);
    let records = Array2::from_shape_vec(shape, numbers).map_err(|_| Why::NotSolved)?;
    let dataset = Dataset::new(records, targets);
    let fitted = LogisticRegression::default()
        .alpha(ALPHA)
        .max_iterations(STEPS_MAX)
        .gradient_tolerance(TOLERANCE * rows.len().max(1) as f64)
        .fit(&dataset)
        .map_err(|_| Why::NotSolved)?;
    // The class that is more frequent counts as positive there.
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let coefficients: Vec<f64> = fitted.params().iter().map(|one| sign * one).collect();
    super::linear::model(sign * fitted.intercept(), &coefficients, width)
}

/// Features, treatment, and features times treatment.
pub(super) fn push(row: &Row, numbers: &mut Vec<f64>) {
    let treated = f64::from(u8::from(row.is_treated));
    numbers.push(treated);
    numbers.extend(&row.vector);
    numbers.extend(row.vector.iter().map(|number| treated * number));
}
