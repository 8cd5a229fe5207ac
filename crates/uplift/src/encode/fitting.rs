//! An encoding made row by row: for rows that are too many to be held.

use std::collections::BTreeMap;

use super::{Column, Encoding, Field, Kind, Known, Value, frequent, known};

/// Different texts of a feature that are counted; later ones go without a number of their own.
pub const TEXTS_COUNTED_MAX: usize = 100_000;

/// What is known of the rows so far.
#[derive(Clone, Debug, Default)]
pub struct Fitting {
    rows: usize,
    features: BTreeMap<String, Seen>,
}

/// The values of one feature so far.
#[derive(Clone, Debug)]
struct Seen {
    kind: Kind,
    numbers: usize,
    mean: f64,
    /// Sum of the squared differences from the mean.
    squares: f64,
    texts: BTreeMap<String, usize>,
    /// Texts in all.
    texts_in_all: usize,
}

impl Fitting {
    /// Adds a row. What is not in it is missing. A feature that is of one kind here and of another
    /// there is a category if it ever was a text, else a number.
    pub fn add(&mut self, row: impl IntoIterator<Item = (Field, Value)>) {
        self.rows += 1;
        for (Field { name, kind }, value) in row {
            let seen = self.features.entry(name).or_insert_with(|| Seen::new(kind));
            if seen.kind != kind && seen.kind != Kind::Category {
                seen.kind = if kind == Kind::Category { kind } else { Kind::Number };
            }
            seen.add(kind, &value);
        }
    }

    /// The encoding by the rows so far, feature by feature in the order of names.
    pub fn encoding(&self) -> Encoding {
        let column = |(name, seen): (&String, &Seen)| seen.column(name, self.rows);
        Encoding { columns: self.features.iter().map(column).collect() }
    }
}

impl Seen {
    fn new(kind: Kind) -> Self {
        let texts = BTreeMap::new();
        Self { kind, numbers: 0, mean: 0.0, squares: 0.0, texts, texts_in_all: 0 }
    }

    fn add(&mut self, kind: Kind, value: &Value) {
        match known(kind, Some(value)) {
            Some(Known::Number(number)) => {
                // Welford's way: no difference of large sums.
                self.numbers += 1;
                let before = number - self.mean;
                self.mean += before / self.numbers as f64;
                self.squares += before * (number - self.mean);
            }
            Some(Known::Text(text)) => {
                self.texts_in_all += 1;
                if let Some(count) = self.texts.get_mut(text) {
                    *count += 1;
                } else if self.texts.len() < TEXTS_COUNTED_MAX {
                    self.texts.insert(text.to_owned(), 1);
                }
            }
            None => {}
        }
    }

    fn column(&self, name: &str, rows: usize) -> Column {
        let field = Field { name: name.to_owned(), kind: self.kind };
        let texts = self.texts.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        let is_category = self.kind == Kind::Category;
        let known = if is_category { self.texts_in_all } else { self.numbers };
        let deviation = (self.squares / self.numbers.max(1) as f64).sqrt();
        let differs = deviation > 1e-12 * self.mean.abs();
        Column {
            field,
            mean: if is_category { 0.0 } else { self.mean },
            deviation: if differs && !is_category { deviation } else { 0.0 },
            has_indicator: known > 0 && known < rows,
            texts: if is_category { frequent(&texts, rows) } else { Vec::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, kind: Kind) -> Field {
        Field { name: name.to_owned(), kind }
    }

    /// As [`Encoding::fit`] has it of all rows together.
    #[test]
    fn row_by_row_gives_what_all_rows_together_give() {
        let fields = [
            field("age", Kind::Number),
            field("isNew", Kind::Boolean),
            field("zip", Kind::Category),
        ];
        let zips = ["Rural", "Urban", "Surburban"];
        let rows: Vec<Vec<Option<Value>>> = (0..1_000)
            .map(|row| {
                let is_known = row % 7 != 0;
                vec![
                    is_known.then(|| Value::Number(f64::from(row * row % 91) + 0.25)),
                    Some(Value::Number(f64::from(row % 2))),
                    Some(Value::Text(if row % 200 == 0 {
                        row.to_string()
                    } else {
                        zips[row as usize % 3].to_owned()
                    })),
                ]
            })
            .collect();
        let together = Encoding::fit(&fields, &rows);
        let mut fitting = Fitting::default();
        for row in &rows {
            let known = fields.iter().cloned().zip(row.clone());
            fitting.add(known.filter_map(|(field, value)| Some((field, value?))));
        }
        let one_by_one = fitting.encoding();
        for (one, other) in one_by_one.columns.iter().zip(&together.columns) {
            assert!(
                (one.mean - other.mean).abs() < 1e-12
                    && (one.deviation - other.deviation).abs() < 1e-12
            );
            let rest = Column { mean: other.mean, deviation: other.deviation, ..one.clone() };
            assert_eq!(rest, *other);
        }
        assert_eq!(one_by_one.columns.len(), 3);
    }

    #[test]
    fn a_feature_that_is_a_text_once_is_a_category() {
        let mut fitting = Fitting::default();
        fitting.add([(field("a", Kind::Boolean), Value::Number(1.0))]);
        fitting.add([(field("a", Kind::Number), Value::Number(3.0))]);
        assert_eq!(fitting.encoding().columns[0].field.kind, Kind::Number);
        fitting.add([(field("a", Kind::Category), Value::Text("x".to_owned()))]);
        let column = &fitting.encoding().columns[0];
        assert_eq!(
            (column.field.kind, column.mean, column.has_indicator),
            (Kind::Category, 0.0, true)
        );
        assert_eq!(column.texts, ["x"]);
    }
}
