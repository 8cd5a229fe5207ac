//! What a report is asked: which days, by what, and which rates.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::Cell;

/// A kind of report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// On outcomes.
    Outcomes,
    /// On decisions.
    Decisions,
}

/// What rows are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The day in the tenant's zone.
    Day,
    /// The flow.
    Flow,
    /// The offer.
    Offer,
    /// The category of the offer.
    Category,
    /// The channel.
    Channel,
    /// The outcome type, or the reason.
    What,
}

impl Dimension {
    /// The part of a cell that it is; none for the day.
    pub fn of(self, cell: &Cell) -> Option<&str> {
        match self {
            Self::Day => None,
            Self::Flow => Some(&cell.flow_id),
            Self::Offer => Some(&cell.offer_id),
            Self::Category => Some(&cell.category_id),
            Self::Channel => Some(&cell.channel),
            Self::What => Some(&cell.what),
        }
    }

    /// Its name in a report.
    pub fn name(self, report: Report) -> &'static str {
        match (self, report) {
            (Self::Day, _) => "day",
            (Self::Flow, _) => "flow",
            (Self::Offer, _) => "offer",
            (Self::Category, _) => "category",
            (Self::Channel, _) => "channel",
            (Self::What, Report::Outcomes) => "outcome",
            (Self::What, Report::Decisions) => "reason",
        }
    }

    /// True when it divides offers, of which a decision may have several.
    pub fn is_about_offers(self) -> bool {
        matches!(self, Self::Offer | Self::Category)
    }
}

/// The term of a rate that counts everything.
pub const ALL: &str = "all";

/// One count by another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What is counted: an outcome type, a reason, or [`ALL`].
    pub of: String,
    /// What it is divided by.
    pub by: String,
}

impl Rate {
    /// The rate of a text such as `click/impression`; none for another text.
    pub fn read(text: &str) -> Option<Self> {
        let (of, by) = text.split_once('/')?;
        let (of, by) = (of.trim(), by.trim());
        let is_one = !of.is_empty() && !by.is_empty() && !by.contains('/');
        is_one.then(|| Self { of: of.to_owned(), by: by.to_owned() })
    }

    /// Its text.
    pub fn name(&self) -> String {
        format!("{}/{}", self.of, self.by)
    }
}

/// What a report is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The report.
    pub report: Report,
    /// The first day.
    pub from: i64,
    /// The last day.
    pub to: i64,
    /// What rows are divided by, in order, each once.
    pub dimensions: Vec<Dimension>,
    /// Where given: what a dimension must be, one of these.
    pub filters: BTreeMap<Dimension, BTreeSet<String>>,
    /// Rates of each row.
    pub rates: Vec<Rate>,
}

impl Question {
    /// True when it divides offers: then the decisions they are of are not counted.
    pub fn is_about_offers(&self) -> bool {
        let mut all = self.dimensions.iter().chain(self.filters.keys());
        all.any(|dimension| dimension.is_about_offers())
    }

    /// True when a cell passes the filters of all dimensions but [`Dimension::What`].
    pub fn passes(&self, cell: &Cell) -> bool {
        let mut filters = self.filters.iter().filter(|(by, _)| **by != Dimension::What);
        filters.all(|(by, allowed)| by.of(cell).is_none_or(|part| allowed.contains(part)))
    }

    /// True when a cell is of an outcome type, or a reason, that is asked for.
    pub fn is_of_kind(&self, cell: &Cell) -> bool {
        let allowed = self.filters.get(&Dimension::What);
        allowed.is_none_or(|allowed| allowed.contains(&cell.what))
    }

    /// What the rates count, each once.
    pub fn terms(&self) -> Vec<&str> {
        let all = self.rates.iter().flat_map(|rate| [rate.of.as_str(), rate.by.as_str()]);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}
