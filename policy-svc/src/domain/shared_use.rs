//! The limits of a budget, and how much all customers together have used.

use chrono::{DateTime, Utc};

use super::rule::window::Window;

/// Limits over all customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a contact counts.
    pub window: Window,
    /// Most contacts.
    pub contacts_max: Option<i64>,
    /// Most spend, in 1/10,000 of the currency.
    pub spend_max: Option<i64>,
}

impl Limits {
    /// True when so little is left that it matters when the first contacts leave the window.
    pub fn is_nearly_used(&self, used: &Used) -> bool {
        let is_nearly =
            |used: i64, most: Option<i64>| most.is_some_and(|most| used >= most - most / 10 - 1);
        is_nearly(used.contacts, self.contacts_max) || is_nearly(used.spend, self.spend_max)
    }
}

/// Contacts in the window and live reservations, over all customers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Contacts and reservations.
    pub contacts: i64,
    /// How many of them are reservations.
    pub reserved: i64,
    /// What they cost, in 1/10,000 of the currency.
    pub spend: i64,
    /// The first ones to leave and what they cost; empty while there is plenty of room.
    pub leaving: Vec<(DateTime<Utc>, i64)>,
}
