//! The configuration of a tenant at one revision, ready to judge by.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{
    channel::Channel,
    contact_policy::{ContactPolicy, Rule},
    question::Fields,
    rule::budget::Budget,
    scope::find_channel,
    settings::Settings,
    zone,
};

/// Channels of a tenant.
pub const CHANNELS_MAX: usize = 200;
/// Contact policies of a tenant.
pub const POLICIES_MAX: usize = 200;

/// Channels, policies and settings at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// The revision.
    pub revision: i64,
    /// The channels.
    pub channels: Vec<Channel>,
    /// Active policies, by id.
    pub policies: Vec<ContactPolicy>,
    /// The settings.
    pub settings: Settings,
}

impl Configuration {
    /// Binds scopes to channels and leaves out policies that are not active.
    pub fn new(
        revision: i64,
        channels: Vec<Channel>,
        policies: Vec<ContactPolicy>,
        settings: Settings,
    ) -> Self {
        let mut policies: Vec<_> = policies.into_iter().filter(|policy| policy.is_active).collect();
        policies.sort_by(|a, b| a.id.cmp(&b.id));
        policies.iter_mut().for_each(|policy| policy.scope.resolve(&channels));
        Self { revision, channels, policies, settings }
    }

    /// The channel of this id, else of this name.
    pub fn channel(&self, named: &str) -> Option<&Channel> {
        find_channel(&self.channels, named)
    }

    /// The longest window in which contacts count; none when nothing counts them.
    pub fn contact_window(&self) -> Option<TimeDelta> {
        self.policies.iter().filter_map(|policy| policy.rule.contact_reach()).max()
    }

    /// The policies that are budgets, by id.
    pub fn budgets(&self) -> impl Iterator<Item = (&ContactPolicy, &Budget)> {
        self.policies.iter().filter_map(|policy| match &policy.rule {
            Rule::Budget(budget) => Some((policy, budget)),
            _ => None,
        })
    }

    /// Customer fields that a judgement on a channel may read: zone, country, segments, and what
    /// speaks of consent.
    pub fn fields_read(&self, channel: Option<&Channel>, fields: &Fields) -> BTreeSet<String> {
        let mut read = BTreeSet::from([self.settings.country_field.clone()]);
        match channel {
            None => read.extend(zone::FIELDS_WITHOUT_CHANNEL.map(str::to_owned)),
            Some(channel) => {
                read.extend(channel.timezone_fields.iter().cloned());
                read.extend(channel.consent_field.clone());
                read.extend(fields.keys().filter(|name| channel.is_consent_field(name)).cloned());
            }
        }
        for policy in &self.policies {
            if let Rule::SegmentExclusion(exclusion) = &policy.rule {
                read.insert(exclusion.field.clone());
            }
        }
        read
    }

    /// The outcomes some policy rests after, and the longest of these rests.
    pub fn outcome_window(&self) -> Option<(BTreeSet<&str>, TimeDelta)> {
        let (mut keys, mut longest) = (BTreeSet::new(), None);
        for policy in &self.policies {
            if let Rule::OutcomeBased(suppression) = &policy.rule {
                keys.extend(suppression.outcomes.iter().map(String::as_str));
                longest = longest.max(Some(suppression.window.length()));
            }
        }
        longest.map(|longest| (keys, longest))
    }
}
