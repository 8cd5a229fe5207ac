//! A checked request for a decision.

use chrono::{DateTime, Utc};

use crate::domain::scalar::Fields;

/// Offers wanted when a request does not say.
pub const LIMIT_DEFAULT: i32 = 1;
/// Most offers a request may want.
pub const LIMIT_MAX: i32 = 50;
/// Longest customer id and request id, in bytes.
pub const ID_BYTES_MAX: usize = 128;
/// Most attributes, and most excluded offers.
pub const ITEMS_MAX: usize = 100;
/// Longest text of a reference or placement, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// A question that may be decided.
#[derive(Clone, Debug)]
pub struct Question {
    /// The customer.
    pub customer_id: String,
    /// Name or id of the channel; empty without.
    pub channel: String,
    /// Name or id of the flow.
    pub flow: String,
    /// Where the offer will be shown; empty without.
    pub placement: String,
    /// Offers wanted.
    pub limit: usize,
    /// Facts of this request.
    pub attributes: Fields,
    /// Offers not to propose.
    pub exclude_offers: Vec<String>,
    /// Identifies a retry; empty without.
    pub request_id: String,
    /// Reserve contact slots.
    pub is_holding: bool,
    /// Write nothing.
    pub is_dry_run: bool,
    /// The instant to decide for, on a dry run.
    pub at: Option<DateTime<Utc>>,
    /// List refused candidates.
    pub is_explained: bool,
    /// Configuration that must be seen.
    pub min_revisions: MinRevisions,
}

/// Least revisions by service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinRevisions {
    /// Of catalog-svc.
    pub catalog: i64,
    /// Of policy-svc.
    pub policy: i64,
    /// Of decision-svc.
    pub decision: i64,
    /// Of experiment-svc.
    pub experiment: i64,
    /// True when the request named any.
    pub is_given: bool,
}

impl MinRevisions {
    /// Reads a list of `catalog:17`; a fault names the entry.
    pub fn parse(list: &[String]) -> Result<Self, String> {
        let mut revisions = Self { is_given: !list.is_empty(), ..Self::default() };
        for entry in list {
            let fault = || {
                let services = "catalog, policy, decision or experiment";
                format!("`{entry}` must look like `catalog:17` ({services})")
            };
            let (service, number) = entry.split_once(':').ok_or_else(fault)?;
            let number: i64 = number.parse().map_err(|_| fault())?;
            let slot = match service {
                "catalog" => &mut revisions.catalog,
                "policy" => &mut revisions.policy,
                "decision" => &mut revisions.decision,
                "experiment" => &mut revisions.experiment,
                _ => return Err(fault()),
            };
            *slot = number;
        }
        Ok(revisions)
    }
}

/// What is wrong with an id of a customer or a request; none when it fits.
pub fn id_fault(id: &str) -> Option<String> {
    if id.is_empty() {
        Some("is required".to_owned())
    } else if id.len() > ID_BYTES_MAX {
        Some(format!("has {} bytes, which exceeds the maximum {ID_BYTES_MAX}", id.len()))
    } else if id.chars().any(char::is_control) {
        Some("must not hold control characters".to_owned())
    } else {
        None
    }
}

/// What is wrong with a reference or another text that may be empty; none when it fits.
pub fn text_fault(text: &str) -> Option<String> {
    if text.len() > TEXT_BYTES_MAX {
        return Some(format!(
            "has {} bytes, which exceeds the maximum {TEXT_BYTES_MAX}",
            text.len()
        ));
    }
    text.chars().any(char::is_control).then(|| "must not hold control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_revisions_are_read_by_service() {
        let got = MinRevisions::parse(&["catalog:17".into(), "policy:4".into()]).unwrap();
        assert_eq!((got.catalog, got.policy, got.decision, got.is_given), (17, 4, 0, true));
        for wrong in ["catalog", "catalog:x", "billing:1", ":1"] {
            assert!(MinRevisions::parse(&[wrong.into()]).unwrap_err().contains(wrong));
        }
    }
}
