//! The splits in which the arms can be compared: those with customers enough and a measure of the
//! error. The treated of the others are counted beside.

use super::{
    comparison::Split,
    method::methods,
    strata::{Strata, Stratum},
};
use crate::domain::measure::{Metric, Scale};

/// The splits in which the arms are compared on `metric`, weighted by their treated.
///
/// Each has two customers in each arm. Where any of them has an interval, those without one are
/// left out: a difference without an error would count as exact. So are those that have nothing to
/// divide a ratio by. Where none has an interval, all with a difference are kept, and nothing
/// bounds them. A split whose sums exceed 128 bits is kept, so that there is no comparison at all.
pub fn comparable(metric: &Metric, strata: &Strata) -> Vec<Stratum> {
    let of_two = strata.of_two();
    let kept = |is_kept: &dyn Fn(&Stratum) -> bool| -> Vec<Stratum> {
        of_two.iter().filter(|stratum| is_kept(stratum)).copied().collect()
    };
    let is_too_large =
        |stratum: &Stratum| !lacks_base(metric, stratum) && Split::of(metric, *stratum).is_none();
    let measured = kept(&|stratum| is_measured(metric, stratum));
    let found = if measured.is_empty() {
        let based = kept(&|stratum| !lacks_base(metric, stratum));
        if based.is_empty() { of_two } else { based }
    } else {
        kept(&|stratum| is_measured(metric, stratum) || is_too_large(stratum))
    };
    weighted(found)
}

/// True when a ratio has nothing to divide by in one of the arms.
pub fn lacks_base(metric: &Metric, stratum: &Stratum) -> bool {
    let arms = [stratum.arms.treatment, stratum.arms.holdout];
    metric.scale == Scale::Ratio
        && arms.iter().any(|arm| arm.paired.sum.is_some_and(|sum| sum <= 0))
}

fn is_measured(metric: &Metric, stratum: &Stratum) -> bool {
    Split::of(metric, *stratum).is_some_and(|split| methods(metric.scale).widest(&split).is_some())
}

fn weighted(mut strata: Vec<Stratum>) -> Vec<Stratum> {
    let treated: u64 = strata.iter().map(|stratum| stratum.arms.treatment.n).sum();
    for stratum in &mut strata {
        stratum.weight = stratum.arms.treatment.n as f64 / treated as f64;
    }
    strata
}
