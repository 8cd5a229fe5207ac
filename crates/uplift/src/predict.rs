//! What a learned model says of one unit.

use crate::Segment;

/// Bins of a model.
pub const BINS: usize = 10;

/// What was learned without one fold: the expected outcome as a function of the vector, with and
/// without treatment.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldModel {
    /// Of an untreated unit whose vector is zero.
    pub intercept: f64,
    /// What treatment adds to that.
    pub treatment: f64,
    /// By number of the vector.
    pub baseline: Vec<f64>,
    /// What treatment adds to those.
    pub interaction: Vec<f64>,
    /// Nine raw effects, ascending, that part the fold's own units into ten bins.
    pub edges: Vec<f64>,
}

/// Units whose effects by the model are alike, and what the experiment says of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// Its number, from 1; bin 10 has the largest effects.
    pub number: usize,
    /// Mean effect.
    pub effect: f64,
    /// Its standard error.
    pub error: f64,
    /// 95 % interval of the mean effect, for all bins together.
    pub interval: [f64; 2],
    /// Probability that the mean effect is above 0.
    pub helps: f64,
    /// Units in it.
    pub units: u64,
    /// Mean effect in money.
    pub money: Option<Money>,
}

/// An effect in money.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Money {
    /// Mean effect.
    pub effect: f64,
    /// Its standard error.
    pub error: f64,
}

/// What treatment changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// By fold.
    pub folds: Vec<FoldModel>,
    /// By number; bins without units are left out.
    pub bins: Vec<Bin>,
    /// Mean effect of all units.
    pub average_effect: f64,
    /// By how much effects differ, per difference of raw effects.
    pub slope: f64,
    /// Mean of the raw effects.
    pub mean_raw_effect: f64,
    /// Median of the outcomes expected without treatment.
    pub median_baseline: f64,
    /// True when outcomes are sums of money, false when they are probabilities.
    pub in_money: bool,
}

/// What a model says of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction<'a> {
    /// Expected outcome without treatment.
    pub baseline: f64,
    /// Expected outcome with treatment.
    pub treated: f64,
    /// Their difference.
    pub raw: f64,
    /// The same, shrunk: what treatment changes.
    pub effect: f64,
    /// The bin.
    pub bin: &'a Bin,
    /// The word for it.
    pub segment: Segment,
}

impl FoldModel {
    /// Expected outcomes of a vector without and with treatment; a vector of another width has
    /// none.
    pub fn outcomes(&self, vector: &[f64], in_money: bool) -> Option<[f64; 2]> {
        if vector.len() != self.baseline.len() || vector.len() != self.interaction.len() {
            return None;
        }
        let dot = |weights: &[f64]| -> f64 {
            weights.iter().zip(vector).map(|(weight, number)| weight * number).sum()
        };
        let without = self.intercept + dot(&self.baseline);
        let with = without + self.treatment + dot(&self.interaction);
        let both = if in_money { [without, with] } else { [without, with].map(logistic) };
        both.iter().all(|outcome| outcome.is_finite()).then_some(both)
    }

    /// The bin of a raw effect, from 1.
    pub fn bin(&self, raw: f64) -> usize {
        1 + below(&self.edges, raw)
    }
}

/// How many edges are not above a raw effect.
pub(crate) fn below(edges: &[f64], raw: f64) -> usize {
    edges.iter().filter(|edge| **edge <= raw).count()
}

impl Model {
    /// What it says of a unit of this fold; nothing when the vector is of another encoding, or
    /// nothing finite can be said.
    pub fn predict(&self, fold: usize, vector: &[f64]) -> Option<Prediction<'_>> {
        let model = self.folds.get(fold)?;
        let [baseline, treated] = model.outcomes(vector, self.in_money)?;
        let raw = treated - baseline;
        let effect = self.shrunk(raw);
        let bin = self.nearest(model.bin(raw))?;
        let segment = Segment::of(bin.interval, baseline > self.median_baseline, self.in_money);
        effect.is_finite().then_some(Prediction { baseline, treated, raw, effect, bin, segment })
    }

    /// A raw effect, shrunk to the average.
    pub fn shrunk(&self, raw: f64) -> f64 {
        self.average_effect + self.slope * (raw - self.mean_raw_effect)
    }

    /// The bin of this number, or the nearest that has units.
    fn nearest(&self, number: usize) -> Option<&Bin> {
        self.bins.iter().min_by_key(|bin| bin.number.abs_diff(number))
    }
}

/// 1/(1 + exp(−z)), without overflow.
pub fn logistic(z: f64) -> f64 {
    if z >= 0.0 {
        1.0 / (1.0 + libm::exp(-z))
    } else {
        let exp = libm::exp(z);
        exp / (1.0 + exp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(number: usize, interval: [f64; 2]) -> Bin {
        let [effect, error, helps] = [(interval[0] + interval[1]) / 2.0, 0.01, 0.9];
        Bin { number, effect, error, interval, helps, units: 100, money: None }
    }

    fn model() -> Model {
        let fold = |intercept| FoldModel {
            intercept,
            treatment: 0.5,
            baseline: vec![1.0, 0.0],
            interaction: vec![0.0, 1.0],
            edges: (1..10).map(|edge| f64::from(edge) / 100.0).collect(),
        };
        Model {
            folds: vec![fold(-1.0), fold(0.0)],
            bins: vec![bin(1, [-0.1, -0.05]), bin(10, [0.01, 0.2])],
            average_effect: 0.05,
            slope: 0.5,
            mean_raw_effect: 0.1,
            median_baseline: 0.3,
            in_money: false,
        }
    }

    #[test]
    fn a_unit_is_scored_by_the_model_of_its_fold_and_shrunk_to_the_average() {
        let model = model();
        let found = model.predict(1, &[0.0, 0.0]).unwrap();
        assert_eq!(found.baseline, 0.5);
        assert!((found.treated - 0.622_459_331_201_854_6).abs() < 1e-15);
        assert!((found.effect - (0.05 + 0.5 * (found.raw - 0.1))).abs() < 1e-15);
        assert_eq!((found.bin.number, found.segment), (10, Segment::Persuadable));
        assert!(model.predict(0, &[0.0, 0.0]).unwrap().baseline < found.baseline);
        let found = model.predict(1, &[0.0, -9.0]).unwrap();
        assert_eq!((found.bin.number, found.segment), (1, Segment::SleepingDog));
    }

    #[test]
    fn what_does_not_fit_the_model_has_no_prediction() {
        let model = model();
        assert_eq!(model.predict(2, &[0.0, 0.0]), None, "no such fold");
        assert_eq!(model.predict(0, &[0.0]), None, "another encoding");
        assert_eq!(model.predict(0, &[f64::NAN, 0.0]), None);
        assert_eq!(Model { bins: Vec::new(), ..model }.predict(0, &[0.0, 0.0]), None);
    }

    #[test]
    fn a_bin_that_nobody_was_in_is_answered_by_the_nearest() {
        let model = model();
        let edge = |raw| model.nearest(model.folds[0].bin(raw)).unwrap().number;
        assert_eq!((edge(-0.5), edge(0.01), edge(0.085), edge(0.5)), (1, 1, 10, 10));
    }

    #[test]
    fn the_logistic_function_is_finite_everywhere() {
        for (z, expected) in [(0.0, 0.5), (-1e9, 0.0), (1e9, 1.0), (f64::NEG_INFINITY, 0.0)] {
            assert_eq!(logistic(z), expected);
        }
    }
}
