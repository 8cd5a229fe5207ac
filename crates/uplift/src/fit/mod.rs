//! Learning what treatment changes, and how far it can be believed.
//!
//! The outcome is regressed on the features, the treatment and their products (an S-learner), fold
//! by fold, each fold scored by what was learned without it. All that is said of the model comes
//! from those scores: doubly robust effects ([`scores`]), whether predicted differences are real
//! ([`slope`]), whether the ranking earns anything ([`qini`], [`autoc`]), and ten bins ([`bins`]).

pub mod autoc;
pub mod bins;
pub mod calibration;
mod design;
mod linear;
mod logistic;
pub mod qini;
mod ranking;
pub mod response;
pub mod scores;
pub mod slope;
mod why;

use calibration::Point;
pub use why::{Why, does_not_rank};

use crate::{FOLDS, FoldModel, Model};

/// Strength of the penalty on squared coefficients, in units of one observation's information: as
/// `C = 1` of scikit-learn. It keeps coefficients finite under perfect separation; with hundreds of
/// positive outcomes it changes next to nothing.
pub const ALPHA: f64 = 1.0;
/// Positive outcomes that the smaller arm needs.
pub const EVENTS_MIN: u64 = 100;
/// Standard errors that the area of the ranking must lie above 0.
pub const Q_ERRORS_MIN: f64 = 2.0;
/// Level of the one-sided test that predicted differences are real.
pub const SLOPE_P_MAX: f64 = 0.05;

/// One unit of the experiment.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its features as numbers, as many as in every row.
    pub vector: Vec<f64>,
    /// Its fold, from 0.
    pub fold: usize,
    /// True when it was treated.
    pub is_treated: bool,
    /// Probability with which it was to be treated, above 0 and below 1.
    pub probability: f64,
    /// Probability with which it was let into the experiment, above 0 and at most 1: the card
    /// counts it for as many as were not.
    pub selection: f64,
    /// True when the outcome happened.
    pub is_positive: bool,
    /// What it was worth in money.
    pub value: f64,
}

/// What is to be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// True to predict sums of money, false to predict whether the outcome happens.
    pub in_money: bool,
    /// Positive outcomes that the smaller arm needs.
    pub events_min: u64,
    /// False to return the model even if it ranks no better than chance, as simulations need it.
    pub is_gated: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { in_money: false, events_min: EVENTS_MIN, is_gated: true }
    }
}

/// What was learned.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A model that ranks, and its card.
    Model(Box<Model>, Box<Card>),
    /// No model, why, and the card as far as there is one.
    NoModel(Vec<Why>, Option<Box<Card>>),
}

/// A figure and its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The figure.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// How far a model can be believed. All scores are from models learned without the unit's fold.
/// Each unit is weighted by the inverse of its probability of selection, in figures and errors;
/// what is learned weights all alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Area of the effect ranking.
    pub qini: Figure,
    /// Area of the ranking by the outcome expected with treatment.
    pub qini_by_propensity: Figure,
    /// The former minus the latter, with the error of the difference.
    pub qini_gain: Figure,
    /// Area under the targeting operator characteristic.
    pub autoc: Figure,
    /// Slope of the best linear predictor; none when predictions do not differ.
    pub slope: Option<slope::Slope>,
    /// Mean effect.
    pub average: Figure,
    /// Mean effect in money, where there is any.
    pub average_money: Option<Figure>,
    /// What was observed by bin.
    pub observed: Vec<bins::Observed>,
    /// The bins.
    pub bins: Vec<crate::Bin>,
    /// Expected and observed outcomes.
    pub calibration: Vec<Point>,
    /// How well treated units with the outcome are separated from those without.
    pub response: Option<response::Response>,
    /// Points of the Qini curves: share, gain by effect, gain by propensity.
    pub curve: Vec<[f64; 3]>,
}

/// Learns from the rows of an experiment. Nothing here panics, and every number is finite.
pub fn fit(rows: &[Row], settings: Settings) -> Outcome {
    let few = why::too_few(rows, settings);
    if !few.is_empty() {
        return Outcome::NoModel(few, None);
    }
    match learn(rows, settings) {
        Ok((model, card)) => gate(model, card, settings),
        Err(why) => Outcome::NoModel(vec![why], None),
    }
}

fn gate(model: Model, card: Card, settings: Settings) -> Outcome {
    let (model, card) = (Box::new(model), Box::new(card));
    let why = if settings.is_gated { why::does_not_rank(&card) } else { Vec::new() };
    if why.is_empty() { Outcome::Model(model, card) } else { Outcome::NoModel(why, Some(card)) }
}

/// The scores of one learner: models by fold, and of each row what the model without its fold
/// expects, without and with treatment.
struct CrossFit {
    models: Vec<FoldModel>,
    expected: Vec<[f64; 2]>,
}

