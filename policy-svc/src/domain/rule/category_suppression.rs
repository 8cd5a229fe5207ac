//! `category_suppression`: no contact for a time after a contact with an offer of the same
//! category.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    finding::{Evaluation, Finding},
    ground::{Ground, Reads},
    history::Recent,
    kind::PolicyKind,
    window::{self, WINDOW_DAYS_MAX, Window},
};
use crate::domain::{Faults, facts::Subject, refusal::ReasonCode};

/// The kind's name.
pub const NAME: &str = "category_suppression";

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
}

impl PolicyKind for CategorySuppression {
    fn name(&self) -> &'static str {
        NAME
    }

    fn reads(&self) -> Reads<'_> {
        Reads { contacts: Some(self.window.length()), ..Reads::default() }
    }

    fn yields(&self) -> bool {
        true
    }

    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        let recent = Recent::new(self.window, ground.scope, &ground.contacts);
        Box::new(Categories { recent, findings: BTreeMap::new() })
    }
}

struct Categories {
    recent: Recent,
    /// By name and id of the category: many offers share one.
    findings: BTreeMap<(String, String), Finding>,
}

impl Evaluation for Categories {
    fn finding(&mut self, subject: &Subject) -> Option<Finding> {
        if subject.category_folded.is_empty() && subject.category_id.is_empty() {
            return None;
        }
        let key = (subject.category_folded.clone(), subject.category_id.clone());
        let recent = &self.recent;
        let finding = self.findings.entry(key).or_insert_with(|| {
            let is_same = |other: &Subject| is_same_category(other, subject);
            recent.finding(ReasonCode::CategorySuppression, is_same)
        });
        Some(finding.clone())
    }

    fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.recent.reserve(subject, until);
        self.findings.clear();
    }

    /// Every category that was contacted rests.
    fn overall(&self) -> Finding {
        self.recent.finding(ReasonCode::CategorySuppression, |_| true)
    }
}

/// By id when both have one, so that a new category of an old name is another; else by name.
fn is_same_category(one: &Subject, other: &Subject) -> bool {
    if !one.category_id.is_empty() && !other.category_id.is_empty() {
        return one.category_id == other.category_id;
    }
    !one.category_folded.is_empty() && one.category_folded == other.category_folded
}
