//! `outcome_based`: no contact for a time after certain outcomes.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Utc};
use wire::named;

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
    utc_text,
    window::{self, Window},
};
use crate::domain::{Faults, refusal::ReasonCode, zone};

/// The kind's name.
pub const NAME: &str = "outcome_based";

/// Most outcome keys of one policy.
pub const OUTCOMES_MAX: usize = 50;
/// Longest rest, in days.
pub const WINDOW_DAYS_MAX: i32 = 3_650;

/// No contact in scope for a time after one of the outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeBased {
    /// Keys of the outcomes.
    pub outcomes: BTreeSet<String>,
    /// How long it rests.
    pub window: Window,
}

impl OutcomeBased {
    /// Checks a rest. Keys need not exist: those of deleted outcome types still match history.
    pub fn parse(outcomes: &[String], window_days: i32) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        match outcomes.len() {
            0 => faults.push((
                "outcome_based.outcomes".to_owned(),
                "is required: keys of outcome types".to_owned(),
            )),
            1..=OUTCOMES_MAX => {}
            count => {
                let text = format!("has {count}, which exceeds the maximum {OUTCOMES_MAX}");
                faults.push(("outcome_based.outcomes".to_owned(), text));
            }
        }
        for (index, key) in outcomes.iter().enumerate().take(OUTCOMES_MAX) {
            if !is_key(key) {
                let text = format!("`{}` must match [a-z][a-z0-9_]{{0,62}}", zone::shown(key));
                faults.push((format!("outcome_based.outcomes[{index}]"), text));
            }
        }
        let window =
            window::days("outcome_based.window_days", window_days, WINDOW_DAYS_MAX, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { outcomes: outcomes.iter().cloned().collect(), window })
    }
}

impl PolicyKind for OutcomeBased {
    fn name(&self) -> &'static str {
        NAME
    }

    fn refers(&self) -> Vec<(&'static str, String)> {
        self.outcomes.iter().map(|key| (named::OUTCOME_TYPE, key.clone())).collect()
    }

    fn bound(&self, meant: &dyn Fn(&str, &str) -> String) -> Option<Arc<dyn PolicyKind>> {
        let outcomes =
            self.outcomes.iter().map(|written| meant(named::OUTCOME_TYPE, written)).collect();
        Some(Arc::new(Self { outcomes, ..self.clone() }))
    }

    fn reads(&self) -> Reads<'_> {
        Reads { outcomes: Some((&self.outcomes, self.window.length())), ..Reads::default() }
    }

    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        let binding: Vec<_> = ground.outcomes.within(ground.scope).collect();
        let latest = binding.iter().copied().max_by_key(|outcome| outcome.at);
        let end: Option<DateTime<Utc>> = latest.map(|outcome| self.window.end_for(outcome.at));
        let window = self.window;
        let text = match (latest, end) {
            (Some(outcome), Some(end)) => {
                let (key, until) = (&outcome.key, utc_text(end));
                Some(format!("{key} in last {window}, no contact until {until}"))
            }
            _ => (ground.outcomes.is_cut())
                .then(|| format!("more outcomes in last {window} than can be checked")),
        };
        Box::new(Constant(Finding {
            refusal: text.map(|text| (ReasonCode::Suppressed, text)),
            counted: binding.len(),
            window_seconds: window.length().num_seconds(),
            next_allowed_at: end,
            ..Finding::default()
        }))
    }
}

fn is_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && key.len() <= 63
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_days_are_checked_at_the_limit() {
        let check = |keys: &[&str], days: i32, expected: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
            let faults = OutcomeBased::parse(&keys, days)
                .map(|_| Faults::new())
                .unwrap_or_else(|faults| faults);
            let texts: Vec<_> =
                faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
            assert_eq!(texts, expected, "{keys:?} {days}");
        };
        check(&["complaint", "opt_out"], 90, &[]);
        check(&["a"; OUTCOMES_MAX], 3_650, &[]);
        check(
            &["a"; OUTCOMES_MAX + 1],
            1,
            &["outcome_based.outcomes has 51, which exceeds the maximum 50"],
        );
        check(
            &["a", "Not A Key"],
            3_651,
            &[
                "outcome_based.outcomes[1] `Not A Key` must match [a-z][a-z0-9_]{0,62}",
                "outcome_based.window_days is 3651; it must be 1 to 3650",
            ],
        );
        check(
            &[],
            0,
            &[
                "outcome_based.outcomes is required: keys of outcome types",
                "outcome_based.window_days is 0; it must be 1 to 3650",
            ],
        );
    }
}
