//! What sums do not give: figures that need the customers one by one. They are computed in the
//! background, and say when.

use chrono::{DateTime, Utc};

use super::{Breakdown, Counts, Population, Winsorized};

/// The figures, and when they were computed.
#[derive(Clone, Debug)]
pub struct Recomputed {
    /// When.
    pub at: DateTime<Utc>,
    /// Of the assigned; a fault says why there are none.
    pub assigned: Result<Winsorized, String>,
    /// Of the matched, likewise.
    pub matched: Result<Winsorized, String>,
    /// The matched by category, channel or a recorded field.
    pub breakdowns: Vec<Breakdown>,
}

impl Recomputed {
    /// Of counts that kept each figure; see [`Counts::keeping_figures`].
    pub fn of(counts: &Counts, breakdowns: Vec<Breakdown>, at: DateTime<Utc>) -> Self {
        let winsorized = |population| counts.spread(population).winsorized(&counts.metric);
        let (assigned, matched) =
            (winsorized(Population::Assigned), winsorized(Population::Matched));
        Self { at, assigned, matched, breakdowns }
    }

    /// The clamped figures of a population.
    pub fn winsorized(&self, population: Population) -> &Result<Winsorized, String> {
        match population {
            Population::Assigned => &self.assigned,
            Population::Matched => &self.matched,
        }
    }
}
