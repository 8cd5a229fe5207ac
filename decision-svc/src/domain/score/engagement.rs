//! How relevant a channel is to a customer, learned from the contacts that the customer answered on
//! it and elsewhere.

use std::fmt;

use super::{
    PROPENSITY_PRIOR,
    shrinkage::{STRENGTH, TENANT_STRENGTH, shrunk},
};
use crate::domain::responses::Count;

/// How many contacts of a customer the rate of all customers counts for.
pub const CUSTOMER_STRENGTH: f64 = 5.0;

/// Contacts with a customer on a channel, and what they are compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Engagement {
    /// With the customer on the channel.
    pub on_channel: Count,
    /// With the customer on any channel.
    pub customer: Count,
    /// With all customers on the channel.
    pub channel: Count,
    /// With all customers on any channel.
    pub tenant: Count,
}

impl Engagement {
    /// The share of the customer's rate of response on the channel in the sum of that rate and the
    /// rate on all channels: 0.5 where the channel is as good as the others, or nothing is known.
    pub fn preference(&self) -> f64 {
        let tenant = shrunk(self.tenant, TENANT_STRENGTH, PROPENSITY_PRIOR);
        let channel = shrunk(self.channel, STRENGTH, tenant);
        let here = shrunk(self.on_channel, CUSTOMER_STRENGTH, channel);
        let anywhere = shrunk(self.customer, CUSTOMER_STRENGTH, tenant);
        here / (here + anywhere)
    }

    /// The relevance of an offer, given the share of its affinities that are true; none without
    /// any.
    pub fn relevance(&self, affinities: Option<f64>) -> f64 {
        let preference = self.preference();
        affinities.map_or(preference, |share| (share + preference) / 2.0)
    }
}

impl fmt::Display for Engagement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: Count| format!("{} of {}", count.positives, count.contacts);
        write!(
            formatter,
            "learned: the customer answered {} contacts on the channel and {} on any, all \
             customers {} and {}",
            of(self.on_channel),
            of(self.customer),
            of(self.channel),
            of(self.tenant)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(positives: u64, contacts: u64) -> Count {
        Count { contacts, positives }
    }

    #[test]
    fn nothing_known_is_as_relevant_as_an_offer_without_affinities() {
        let nothing = Engagement::default();
        assert_eq!(nothing.preference(), 0.5);
        assert_eq!(nothing.relevance(None), 0.5);
        assert_eq!(nothing.relevance(Some(1.0)), 0.75);
    }

    /// Tenant (40 + 1) / (400 + 2) = .101990; channel (30 + 20 × .101990) / (200 + 20) = .145635;
    /// here (4 + 5 × .145635) / (5 + 5) = .472818; anywhere (4 + 5 × .101990) / (10 + 5) = .300663;
    /// .472818 / (.472818 + .300663) = .611285.
    #[test]
    fn a_channel_that_the_customer_answers_is_more_relevant_as_worked_by_hand() {
        let found = Engagement {
            on_channel: count(4, 5),
            customer: count(4, 10),
            channel: count(30, 200),
            tenant: count(40, 400),
        };
        assert!((found.preference() - 0.611_285).abs() < 5e-7, "{}", found.preference());
        let other = Engagement { on_channel: count(0, 5), ..found };
        assert!(other.preference() < 0.5, "{}", other.preference());
        // Of a customer nobody knows yet, what all customers do counts.
        let new = Engagement { on_channel: count(0, 0), customer: count(0, 0), ..found };
        assert!(new.preference() > 0.5 && new.preference() < found.preference());
    }
}
