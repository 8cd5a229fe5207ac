//! What is counted apart, and the counts.

use std::collections::BTreeMap;

use crate::domain::{offer_subject::OfferSubject, snapshot::folded};

/// Parts of one unit of the currency.
const PARTS: i128 = 10_000;
/// Decimals of a value.
const DECIMALS: usize = 4;

/// What a count is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counted {
    /// Outcomes by their type.
    Outcomes,
    /// Decisions by their reason; dry runs are none.
    Decisions,
    /// Offers in the answers of decisions.
    Offers,
}

impl Counted {
    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcomes => "outcomes",
            Self::Decisions => "decisions",
            Self::Offers => "offers",
        }
    }
}

/// What is counted apart. Each part is empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Id of the flow.
    pub flow_id: String,
    /// Id of the offer.
    pub offer_id: String,
    /// Id of its category; while no category of its name is stored, the name in lower case.
    pub category_id: String,
    /// Id of the channel; its name in lower case when there is no such channel.
    pub channel: String,
    /// Key of the outcome type, or the reason.
    pub what: String,
}

/// The reason of decisions that returned an offer.
pub const NO_REASON: &str = "none";
/// What takes the place of flow, offer, category and channel beyond the limit of cells.
pub const OTHER: &str = "other";

impl Cell {
    /// What is counted when a tenant has too many cells to count this one apart.
    pub fn beyond(&self) -> Self {
        let other = || OTHER.to_owned();
        Self {
            flow_id: other(),
            offer_id: other(),
            category_id: other(),
            channel: other(),
            what: self.what.clone(),
        }
    }
}

/// The category of an offer as it is counted.
pub fn category_of(subject: &OfferSubject) -> String {
    match subject.category_id.as_str() {
        "" => folded(&subject.category),
        id => id.to_owned(),
    }
}

/// How many, and their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub n: u64,
    /// How many of them have a value.
    pub valued: u64,
    /// Sum of the values, in 1/10,000 of the currency.
    pub value: i128,
}

impl Count {
    /// One, of this value.
    pub fn one(value_e4: Option<i64>) -> Self {
        Self { n: 1, valued: value_e4.is_some().into(), value: value_e4.unwrap_or_default().into() }
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.n += other.n;
        self.valued += other.valued;
        self.value += other.value;
    }

    /// The sum of the values as decimal text, without trailing zeros; none without values.
    pub fn value_text(&self) -> Option<String> {
        if self.valued == 0 {
            return None;
        }
        let sign = if self.value < 0 { "-" } else { "" };
        let (whole, rest) = ((self.value / PARTS).unsigned_abs(), self.value % PARTS);
        let decimals = format!("{:0DECIMALS$}", rest.unsigned_abs());
        Some(match decimals.trim_end_matches('0') {
            "" => format!("{sign}{whole}"),
            decimals => format!("{sign}{whole}.{decimals}"),
        })
    }
}

/// Where a count belongs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it is of.
    pub counted: Counted,
    /// The day, counted from 1970.
    pub day: i64,
    /// What is counted apart.
    pub cell: Cell,
}

/// Counts by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(pub BTreeMap<Place, Count>);

impl Sums {
    /// Adds to the count of a place.
    pub fn add(&mut self, place: Place, count: &Count) {
        self.0.entry(place).or_default().add(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_values_is_exact_and_signed() {
        let text = |values: &[i64]| {
            let mut count = Count::default();
            values.iter().for_each(|value| count.add(&Count::one(Some(*value))));
            count.value_text().unwrap()
        };
        assert_eq!(text(&[1]), "0.0001");
        assert_eq!(text(&[-1]), "-0.0001");
        assert_eq!(text(&[499_000, -199_000]), "30");
        assert_eq!(text(&[-300_001, 1]), "-30");
        assert_eq!(text(&[10_000, -10_000]), "0");
        let huge = [i64::MAX; 3];
        assert_eq!(text(&huge), "2767011611056432.7421");
        assert_eq!(Count::one(None).value_text(), None);
        assert_eq!(Count::one(Some(0)).value_text().unwrap(), "0");
    }

    #[test]
    fn a_category_that_nobody_created_is_counted_by_its_name() {
        let subject = |category: &str, category_id: &str| OfferSubject {
            category: category.to_owned(),
            category_id: category_id.to_owned(),
            ..OfferSubject::default()
        };
        assert_eq!(category_of(&subject(" Home", "cat_home")), "cat_home");
        assert_eq!(category_of(&subject(" Home", "")), "home");
    }
}
