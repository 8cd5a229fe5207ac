//! The mandate of an offer: it is ranked above all others until it expires.

use chrono::{DateTime, Utc};

use super::{Faults, schedule::shown};

/// Longest reason, in characters.
pub const REASON_MAX: usize = 500;
/// Path of the mandate within an offer.
pub const MANDATORY: &str = "mandatory";

/// Why an offer comes first, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mandate {
    /// Why.
    pub reason: String,
    /// The first instant at which it is over.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Mandate {
    /// What is wrong with it, by path within an offer. An end that equals the one
    /// `before` may have passed: other edits of the offer have nothing to do with it.
    pub fn faults(&self, before: Option<&Self>, now: DateTime<Utc>) -> Faults {
        let mut faults = Faults::new();
        let mut fault = |part: &str, message| faults.push((format!("{MANDATORY}.{part}"), message));
        let length = self.reason.chars().count();
        if self.reason.trim().is_empty() {
            fault("reason", "is required".to_owned());
        } else if self.reason.chars().any(char::is_control) {
            fault("reason", "must not contain control characters".to_owned());
        } else if length > REASON_MAX {
            fault(
                "reason",
                format!("has {length} characters, which exceeds the maximum {REASON_MAX}"),
            );
        }
        let is_changed = self.expires_at != before.and_then(|before| before.expires_at);
        match self.expires_at {
            None => fault("expires_at", "is required".to_owned()),
            Some(expires_at) if is_changed && expires_at <= now => {
                fault(
                    "expires_at",
                    format!("is {}; it must be later than now, {}", shown(expires_at), shown(now)),
                );
            }
            Some(_) => {}
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn instant(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn recall(expires_at: &str) -> Mandate {
        Mandate { reason: "Product recall".into(), expires_at: Some(instant(expires_at)) }
    }

    fn check(mandate: &Mandate, before: Option<&Mandate>, expected: &[&str]) {
        let faults = mandate.faults(before, instant(NOW));
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn a_new_end_lies_ahead() {
        check(&recall("2026-11-25T12:00:00.000001Z"), None, &[]);
        let fault = "mandatory.expires_at is 2026-11-25T12:00:00Z; it must be later than now, \
                     2026-11-25T12:00:00Z";
        check(&recall(NOW), None, &[fault]);
        check(&recall(NOW), Some(&recall("2026-12-24T00:00:00Z")), &[fault]);
        check(&recall(NOW), Some(&recall("2026-11-25T11:00:00Z")), &[fault]);
    }

    #[test]
    fn an_end_that_has_passed_may_stand() {
        let past = recall("2026-11-24T12:00:00Z");
        check(&past, Some(&past), &[]);
        check(&Mandate { reason: "Change of terms".into(), ..past.clone() }, Some(&past), &[]);
    }

    #[test]
    fn a_reason_has_1_to_500_characters() {
        let because =
            |reason: &str| Mandate { reason: reason.to_owned(), ..recall("2026-12-24T00:00:00Z") };
        check(&because(&"é".repeat(500)), None, &[]);
        check(
            &because(&"é".repeat(501)),
            None,
            &["mandatory.reason has 501 characters, which exceeds the maximum 500"],
        );
        check(&because("a\nb"), None, &["mandatory.reason must not contain control characters"]);
        check(
            &Mandate::default(),
            None,
            &["mandatory.reason is required", "mandatory.expires_at is required"],
        );
    }
}