fn cross_fit(rows: &[Row], in_money: bool) -> Result<CrossFit, Why> {
    let learn = if in_money { linear::learn } else { logistic::learn };
    let mut models: Vec<FoldModel> = Vec::with_capacity(FOLDS);
    for fold in 0..FOLDS {
        models.push(learn(rows, fold, models.last())?);
    }
    let expected = rows.iter().map(|row| {
        let model = models.get(row.fold).ok_or(Why::NotFinite)?;
        model.outcomes(&row.vector, in_money).ok_or(Why::NotFinite)
    });
    let expected = expected.collect::<Result<_, _>>()?;
    Ok(CrossFit { models, expected })
}

fn learn(rows: &[Row], settings: Settings) -> Result<(Model, Card), Why> {
    let in_money = settings.in_money;
    let CrossFit { mut models, expected } = cross_fit(rows, in_money)?;
    let units: Vec<_> = rows.iter().map(|row| scores::Unit::of(row, in_money)).collect();
    let robust = scores::doubly_robust(&units, &expected);
    let money = match (in_money, rows.iter().any(|row| row.value != 0.0)) {
        (true, _) => Some(robust.clone()),
        (false, false) => None,
        (false, true) => {
            let units: Vec<_> = rows.iter().map(|row| scores::Unit::of(row, true)).collect();
            Some(scores::doubly_robust(&units, &cross_fit(rows, true)?.expected))
        }
    };
    let raw: Vec<f64> = expected.iter().map(|[without, with]| with - without).collect();
    let propensity: Vec<f64> = expected.iter().map(|[_, with]| *with).collect();
    let folds: Vec<usize> = rows.iter().map(|row| row.fold).collect();
    for (fold, model) in models.iter_mut().enumerate() {
        let of_fold = folds.iter().zip(&raw).filter(|(own, _)| **own == fold);
        model.edges = bins::edges(of_fold.map(|(_, raw)| *raw).collect());
    }
    let numbers = bins::numbers(&raw, &folds);
    let (alike, weights) = (vec![1.0; units.len()], scores::weights(&units));
    let model = Model {
        folds: models,
        bins: bins::bins(&numbers, &robust, money.as_deref(), &alike),
        average_effect: scores::mean(&robust, &alike).ok_or(Why::NotFinite)?.value,
        slope: slope::slope(&raw, &robust, &alike).map_or(0.0, |slope| slope.value),
        mean_raw_effect: raw.iter().sum::<f64>() / raw.len() as f64,
        median_baseline: scores::median(expected.iter().map(|[without, _]| *without).collect()),
        in_money,
    };
    let shrunk: Vec<f64> = raw.iter().map(|raw| model.shrunk(*raw)).collect();
    let by_effect = qini::qini(&raw, &units).ok_or(Why::NotFinite)?;
    let by_propensity = qini::qini(&propensity, &units).ok_or(Why::NotFinite)?;
    let card = Card {
        qini: by_effect.figure(),
        qini_by_propensity: by_propensity.figure(),
        qini_gain: by_effect.minus(&by_propensity),
        autoc: autoc::autoc(&raw, &robust, &weights).ok_or(Why::NotFinite)?.figure(),
        slope: slope::slope(&raw, &robust, &weights),
        average: scores::mean(&robust, &weights).ok_or(Why::NotFinite)?,
        average_money: money.as_deref().and_then(|money| scores::mean(money, &weights)),
        observed: bins::observed(&numbers, &units, &shrunk),
        bins: bins::bins(&numbers, &robust, money.as_deref(), &weights),
        calibration: calibration::calibration(&units, &expected),
        response: if in_money { None } else { response::response(&units, &propensity) },
        curve: qini::curves(&by_effect, &by_propensity),
    };
    if is_finite(&model, &card) { Ok((model, card)) } else { Err(Why::NotFinite) }
}

fn is_finite(model: &Model, card: &Card) -> bool {
    let figures = [card.qini, card.qini_by_propensity, card.qini_gain, card.autoc, card.average];
    let of_bin = |bin: &crate::Bin| {
        let money = bin.money.map_or([0.0; 2], |money| [money.effect, money.error]);
        [bin.effect, bin.error, bin.helps].into_iter().chain(bin.interval).chain(money)
    };
    let of_model = [model.average_effect, model.slope, model.mean_raw_effect];
    figures
        .iter()
        .flat_map(|figure| [figure.value, figure.error])
        .chain(model.bins.iter().chain(&card.bins).flat_map(of_bin))
        .chain(of_model)
        .chain(card.slope.iter().flat_map(|slope| [slope.error, slope.p]))
        .all(f64::is_finite)
}
