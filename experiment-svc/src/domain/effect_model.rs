//! Effect models: what contact changes, learned from training rows.

use std::collections::BTreeMap;

use uplift::{
    Encoding, Field, Fitting, Kind, Value,
    fit::{self, EVENTS_MIN, Outcome, Settings},
};

use super::{
    analysis::Arm,
    measure::{CONVERSION, Metric, Scale},
    training::{FeatureValue, TrainingRow},
};

/// Rows that are learned from at most; those of the first customers by id.
pub const ROWS_MAX: usize = 500_000;
/// Whole numbers per unit of currency.
const UNITS: f64 = 10_000.0;
/// A window that is not over says nothing yet.
const OPEN: &str = "window_open";
/// Without both arms there is nothing to compare.
const ONE_ARM: &str = "split_with_one_arm";
const OTHER_CATEGORY: &str = "other_category";

/// What a model predicts the change of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name of the metric.
    pub metric: String,
    /// Key of the outcome type whose outcomes count; none for the one of the flow.
    pub outcome: Option<String>,
    /// True to predict revenue.
    pub in_money: bool,
}

impl Target {
    /// The target of a metric; a fault says which metrics can be learned.
    pub fn parse(name: &str) -> Result<Self, String> {
        let name = if name.is_empty() { Metric::DEFAULT } else { name };
        let metric = Metric::parse(name)?;
        let of = |outcome: Option<&str>, in_money| Self {
            metric: metric.name.clone(),
            outcome: outcome.map(str::to_owned),
            in_money,
        };
        match (metric.scale, name.strip_prefix("outcome:")) {
            (Scale::Rate, Some(key)) => Ok(of(Some(key), false)),
            (Scale::Rate, None) => Ok(of(Some(CONVERSION), false)),
            (Scale::Amount, _) if name == "revenue_per_customer" => Ok(of(None, true)),
            _ => Err(format!(
                "`{name}` cannot be learned; it must be conversion_rate, outcome:<key> or \
                 revenue_per_customer"
            )),
        }
    }
}

/// How many rows there are of what.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Treated customers.
    pub treated: u64,
    /// Customers held out.
    pub held_out: u64,
    /// Treated customers with the outcome.
    pub events_treated: u64,
    /// Customers held out with it.
    pub events_held_out: u64,
    /// Mean probability of treatment; 0 without rows.
    pub treatment_probability: f64,
}

impl Counted {
    fn of(rows: &[&TrainingRow], in_money: bool) -> Self {
        let mut counted = Self::default();
        let mut sum = 0.0;
        for row in rows {
            let is_event = u64::from(if in_money { row.value_e4 != 0 } else { row.outcome });
            sum += row.treatment_probability;
            match row.arm {
                Arm::Treatment => {
                    counted.treated += 1;
                    counted.events_treated += is_event;
                }
                Arm::Holdout => {
                    counted.held_out += 1;
                    counted.events_held_out += is_event;
                }
            }
        }
        if !rows.is_empty() {
            counted.treatment_probability = sum / rows.len() as f64;
        }
        counted
    }

    fn smaller(self) -> u64 {
        self.events_treated.min(self.events_held_out)
    }
}

/// What was learned.
#[derive(Clone, Debug)]
pub struct Learned {
    /// The category it is about; empty for the whole experiment.
    pub category_id: String,
    /// What it was learned from.
    pub counted: Counted,
    /// Rows that were left out, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// How features become numbers.
    pub encoding: Encoding,
    /// The model, or why there is none.
    pub outcome: Outcome,
    /// Why it is not about the category that was asked for, in words.
    pub fallback: Option<String>,
}

impl Learned {
    /// Why there is no model, in words; empty when there is one.
    pub fn why(&self) -> Vec<String> {
        let Outcome::NoModel(why, _) = &self.outcome else { return Vec::new() };
        let mut words: Vec<String> = why.iter().map(ToString::to_string).collect();
        if self.encoding.columns.is_empty() && self.counted.treated + self.counted.held_out > 0 {
            words.push("features recorded with the exposures: have 0, need 1".to_owned());
        }
        words
    }
}

/// Learns from the rows of an experiment. A category is learned by itself when the smaller arm has
/// enough outcomes in it; else the whole experiment is.
pub fn learn(all: &[TrainingRow], in_money: bool, category_id: &str) -> Learned {
    let mut left_out = BTreeMap::new();
    let mut rows: Vec<&TrainingRow> = all
        .iter()
        .filter(|row| {
            let probability = row.treatment_probability;
            let why = match () {
                () if !row.is_matured => OPEN,
                () if !(probability > 0.0 && probability < 1.0) => ONE_ARM,
                () => return true,
            };
            *left_out.entry(why).or_default() += 1;
            false
        })
        .collect();
    let (mut learned_of, mut fallback) = (String::new(), None);
    if !category_id.is_empty() {
        let own = rows.iter().filter(|row| row.category_id == category_id).copied();
        let own: Vec<&TrainingRow> = own.collect();
        let have = Counted::of(&own, in_money).smaller();
        if have >= EVENTS_MIN {
            left_out.insert(OTHER_CATEGORY, (rows.len() - own.len()) as u64);
            learned_of = category_id.to_owned();
            rows = own;
        } else {
            fallback = Some(format!(
                "category `{category_id}` has too few outcomes in its smaller arm, have {have}, \
                 need {EVENTS_MIN}: it was learned over the whole experiment"
            ));
        }
    }
    let encoding = encoding(&rows);
    let vectors: Vec<fit::Row> = rows.iter().map(|row| as_row(row, &encoding)).collect();
    let settings = Settings { in_money, ..Settings::default() };
    Learned {
        category_id: learned_of,
        counted: Counted::of(&rows, in_money),
        left_out,
        outcome: fit::fit(&vectors, settings),
        encoding,
        fallback,
    }
}

fn encoding(rows: &[&TrainingRow]) -> Encoding {
    let mut fitting = Fitting::default();
    for row in rows {
        let known = row.features.iter().map(|(name, value)| {
            let (kind, value) = number(value);
            (Field { name: name.clone(), kind }, value)
        });
        fitting.add(known);
    }
    fitting.encoding()
}

fn as_row(row: &TrainingRow, encoding: &Encoding) -> fit::Row {
    let value =
        |column: &uplift::Column| row.features.get(&column.field.name).map(|it| number(it).1);
    let values: Vec<Option<Value>> = encoding.columns.iter().map(value).collect();
    fit::Row {
        vector: encoding.apply(&values),
        fold: row.fold,
        is_treated: row.arm == Arm::Treatment,
        probability: row.treatment_probability,
        selection: row.gate_probability,
        is_positive: row.outcome,
        value: row.value_e4 as f64 / UNITS,
    }
}

/// What a recorded value is, and the value as it is encoded.
fn number(value: &FeatureValue) -> (Kind, Value) {
    match value {
        FeatureValue::Number(number) => (Kind::Number, Value::Number(*number)),
        FeatureValue::Boolean(is) => (Kind::Boolean, Value::Number(f64::from(u8::from(*is)))),
        FeatureValue::Text(text) => (Kind::Category, Value::Text(text.clone())),
    }
}

#[cfg(test)]
mod tests;
