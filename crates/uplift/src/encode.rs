//! Features as numbers.
//!
//! Numbers are z-scored by the rows an encoding was made from. A value that is missing counts as
//! the mean; where some rows lacked it, an indicator says so. Texts are one-hot.

mod fitting;

use std::collections::BTreeMap;

pub use fitting::{Fitting, TEXTS_COUNTED_MAX};

/// Most texts of a column that have a number of their own.
pub const TEXTS_MAX: usize = 50;
/// A text needs one of so many rows to have a number of its own.
const ROWS_PER_TEXT_MAX: usize = 100;
/// Numbers beyond it count as missing.
pub const NUMBER_MAX: f64 = 1e15;
/// So many deviations count as many more do, so that one value cannot move a prediction far beyond
/// what was learned.
pub const DEVIATIONS_MAX: f64 = 10.0;

/// The value of a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; a date as days before the decision; a boolean as 0 or 1.
    Number(f64),
    /// A text.
    Text(String),
}

/// What a feature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    Number,
    /// Days before the decision.
    Date,
    /// 0 or 1.
    Boolean,
    /// A text.
    Category,
}

/// A feature by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// How one feature becomes numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The feature.
    pub field: Field,
    /// Mean of the known numbers; 0 for texts.
    pub mean: f64,
    /// Standard deviation of the known numbers; 0 when they are all the same, and for texts.
    pub deviation: f64,
    /// True when a number follows that is 1 for a missing value.
    pub has_indicator: bool,
    /// Texts with a number of their own; one more is shared by all others.
    pub texts: Vec<String>,
}

/// How all features become numbers, in the order of the features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoding {
    /// One per feature.
    pub columns: Vec<Column>,
}

impl Encoding {
    /// The encoding by these rows. A row has a value per field; one that is left out is missing.
    pub fn fit(fields: &[Field], rows: &[Vec<Option<Value>>]) -> Self {
        let column = |(place, field): (usize, &Field)| {
            let values = rows.iter().map(move |row| row.get(place).and_then(Option::as_ref));
            Column::fit(field, values)
        };
        Self { columns: fields.iter().enumerate().map(column).collect() }
    }

    /// How many numbers a vector has.
    pub fn width(&self) -> usize {
        self.columns.iter().map(Column::width).sum()
    }

    /// The vector of a row; all numbers are finite.
    pub fn apply(&self, row: &[Option<Value>]) -> Vec<f64> {
        let mut vector = Vec::with_capacity(self.width());
        for (place, column) in self.columns.iter().enumerate() {
            column.push(row.get(place).and_then(Option::as_ref), &mut vector);
        }
        vector
    }
}

impl Column {
    fn fit<'a>(field: &Field, values: impl Iterator<Item = Option<&'a Value>>) -> Self {
        let (mut rows, mut numbers, mut texts) = (0_usize, Vec::new(), BTreeMap::new());
        for value in values {
            rows += 1;
            match known(field.kind, value) {
                Some(Known::Number(number)) => numbers.push(number),
                Some(Known::Text(text)) => *texts.entry(text).or_insert(0_usize) += 1,
                None => {}
            }
        }
        let known = numbers.len() + texts.values().sum::<usize>();
        let (mean, deviation) = moments(&numbers);
        Self {
            field: field.clone(),
            mean,
            deviation,
            // A number that every row lacks would say nothing.
            has_indicator: known > 0 && known < rows,
            texts: frequent(&texts, rows),
        }
    }

    fn width(&self) -> usize {
        let values = match self.field.kind {
            Kind::Category => self.texts.len() + 1,
            Kind::Number | Kind::Date | Kind::Boolean => 1,
        };
        values + usize::from(self.has_indicator)
    }

    fn push(&self, value: Option<&Value>, vector: &mut Vec<f64>) {
        let value = known(self.field.kind, value);
        if self.field.kind == Kind::Category {
            let text = match value {
                Some(Known::Text(text)) => Some(text),
                _ => None,
            };
            vector.extend(self.texts.iter().map(|own| flag(text == Some(own.as_str()))));
            let is_own = text.is_some_and(|text| self.texts.iter().any(|own| own == text));
            let is_missing = text.is_none() && self.has_indicator;
            vector.push(flag(!is_own && !is_missing));
        } else {
            vector.push(match value {
                Some(Known::Number(number)) if self.deviation > 0.0 => {
                    let deviations = (number - self.mean) / self.deviation;
                    deviations.clamp(-DEVIATIONS_MAX, DEVIATIONS_MAX)
                }
                _ => 0.0,
            });
        }
        if self.has_indicator {
            vector.push(flag(value.is_none()));
        }
    }
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// A value that can be used as its kind.
#[derive(Clone, Copy)]
enum Known<'a> {
    Number(f64),
    Text(&'a str),
}

fn known(kind: Kind, value: Option<&Value>) -> Option<Known<'_>> {
    match (kind, value?) {
        (Kind::Category, Value::Text(text)) => Some(Known::Text(text)),
        (Kind::Number | Kind::Date | Kind::Boolean, Value::Number(number)) => {
            (number.abs() <= NUMBER_MAX).then_some(Known::Number(*number))
        }
        _ => None,
    }
}

