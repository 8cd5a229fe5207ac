//! Rest after a contact with an offer of the same category: `category_suppression`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Ground, ReasonCode, Told,
    finding::Finding,
    history::Recent,
    window::{self, WINDOW_DAYS_MAX, Window},
};
use crate::domain::{Faults, facts::Subject, scope::Scope};

/// No second contact of a category for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CategorySuppression {
    /// How long it rests.
    pub window: Window,
}

impl CategorySuppression {
    /// Checks a rest.
    pub fn parse(window_days: i32) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let window = window::days(
            "category_suppression.window_days",
            window_days,
            WINDOW_DAYS_MAX,
            &mut faults,
        );
        if faults.is_empty() { Ok(Self { window }) } else { Err(faults) }
    }

    /// Looks at the contacts in scope.
    pub fn open<'a>(self, scope: &Scope, ground: &Ground<'a>) -> Box<dyn Finding + 'a> {
        Box::new(Categories {
            recent: Recent::new(self.window, scope, &ground.history),
            told: BTreeMap::new(),
        })
    }
}

struct Categories {
    recent: Recent,
    /// What was said about a category: many offers share one.
    told: BTreeMap<(String, String), Told>,
}

impl Finding for Categories {
    fn told(&mut self, subject: &Subject) -> Option<Told> {
        if subject.category_folded.is_empty() && subject.category_id.is_empty() {
            return None;
        }
        let key = (subject.category_folded.clone(), subject.category_id.clone());
        let recent = &self.recent;
        let told = self.told.entry(key).or_insert_with(|| {
            recent.told(ReasonCode::CategorySuppression, |other| is_same_category(other, subject))
        });
        Some(told.clone())
    }

    fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.recent.reserve(subject, until);
        self.told.clear();
    }

    /// Categories that were contacted rest; none can be told to be free.
    fn overall(&self) -> Told {
        self.recent.told(ReasonCode::CategorySuppression, |_| true)
    }
}

/// By name, or by id when both have one.
fn is_same_category(one: &Subject, other: &Subject) -> bool {
    let is_named = !one.category_folded.is_empty() && one.category_folded == other.category_folded;
    is_named || (!one.category_id.is_empty() && one.category_id == other.category_id)
}
