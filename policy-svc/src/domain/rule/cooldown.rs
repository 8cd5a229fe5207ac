//! Rest after any contact in scope: `cooldown`.

use chrono::{DateTime, Utc};

use super::{
    Ground, ReasonCode, Told,
    finding::Finding,
    history::Recent,
    window::{self, WINDOW_HOURS_MAX, Window},
};
use crate::domain::{Faults, facts::Subject, scope::Scope};

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

    /// Looks at the contacts in scope.
    pub fn open<'a>(self, scope: &Scope, ground: &Ground<'a>) -> Box<dyn Finding + 'a> {
        let recent = Recent::new(self.window, scope, &ground.history);
        let told = recent.told(ReasonCode::Cooldown, |_| true);
        Box::new(Cooling { recent, told })
    }
}

/// The same for every offer, so it is said once.
struct Cooling {
    recent: Recent,
    told: Told,
}

impl Finding for Cooling {
    fn told(&mut self, _: &Subject) -> Option<Told> {
        Some(self.told.clone())
    }

    fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        self.recent.reserve(subject, until);
        self.told = self.recent.told(ReasonCode::Cooldown, |_| true);
    }

    fn overall(&self) -> Told {
        self.told.clone()
    }
}
