//! `mutual_exclusion`: only one of several offers within a window.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use wire::named;

use super::{
    finding::{Evaluation, Finding},
    ground::{Ground, Reads},
    history::Recent,
    kind::PolicyKind,
    window::{self, WINDOW_DAYS_MAX, Window},
};
use crate::domain::{Faults, facts::Subject, refusal::ReasonCode};

/// The kind's name.
pub const NAME: &str = "mutual_exclusion";

/// Most offers of one policy.
pub const OFFERS_MAX: usize = 200;
/// Longest id or name of an offer, in bytes.
const OFFER_BYTES_MAX: usize = 800;

/// No contact with a listed offer for a time after one with another of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutualExclusion {
    /// The offers: ids, or names that are bound to none yet.
    pub offers: BTreeSet<String>,
    /// How long the others rest.
    pub window: Window,
}

impl MutualExclusion {
    /// Checks an exclusion. Offers need not exist yet.
    pub fn parse(offers: &[String], window_days: i32) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let path = "mutual_exclusion.offers";
        for (index, offer) in offers.iter().enumerate().take(OFFERS_MAX) {
            if offer.is_empty()
                || offer.len() > OFFER_BYTES_MAX
                || offer.chars().any(char::is_control)
            {
                let text = format!(
                    "must be the id or name of an offer: 1 to {OFFER_BYTES_MAX} bytes, no control \
                     characters"
                );
                faults.push((format!("{path}[{index}]"), text));
            }
        }
        let distinct: BTreeSet<_> = offers.iter().cloned().collect();
        if offers.len() > OFFERS_MAX {
            faults.push((
                path.to_owned(),
                format!("has {}, which exceeds the maximum {OFFERS_MAX}", offers.len()),
            ));
        } else if distinct.len() < 2 {
            faults.push((
                path.to_owned(),
                "is required: the ids or names of two or more offers".to_owned(),
            ));
        }
        let window =
            window::days("mutual_exclusion.window_days", window_days, WINDOW_DAYS_MAX, &mut faults);
        if faults.is_empty() { Ok(Self { offers: distinct, window }) } else { Err(faults) }
    }
}

impl PolicyKind for MutualExclusion {
    fn name(&self) -> &'static str {
        NAME
    }

    fn refers(&self) -> Vec<(&'static str, String)> {
        self.offers.iter().map(|offer| (named::OFFER, offer.clone())).collect()
    }

    fn bound(&self, meant: &dyn Fn(&str, &str) -> String) -> Option<Arc<dyn PolicyKind>> {
        let offers = self.offers.iter().map(|written| meant(named::OFFER, written)).collect();
        Some(Arc::new(Self { offers, ..self.clone() }))
    }

    fn reads(&self) -> Reads<'_> {
        Reads { contacts: Some(self.window.length()), ..Reads::default() }
    }

    fn yields(&self) -> bool {
        true
    }

    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        let recent = Recent::new(self.window, ground.scope, &ground.contacts);
        Box::new(Excluding { offers: &self.offers, recent })
    }
}

struct Excluding<'a> {
    offers: &'a BTreeSet<String>,
    recent: Recent,
}

impl Evaluation for Excluding<'_> {
    fn finding(&mut self, subject: &Subject) -> Option<Finding> {
        let is_listed = self.offers.contains(&subject.offer_id);
        let is_other = |other: &Subject| {
            other.offer_id != subject.offer_id && self.offers.contains(&other.offer_id)
        };
        is_listed.then(|| self.recent.finding(ReasonCode::MutualExclusion, is_other))
    }

    fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.recent.reserve(subject, until);
    }

    /// A contact with any listed offer excludes the others.
    fn overall(&self) -> Finding {
        let is_listed = |other: &Subject| self.offers.contains(&other.offer_id);
        self.recent.finding(ReasonCode::MutualExclusion, is_listed)
    }
}
