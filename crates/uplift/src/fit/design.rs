//! The columns of a regression, and the model that its coefficients make.

use super::{Row, Why};
use crate::FoldModel;

/// Treatment, features, and features times treatment, each for all rows.
pub(super) fn columns_of(rows: &[&Row], width: usize) -> Vec<f64> {
    let mut numbers = Vec::with_capacity(rows.len() * (2 * width + 1));
    let treated = |row: &Row| f64::from(u8::from(row.is_treated));
    numbers.extend(rows.iter().map(|row| treated(row)));
    let feature = |row: &Row, place: usize| row.vector.get(place).copied().unwrap_or(0.0);
    for place in 0..width {
        numbers.extend(rows.iter().map(|row| feature(row, place)));
    }
    for place in 0..width {
        numbers.extend(rows.iter().map(|row| treated(row) * feature(row, place)));
    }
    numbers
}

/// The model of coefficients in the order of [`columns_of`].
pub(super) fn model(intercept: f64, others: &[f64], width: usize) -> Result<FoldModel, Why> {
    let (treatment, others) = others.split_first().ok_or(Why::NotSolved)?;
    let (baseline, interaction) = others.split_at_checked(width).ok_or(Why::NotSolved)?;
    if !others.iter().chain([&intercept, treatment]).all(|number| number.is_finite()) {
        return Err(Why::NotFinite);
    }
    Ok(FoldModel {
        intercept,
        treatment: *treatment,
        baseline: baseline.to_vec(),
        interaction: interaction.to_vec(),
        edges: Vec::new(),
    })
}
