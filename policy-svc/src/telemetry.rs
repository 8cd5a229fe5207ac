//! The metrics of this service.

use serve::telemetry::{Labels, OTHER};

use crate::domain::contact::{Contact, State};

/// Counts slots and contacts that were written.
pub fn count_slots(contacts: &[Contact]) {
    for contact in contacts {
        let state = match contact.state {
            State::Reserved => metrics::counter!("proffer.slots.reserved"),
            State::Committed => metrics::counter!("proffer.slots.committed"),
            State::Released => metrics::counter!("proffer.slots.released"),
            // Lapsed slots are counted from the ledger, whether anybody noted them or not.
            State::Expired => continue,
        };
        state.increment(1);
        if contact.is_unreserved {
            metrics::counter!("proffer.contacts.unreserved").increment(1);
            tracing::info!(
                contact.id = %contact.contact_id,
                "contact reported without a live reservation"
            );
        }
    }
}

/// Share of the reservations of a policy that lapsed.
#[derive(Clone, Debug, PartialEq)]
pub struct LapsedShare {
    /// The tenant.
    pub tenant: String,
    /// Id of the policy.
    pub policy: String,
    /// 0 to 1.
    pub share: f64,
}

/// Policies with a series of their own.
const POLICIES_MAX: usize = 100;

/// The metric of lapsed reservations.
#[derive(Clone, Debug)]
pub struct LapsedShares(Labels);

impl Default for LapsedShares {
    fn default() -> Self {
        Self(Labels::new(POLICIES_MAX))
    }
}

impl LapsedShares {
    /// Sets the metric: of the first policies one by one, and of all others the largest share.
    pub fn set(&self, shares: &[LapsedShare]) {
        for LapsedShare { tenant, policy, share } in self.bounded(shares) {
            let labels = [("tenant", tenant), ("policy", policy)];
            metrics::gauge!("proffer.policy.lapsed.share", &labels).set(share);
        }
    }

    fn bounded(&self, shares: &[LapsedShare]) -> Vec<LapsedShare> {
        let is_first =
            |it: &&LapsedShare| self.0.of(&format!("{} {}", it.tenant, it.policy)) != OTHER;
        let (first, others): (Vec<_>, Vec<_>) = shares.iter().partition(is_first);
        let largest = others.into_iter().map(|it| it.share).reduce(f64::max);
        let mut bounded: Vec<_> = first.into_iter().cloned().collect();
        let other = || OTHER.to_owned();
        bounded.extend(largest.map(|share| LapsedShare {
            tenant: other(),
            policy: other(),
            share,
        }));
        bounded
    }
}

/// Describes the metrics, once the process has a recorder.
pub fn describe() {
    metrics::describe_counter!("proffer.slots.reserved", "Slots reserved for a contact");
    metrics::describe_counter!("proffer.slots.committed", "Slots that became a contact");
    metrics::describe_counter!("proffer.slots.released", "Slots given back");
    metrics::describe_counter!("proffer.slots.lapsed", "Slots whose reservation ran out unused");
    metrics::describe_counter!(
        "proffer.contacts.unreserved",
        "Contacts reported without a live reservation"
    );
    metrics::describe_counter!(
        "proffer.policy.budget.drift",
        "Differences between a budget and its contacts that were repaired, by kind"
    );
    metrics::describe_gauge!(
        "proffer.policy.lapsed.share",
        "Share of the reservations of the last days that lapsed, by policy"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_policies_beyond_the_hundredth_share_the_largest_of_their_shares() {
        let share = |index: usize| LapsedShare {
            tenant: "acme".to_owned(),
            policy: format!("policy_{index}"),
            share: index as f64 / 1_000.0,
        };
        let shares: Vec<_> = (0..POLICIES_MAX + 3).map(share).collect();
        let lapsed = LapsedShares::default();
        let first = &shares[..POLICIES_MAX];
        assert_eq!(lapsed.bounded(first), first, "nothing is `other` without need");
        let found = lapsed.bounded(&shares);
        assert_eq!(found[..POLICIES_MAX], *first);
        let [other] = &found[POLICIES_MAX..] else { panic!("{found:?}") };
        assert_eq!((other.policy.as_str(), other.share), (OTHER, 0.102));
    }
}
