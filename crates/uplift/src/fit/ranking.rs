//! Ranks by score: the largest first, equal scores together.

use super::scores::square;

/// A unit in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked<T> {
    /// Its index among the units.
    pub index: usize,
    /// Its score.
    pub score: f64,
    /// What it carries.
    pub item: T,
}

/// The units by score, descending.
pub(super) fn ranked<T: Copy>(scores: &[f64], items: &[T]) -> Vec<Ranked<T>> {
    let mut all: Vec<Ranked<T>> = scores
        .iter()
        .zip(items)
        .enumerate()
        .map(|(index, (score, item))| Ranked { index, score: *score, item: *item })
        .collect();
    all.sort_by(|one, other| other.score.total_cmp(&one.score));
    all
}

/// Runs of equal scores, in the order of the ranks.
pub(super) fn ties<T>(ranked: &[Ranked<T>]) -> impl DoubleEndedIterator<Item = &[Ranked<T>]> {
    ranked.chunk_by(|one, other| one.score == other.score)
}

/// Values by index, in the order of the units.
pub(super) fn in_order(mut by_index: Vec<(usize, f64)>) -> Vec<f64> {
    by_index.sort_unstable_by_key(|(index, _)| *index);
    by_index.into_iter().map(|(_, value)| value).collect()
}

/// A figure and by how much each unit moves it: its derivative by the unit's weight (the
/// infinitesimal jackknife, Jaeckel 1972; Efron 1982).
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The figure.
    pub value: f64,
    /// By unit.
    pub influence: Vec<f64>,
    /// Points of the curve whose area it is: share of the units, gain. Empty without one.
    pub curve: Vec<[f64; 2]>,
}

impl Measured {
    /// The figure with its standard error.
    pub fn figure(&self) -> super::Figure {
        let error = self.influence.iter().map(|one| one * one).sum::<f64>().sqrt();
        super::Figure { value: self.value, error }
    }

    /// The difference of two figures of the same units, with its standard error.
    pub fn minus(&self, other: &Self) -> super::Figure {
        let pairs = self.influence.iter().zip(&other.influence);
        let error = pairs.map(|(one, other)| square(one - other)).sum::<f64>().sqrt();
        super::Figure { value: self.value - other.value, error }
    }
}
