//! Expected and observed outcomes, by tenths of the expected one.

use super::{
    ranking::ranked,
    scores::{self, Unit},
};

/// Groups of units.
const GROUPS: usize = 10;

/// Units whose expected outcomes are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Mean of the expected outcomes, each of the unit's own arm.
    pub expected: f64,
    /// Mean of the outcomes.
    pub observed: f64,
    /// Its standard error.
    pub error: f64,
    /// Units.
    pub units: u64,
}

/// The groups, those with the smallest expected outcomes first.
pub fn calibration(units: &[Unit], expected: &[[f64; 2]]) -> Vec<Point> {
    let of_arm = |(unit, [without, with]): (&Unit, &[f64; 2])| {
        if unit.is_treated { *with } else { *without }
    };
    let expected: Vec<f64> = units.iter().zip(expected).map(of_arm).collect();
    let ranked = ranked(&expected, units);
    let size = ranked.len().div_ceil(GROUPS).max(1);
    let point = |group: &[super::ranking::Ranked<Unit>]| {
        let (outcomes, weights): (Vec<f64>, Vec<f64>) =
            group.iter().map(|it| (it.item.outcome, it.item.count)).unzip();
        let observed = scores::mean(&outcomes, &weights)?;
        let expected = group.iter().map(|it| it.item.count * it.score).sum::<f64>()
            / weights.iter().sum::<f64>();
        let units = group.len() as u64;
        Some(Point { expected, observed: observed.value, error: observed.error, units })
    };
    let mut points: Vec<Point> = ranked.chunks(size).filter_map(point).collect();
    points.reverse();
    points
}