/// Mean and standard deviation of all; 0 for values that differ by rounding only.
fn moments(numbers: &[f64]) -> (f64, f64) {
    let n = numbers.len() as f64;
    if numbers.is_empty() {
        return (0.0, 0.0);
    }
    let mean = numbers.iter().sum::<f64>() / n;
    let squares = numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f64>();
    let deviation = (squares / n).sqrt();
    (mean, if deviation > 1e-12 * mean.abs() { deviation } else { 0.0 })
}

/// The texts of at least 1 % of the rows, the most frequent ones if there are too many, in order.
fn frequent(texts: &BTreeMap<&str, usize>, rows: usize) -> Vec<String> {
    let is_frequent = |count: usize| count * ROWS_PER_TEXT_MAX >= rows;
    let mut found: Vec<_> = texts.iter().filter(|(_, count)| is_frequent(**count)).collect();
    found.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let mut kept: Vec<String> =
        found.into_iter().take(TEXTS_MAX).map(|(text, _)| (*text).to_owned()).collect();
    kept.sort();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(kind: Kind) -> Vec<Field> {
        vec![Field { name: "feature".to_owned(), kind }]
    }

    fn rows(values: impl IntoIterator<Item = Option<Value>>) -> Vec<Vec<Option<Value>>> {
        values.into_iter().map(|value| vec![value]).collect()
    }

    fn number(number: f64) -> Option<Value> {
        Some(Value::Number(number))
    }

    fn text(text: &str) -> Option<Value> {
        Some(Value::Text(text.to_owned()))
    }

    #[test]
    fn numbers_are_z_scored_and_a_missing_one_is_the_mean_with_an_indicator() {
        let seen = rows([number(1.0), number(3.0), None]);
        let encoding = Encoding::fit(&field(Kind::Number), &seen);
        assert_eq!(encoding.width(), 2);
        assert_eq!(encoding.apply(&[number(3.0)]), [1.0, 0.0]);
        assert_eq!(encoding.apply(&[None]), [0.0, 1.0]);
        assert_eq!(encoding.apply(&[]), [0.0, 1.0], "left out is missing");
        assert_eq!(encoding.apply(&[number(f64::NAN)]), [0.0, 1.0], "not a number is missing");
        assert_eq!(encoding.apply(&[text("3")]), [0.0, 1.0], "a text is no number");
        assert_eq!(encoding.apply(&[number(1e9)]), [DEVIATIONS_MAX, 0.0], "far out is bounded");
    }

    #[test]
    fn a_column_that_says_nothing_adds_nothing() {
        for seen in [rows([number(7.0), number(7.0)]), rows([None, None]), Vec::new()] {
            let encoding = Encoding::fit(&field(Kind::Date), &seen);
            for value in [number(7.0), number(-1e300), None] {
                assert_eq!(encoding.apply(&[value]), [0.0], "{seen:?}");
            }
        }
    }

    #[test]
    fn texts_of_one_row_in_a_hundred_have_a_number_and_the_rest_share_one() {
        let many = std::iter::repeat_n(text("web"), 98);
        let seen = rows(many.chain([text("phone"), text("fax"), text("fax"), text("pager")]));
        let encoding = Encoding::fit(&field(Kind::Category), &seen);
        assert_eq!(encoding.columns[0].texts, ["fax", "web"], "1 of 102 is below 1 %");
        assert_eq!(encoding.apply(&[text("web")]), [0.0, 1.0, 0.0]);
        assert_eq!(encoding.apply(&[text("pager")]), [0.0, 0.0, 1.0]);
        assert_eq!(encoding.apply(&[None]), [0.0, 0.0, 1.0], "none was missing: another one");
        let seen = rows([text("a"), None]);
        let encoding = Encoding::fit(&field(Kind::Category), &seen);
        assert_eq!(encoding.apply(&[None]), [0.0, 0.0, 1.0], "a, other, missing");
        assert_eq!(encoding.apply(&[text("b")]), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn at_most_fifty_texts_have_a_number() {
        let all: Vec<String> = (0..80).map(|number| format!("{number:02}")).collect();
        let encoding = Encoding::fit(&field(Kind::Category), &rows(all.iter().map(|it| text(it))));
        assert_eq!(encoding.columns[0].texts.len(), TEXTS_MAX);
        assert_eq!(encoding.width(), TEXTS_MAX + 1);
    }

    proptest::proptest! {
        #[test]
        fn vectors_are_finite_and_of_one_width(
            seen in proptest::collection::vec(proptest::option::of(proptest::num::f64::ANY), 0..20),
            asked in proptest::option::of(proptest::num::f64::ANY),
        ) {
            let value = |number: Option<f64>| number.map(Value::Number);
            let seen = rows(seen.into_iter().map(value));
            let encoding = Encoding::fit(&field(Kind::Number), &seen);
            let vector = encoding.apply(&[value(asked)]);
            proptest::prop_assert_eq!(vector.len(), encoding.width());
            proptest::prop_assert!(vector.iter().all(|number| number.is_finite()));
        }
    }
}
