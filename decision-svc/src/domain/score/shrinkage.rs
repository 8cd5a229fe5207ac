//! Score method `propensity` with data: the share of contacts with a positive response, shrunk from
//! offer to category to tenant.
//!
//! Each level is a binomial rate under a beta prior whose mean is the estimate of the level above
//! and whose strength is fixed: the posterior mean is (positives + k × prior) / (contacts + k).
//! Gelman, Carlin, Stern, Dunson, Vehtari and Rubin, Bayesian Data Analysis (3rd edition 2013),
//! chapters 2.4 and 5.

use std::{fmt, sync::Arc};

use super::PROPENSITY_PRIOR;
use crate::domain::responses::{Count, Evidence};

/// How many contacts the estimate of the level above counts for.
pub const STRENGTH: f64 = 20.0;
/// How many contacts the prior of a tenant counts for: with a mean of 0.5 it is uniform.
pub const TENANT_STRENGTH: f64 = 2.0;

/// Where a propensity comes from, as text.
#[derive(Clone, Debug, PartialEq)]
pub enum PropensitySource {
    /// What the method says of all offers.
    Named(Arc<str>),
    /// Counts of responses.
    Counted(Evidence),
    /// A draw by counts of responses.
    Drawn(Evidence),
    /// The online model of this version, beside counts of responses.
    Online(u64, Evidence),
}

impl Evidence {
    /// The probability of a positive response, given contact.
    pub fn propensity(&self) -> f64 {
        shrunk(self.offer, STRENGTH, self.category_rate())
    }

    /// The same for an offer of the category without contacts.
    pub(super) fn category_rate(&self) -> f64 {
        let tenant = shrunk(self.tenant, TENANT_STRENGTH, PROPENSITY_PRIOR);
        shrunk(self.category, STRENGTH, tenant)
    }
}

/// The rate of a count, shrunk to a prior that counts for so many contacts.
pub(super) fn shrunk(count: Count, strength: f64, prior: f64) -> f64 {
    (count.positives as f64 + strength * prior) / (count.contacts as f64 + strength)
}

impl fmt::Display for PropensitySource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let evidence = match self {
            Self::Named(name) => return formatter.write_str(name),
            Self::Counted(evidence) => evidence,
            Self::Drawn(evidence) => {
                formatter.write_str("thompson: drawn by ")?;
                evidence
            }
            Self::Online(version, evidence) => {
                write!(formatter, "online: version {version} beside ")?;
                evidence
            }
        };
        let of = |count: Count| format!("{} of {}", count.positives, count.contacts);
        write!(
            formatter,
            "shrinkage: responses to {} contacts of the offer, {} of its category, {} in all",
            of(evidence.offer),
            of(evidence.category),
            of(evidence.tenant)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(positives: u64, contacts: u64) -> Count {
        Count { contacts, positives }
    }

    /// (31 + 1) / (900 + 2) = .035477; (10 + 20 × .035477) / (200 + 20) = .048680;
    /// (3 + 20 × .048680) / (40 + 20) = .066227.
    #[test]
    fn an_offer_is_shrunk_to_its_category_and_that_to_the_tenant_as_worked_by_hand() {
        let evidence =
            Evidence { offer: count(3, 40), category: count(10, 200), tenant: count(31, 900) };
        assert!((evidence.propensity() - 0.066_227).abs() < 5e-7, "{}", evidence.propensity());
        assert_eq!(
            PropensitySource::Counted(evidence).to_string(),
            "shrinkage: responses to 3 of 40 contacts of the offer, 10 of 200 of its category, \
             31 of 900 in all"
        );
    }

    #[test]
    fn an_offer_without_contacts_is_as_likely_as_its_category() {
        let category = count(10, 200);
        let of = |offer| Evidence { offer, category, tenant: count(31, 900) }.propensity();
        let expected = (10.0 + 20.0 * (32.0 / 902.0)) / 220.0;
        assert!((of(count(0, 0)) - expected).abs() < 1e-15);
        assert!(of(count(1, 1)) > expected && of(count(0, 1)) < expected);
        // Many contacts leave nothing of the prior.
        assert!((of(count(30_000, 100_000)) - 0.3).abs() < 1e-4);
    }

    #[test]
    fn nothing_at_all_is_the_prior() {
        let nothing = Evidence { offer: count(0, 0), category: count(0, 0), tenant: count(0, 0) };
        assert_eq!(nothing.propensity(), PROPENSITY_PRIOR);
    }
}
