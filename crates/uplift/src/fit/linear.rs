//! What the outcome is worth: linear regression on features, treatment and their products, with a
//! small penalty on squared coefficients, by faer.

use faer::{Mat, Side, linalg::solvers::Solve as _};

use super::{
    ALPHA, Row, Why,
    design::{columns_of, model},
};
use crate::FoldModel;

/// What the rows of the other folds say.
pub(super) fn learn(
    rows: &[Row],
    without: usize,
    _near: Option<&FoldModel>,
) -> Result<FoldModel, Why> {
    let rows: Vec<&Row> = rows.iter().filter(|row| row.fold != without).collect();
    let width = rows.first().map_or(0, |row| row.vector.len());
    let columns = 2 * width + 2;
    let mut numbers = vec![1.0; rows.len()];
    numbers.extend(columns_of(&rows, width));
    let design = faer::MatRef::from_column_major_slice(&numbers, rows.len(), columns);
    let outcomes = Mat::from_fn(rows.len(), 1, |row, _| rows.get(row).map_or(0.0, |it| it.value));
    let mut gram: Mat<f64> = design.transpose() * design;
    // The intercept is not penalized.
    (1..columns).for_each(|column| gram[(column, column)] += ALPHA);
    let moments: Mat<f64> = design.transpose() * &outcomes;
    let factors = gram.llt(Side::Lower).map_err(|_| Why::NotSolved)?;
    let solved = factors.solve(&moments);
    let coefficients: Vec<f64> = solved.col(0).iter().copied().collect();
    let (intercept, others) = coefficients.split_first().ok_or(Why::NotSolved)?;
    model(*intercept, others, width)
}
