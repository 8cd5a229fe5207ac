//! `cooldown`: no contact for a time after any contact in scope.

use chrono::{DateTime, Utc};

use super::{
    finding::{Evaluation, Finding},
    ground::{Ground, Reads},
    history::Recent,
    kind::PolicyKind,
    window::{self, WINDOW_HOURS_MAX, Window},
};
use crate::domain::{Faults, facts::Subject, refusal::ReasonCode};

/// The kind's name.
pub const NAME: &str = "cooldown";

/// No contact for a time after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// How long it rests.
    pub window: Window,
}

impl Cooldown {
    /// Checks a rest.
    pub fn parse(window_hours: i32) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let window =
            window::hours("cooldown.window_hours", window_hours, WINDOW_HOURS_MAX, &mut faults);
        if faults.is_empty() { Ok(Self { window }) } else { Err(faults) }
    }
}

impl PolicyKind for Cooldown {
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
        let finding = recent.finding(ReasonCode::Cooldown, |_| true);
        Box::new(Cooling { recent, finding })
    }
}

/// The finding is the same for every offer, so it is made once.
struct Cooling {
    recent: Recent,
    finding: Finding,
}

impl Evaluation for Cooling {
    fn finding(&mut self, _: &Subject) -> Option<Finding> {
        Some(self.finding.clone())
    }

    fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.recent.reserve(subject, until);
        self.finding = self.recent.finding(ReasonCode::Cooldown, |_| true);
    }

    fn overall(&self) -> Finding {
        self.finding.clone()
    }
}
