//! A checked request for a decision.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use wire::name::is_same;
pub use wire::text::id_fault;

use crate::domain::scalar::{Fields, Scalar};

/// Offers wanted when a request does not say.
pub const LIMIT_DEFAULT: i32 = 1;
/// Most offers a request may want.
pub const LIMIT_MAX: i32 = 50;
/// Most attributes, and most excluded offers.
pub const ITEMS_MAX: usize = 100;
/// Longest text of a reference or placement, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// A question that may be decided.
#[derive(Clone, Debug)]
pub struct Question {
    /// The customer.
    pub customer_id: String,
    /// Name or id of the channel; empty without. It chooses creatives also when nobody is
    /// contacted.
    pub channel: String,
    /// The customer is to be contacted on the channel. Otherwise consent and hours are not judged,
    /// and nothing is reserved.
    pub is_contact: bool,
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

impl Question {
    /// The channel the customer is contacted on; empty when nobody is contacted.
    pub fn contact_channel(&self) -> &str {
        if self.is_contact { &self.channel } else { "" }
    }
}

impl Question {
    /// Whether both ask the same, but for the names of flow and channel, however they are spelled.
    pub fn is_same_but_for_names(&self, other: &Self) -> bool {
        let excluded = |question: &Self| -> BTreeSet<String> {
            question.exclude_offers.iter().cloned().collect()
        };
        let Self { customer_id, placement, request_id, min_revisions, .. } = self;
        (customer_id, request_id, min_revisions, self.limit, self.at)
            == (&other.customer_id, &other.request_id, &other.min_revisions, other.limit, other.at)
            && is_same(placement, &other.placement)
            && self.flags() == other.flags()
            && excluded(self) == excluded(other)
            && self.attributes.len() == other.attributes.len()
            && self
                .attributes
                .iter()
                .zip(&other.attributes)
                .all(|((name, one), (other, two))| name == other && is_same_value(one, two))
    }

    fn flags(&self) -> [bool; 4] {
        [self.is_contact, self.is_holding, self.is_dry_run, self.is_explained]
    }
}

/// Whether two values are one: numbers by what they are, not by how they are written.
fn is_same_value(one: &Scalar, other: &Scalar) -> bool {
    match (one, other) {
        (Scalar::List(ones), Scalar::List(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| is_same_value(one, other))
        }
        _ => match (number(one), number(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
    }
}

/// A number as plain text without trailing zeros.
fn number(value: &Scalar) -> Option<String> {
    let text = match value {
        Scalar::Integer(number) => number.to_string(),
        Scalar::Decimal(text) => wire::decimal::exact(text).ok()?,
        Scalar::Double(number) => wire::decimal::exact(&format!("{number:e}")).ok()?,
        _ => return None,
    };
    Some(match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    })
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
        for (index, entry) in list.iter().enumerate() {
            let fault = || {
                let services = "catalog, policy, decision or experiment";
                format!("`{entry}` must look like `catalog:17` ({services})")
            };
            let (service, number) = entry.split_once(':').ok_or_else(fault)?;
            let is_same = |other: &String| other.split(':').next() == Some(service);
            if list.iter().take(index).any(is_same) {
                return Err(format!("`{entry}` is the second entry for `{service}`: give one"));
            }
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

/// What is wrong with a reference or another text that may be empty; none when it fits.
pub fn text_fault(text: &str) -> Option<String> {
    wire::text::text_fault(text, TEXT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_revisions_are_read_by_service() {
        let got = MinRevisions::parse(&["catalog:17".into(), "policy:4".into()]).unwrap();
        assert_eq!((got.catalog, got.policy, got.decision, got.is_given), (17, 4, 0, true));
        let twice = MinRevisions::parse(&["catalog:17".into(), "catalog:4".into()]);
        assert!(twice.unwrap_err().contains("second entry for `catalog`"));
        for wrong in ["catalog", "catalog:x", "billing:1", ":1"] {
            assert!(MinRevisions::parse(&[wrong.into()]).unwrap_err().contains(wrong));
        }
    }
}
