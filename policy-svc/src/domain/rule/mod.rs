//! The kinds of contact policy, one per file, and what they share.
//!
//! A kind implements [`kind::PolicyKind`] and gets its facts as a [`ground::Ground`]. The table of
//! kinds is `messages/rule.rs`.

pub mod allow_override;
pub mod budget;
pub mod category_suppression;
pub mod cooldown;
pub mod cross_channel_cap;
pub mod customer_total_cap;
pub mod frequency_cap;
pub mod mutual_exclusion;
pub mod outcome_based;
pub mod segment_exclusion;
pub mod time_window;
pub mod unreadable;

pub mod cap;
pub mod finding;
pub mod ground;
pub mod history;
pub mod kind;
pub mod period;
pub mod tally;
pub mod window;

use chrono::{DateTime, SecondsFormat, Utc};

/// An instant in reasons and summaries.
fn utc_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
