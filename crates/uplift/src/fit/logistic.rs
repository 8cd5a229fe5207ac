//! Whether the outcome happens: logistic regression on features, treatment and their products, by
//! linfa-logistic.

use linfa::{Dataset, traits::Fit as _};
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder as _};

use super::{
    ALPHA, Row, Why,
    design::{columns_of, model},
};
use crate::FoldModel;

/// Steps of the solver.
const STEPS_MAX: u64 = 500;
/// The solver ends when the gradient is so small, per row.
const TOLERANCE: f64 = 1e-7;

/// What the rows of the other folds say. The solver begins at `near`, if there is one.
pub(super) fn learn(
    rows: &[Row],
    without: usize,
    near: Option<&FoldModel>,
) -> Result<FoldModel, Why> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.fold != without).collect();
    let width = rows.first().map_or(0, |row| row.vector.len());
    let targets: Array1<bool> = rows.iter().map(|row| row.is_positive).collect();
    let columns = 2 * width + 1;
    // Column by column: the solver's products run along columns.
    let shape = (rows.len(), columns).f();
    let numbers = columns_of(&rows, width);
    let records = Array2::from_shape_vec(shape, numbers).map_err(|_| Why::NotSolved)?;
    let is_frequent = 2 * targets.iter().filter(|is| **is).count() > targets.len();
    let mut solver = LogisticRegression::default()
        .alpha(ALPHA)
        .max_iterations(STEPS_MAX)
        .gradient_tolerance(TOLERANCE * rows.len().max(1) as f64);
    if let Some(near) = near {
        // The class that is more frequent counts as positive there.
        let sign = if is_frequent { 1.0 } else { -1.0 };
        let start = std::iter::once(&near.treatment).chain(&near.baseline).chain(&near.interaction);
        let start = start.chain([&near.intercept]).map(|one| sign * one);
        solver = solver.initial_params(start.collect());
    }
    let fitted = solver.fit(&Dataset::new(records, targets)).map_err(|_| Why::NotSolved)?;
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let coefficients: Vec<f64> = fitted.params().iter().map(|one| sign * one).collect();
    model(sign * fitted.intercept(), &coefficients, width)
}
