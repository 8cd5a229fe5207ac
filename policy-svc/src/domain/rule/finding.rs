//! What a rule found.

use chrono::{DateTime, Utc};

use crate::domain::{
    facts::Subject, refusal::ReasonCode, wall_hours::WallHours, zone::ZoneUnknown,
};

/// What one rule says, for a candidate or for the customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
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
    /// When it would pass again; none while it passes, or when nobody knows.
    pub next_allowed_at: Option<DateTime<Utc>>,
}

impl Told {
    /// A refusal without figures.
    pub fn refused(code: ReasonCode, text: impl Into<String>) -> Self {
        Self { refusal: Some((code, text.into())), ..Self::default() }
    }

    /// A refusal because nobody knows what the customer's clock shows.
    pub fn zone_unknown(unknown: &ZoneUnknown) -> Self {
        Self::refused(
            ReasonCode::TimezoneUnknown,
            format!("local time cannot be told: {}", unknown.text()),
        )
    }
}

/// A rule that has looked at a customer. Every kind of rule gives one.
pub trait Finding: Send {
    /// What it says about an offer in its scope; none when the offer does not concern it.
    fn told(&mut self, subject: &Subject) -> Option<Told>;

    /// An offer in its scope got a slot.
    fn reserve(&mut self, _subject: &Subject, _until: DateTime<Utc>) {}

    /// What it says about the customer, whatever the offer.
    fn overall(&self) -> Told;

    /// Hours outside of which it refuses.
    fn hours(&self) -> Option<&WallHours> {
        None
    }
}

/// The same for every offer, whatever gets a slot.
#[derive(Debug)]
pub struct Verdict(pub Told);

impl Finding for Verdict {
    fn told(&mut self, _: &Subject) -> Option<Told> {
        Some(self.0.clone())
    }

    fn overall(&self) -> Told {
        self.0.clone()
    }
}
