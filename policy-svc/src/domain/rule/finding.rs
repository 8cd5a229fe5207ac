//! What a policy finds about a customer.

use chrono::{DateTime, Utc};

use crate::domain::{
    facts::Subject, refusal::ReasonCode, wall_hours::WallHours, zone::ZoneUnknown,
};

/// What one policy finds, for a candidate or for the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Why it refuses.
    pub refusal: Option<(ReasonCode, String)>,
    /// How it passes, when it counts contacts against a cap.
    pub passed: Option<String>,
    /// Contacts, or outcomes, counted.
    pub counted: usize,
    /// Live reservations counted.
    pub reserved: usize,
    /// The most that may count; 0 when nothing is counted.
    pub limit: usize,
    /// Length of the window.
    pub window_seconds: i64,
    /// When it would pass again; `None` while it passes or when that is not known.
    pub next_allowed_at: Option<DateTime<Utc>>,
}

impl Finding {
    /// A refusal without figures.
    pub fn refused(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { refusal: Some((code, text.into())), ..Self::default() }
    }

    /// A refusal because the customer's zone is not known.
    pub fn zone_unknown(unknown: &ZoneUnknown) -> Self {
        Self::refused(
            ReasonCode::TimezoneUnknown,
            format!("local time is unknown: {}", unknown.text()),
        )
    }
}

/// A policy evaluated for one customer. Every kind gives one.
pub trait Evaluation: Send {
    /// What it finds about an offer in its scope; `None` when the offer does not concern it.
    fn finding(&mut self, subject: &Subject) -> Option<Finding>;

    /// Counts a slot that an offer in its scope got.
    fn reserve(&mut self, _subject: &Subject, _until: DateTime<Utc>) {}

    /// What it finds about the customer, whatever the offer.
    fn overall(&self) -> Finding;

    /// Hours outside of which it refuses.
    fn hours(&self) -> Option<&WallHours> {
        None
    }
}

/// The same finding for every offer, whatever gets a slot.
#[derive(Debug)]
pub struct Constant(pub Finding);

impl Evaluation for Constant {
    fn finding(&mut self, _: &Subject) -> Option<Finding> {
        Some(self.0.clone())
    }

    fn overall(&self) -> Finding {
        self.0.clone()
    }
}
