//! What is said of customers whose effects are known.
//!
//! `PROFFER_TEST_RUNS=80` makes it the drill whose table is in docs/learning.md.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod samples;

use samples::Random;
use uplift::{
    Segment,
    fit::{Card, Outcome, Row, Settings, does_not_rank, fit},
    fold_of,
    predict::logistic,
};

const CUSTOMERS: usize = 12_000;
/// Quantile of a 90 % interval.
const BY_90: f64 = 1.644_853_626_951_472_2;

/// Probabilities of the outcome without and with treatment.
type Truth = fn(&[f64]) -> [f64; 2];

fn zero(x: &[f64]) -> [f64; 2] {
    [logistic(-1.5 + 0.5 * x[0]); 2]
}

fn linear(x: &[f64]) -> [f64; 2] {
    let without = -1.5 + 0.5 * x[0];
    [logistic(without), logistic(without + 0.25 + 0.5 * x[1])]
}

/// The fifth with the largest second number gains 15 points, and the others gain nothing.
fn step(x: &[f64]) -> [f64; 2] {
    let without = logistic(-1.5 + 0.5 * x[0]);
    [without, without + if x[1] > 0.841_621 { 0.15 } else { 0.0 }]
}

/// 16 % lose 10 points, the others gain 6.
fn dogs(x: &[f64]) -> [f64; 2] {
    let without = 0.1 + 0.8 * logistic(-1.5 + 0.5 * x[0]);
    [without, without + if x[1] < -0.994_458 { -0.1 } else { 0.06 }]
}

const TRUTHS: [(&str, Truth); 4] =
    [("zero", zero), ("linear in the logit", linear), ("step", step), ("sleeping dogs", dogs)];

fn customers(seed: u64, truth: Truth, probability: f64) -> (Vec<Row>, Vec<f64>) {
    let mut random = Random(seed);
    let customer = |index: usize| {
        let vector: Vec<f64> = (0..5).map(|_| random.normal()).collect();
        let [without, with] = truth(&vector);
        let is_treated = random.is(probability);
        let is_positive = random.is(if is_treated { with } else { without });
        let fold = fold_of(&format!("customer-{index}"));
        let row =
            Row { vector, fold, is_treated, probability, selection: 1.0, is_positive, value: 0.0 };
        (row, with - without)
    };
    (0..CUSTOMERS).map(customer).unzip()
}

/// What was found over all runs of a truth.
#[derive(Default)]
struct Found {
    runs: usize,
    bins: usize,
    covered: usize,
    average_near: usize,
    ranked: usize,
    labelled: f64,
    mislabelled: f64,
    gain: f64,
    slope: f64,
}

impl Found {
    fn add(&mut self, rows: &[Row], effects: &[f64]) {
        let ungated = Settings { is_gated: false, ..Settings::default() };
        let Outcome::Model(model, card) = fit(rows, ungated) else { panic!("no model") };
        self.runs += 1;
        let (mut sums, mut counts) = ([0.0; 11], [0.0; 11]);
        for (row, effect) in rows.iter().zip(effects) {
            let bin = model.predict(row.fold, &row.vector).unwrap().bin.number;
            sums[bin] += effect;
            counts[bin] += 1.0;
        }
        for bin in &model.bins {
            assert_eq!(bin.units as f64, counts[bin.number], "training and predicting differ");
            let truth = sums[bin.number] / counts[bin.number];
            self.bins += 1;
            self.covered += usize::from((bin.effect - truth).abs() <= BY_90 * bin.error);
        }
        let average = effects.iter().sum::<f64>() / effects.len() as f64;
        self.average_near +=
            usize::from((card.average.value - average).abs() < 2.0 * card.average.error);
        self.gain += card.qini_gain.value;
        self.slope += card.slope.unwrap().value;
        if does_not_rank(&card).is_empty() {
            self.ranked += 1;
            self.label(&card, &sums, &counts);
        }
    }

    /// Only a model that ranks labels anybody.
    fn label(&mut self, card: &Card, sums: &[f64; 11], counts: &[f64; 11]) {
        for bin in &card.bins {
            let share = bin.units as f64 / CUSTOMERS as f64;
            let truth = sums[bin.number] / counts[bin.number];
            let (is_labelled, is_wrong) = match Segment::of(bin.interval, false, true) {
                Segment::Persuadable => (true, truth <= 0.0),
                Segment::SleepingDog => (true, truth >= 0.0),
                _ => (false, false),
            };
            self.labelled += if is_labelled { share } else { 0.0 };
            self.mislabelled += if is_wrong { share } else { 0.0 };
        }
    }
}

/// Over 80 runs the Monte-Carlo error of the coverage is about 1.1 points.
#[test]
fn intervals_of_bins_cover_their_true_mean_effect_and_noise_gets_no_label() {
    let runs = std::env::var("PROFFER_TEST_RUNS").ok().and_then(|runs| runs.parse().ok());
    let (runs, is_drill) = runs.map_or((2, false), |runs: u64| (runs, true));
    println!(
        "| truth | treated | covers | mean near | ranks | labelled | wrongly | gain | slope |"
    );
    for (name, truth) in TRUTHS {
        for probability in [0.5, 0.85] {
            let mut found = Found::default();
            for seed in 0..runs {
                let (rows, effects) = customers(1_000 * seed + 7, truth, probability);
                found.add(&rows, &effects);
            }
            let runs = found.runs as f64;
            let covers = 100.0 * found.covered as f64 / found.bins as f64;
            let [labelled, wrongly] =
                [found.labelled, found.mislabelled].map(|it| 100.0 * it / runs);
            println!(
                "| {name} | {} % | {covers:.1} % | {} of {} | {} | {labelled:.1} % | \
                 {wrongly:.2} % | {:.5} | {:.2} |",
                100.0 * probability,
                found.average_near,
                found.runs,
                found.ranked,
                found.gain / runs,
                found.slope / runs,
            );
            let what = format!("{name} at {probability}");
            if !is_drill {
                assert!(covers >= 60.0, "{what}: {covers} %");
                continue;
            }
            assert!((86.0..=94.0).contains(&covers), "{what}: {covers} %");
            assert!(found.average_near as f64 >= 0.875 * runs, "{what}: {}", found.average_near);
            if name == "zero" {
                assert!(labelled < 5.0, "{what}: {labelled} %");
            }
            if name == "step" {
                assert!(found.gain > 0.0, "{what}: {}", found.gain);
            }
        }
    }
}
