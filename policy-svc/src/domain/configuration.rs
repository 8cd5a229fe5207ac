//! The configuration of a tenant at one revision, as judgments use it.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::{
    channel::Channel, contact_policy::ContactPolicy, question::Fields, rule::ground::Reads,
    scope::find_channel, settings::Settings, shared_use::Limits, zone,
};

/// Channels of a tenant.
pub const CHANNELS_MAX: usize = 200;
/// Contact policies of a tenant.
pub const POLICIES_MAX: usize = 200;

/// Channels, policies and settings at one revision.
#[derive(Clone, Debug, Default)]
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

    /// What the policies read.
    fn reads(&self) -> impl Iterator<Item = Reads<'_>> {
        self.policies.iter().map(|policy| policy.kind.reads())
    }

    /// The longest window in which contacts count; `None` when nothing counts them.
    pub fn contact_window(&self) -> Option<TimeDelta> {
        self.reads().filter_map(|reads| reads.contacts).max()
    }

    /// The policies with limits over all customers, by id.
    pub fn budgets(&self) -> impl Iterator<Item = (&ContactPolicy, &Limits)> {
        self.policies.iter().filter_map(|policy| Some((policy, policy.kind.reads().shared_use?)))
    }

    /// Customer fields that a judgment on a channel may read: zone, country, consent, and what
    /// policies read. A replay needs no others.
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
        read.extend(self.reads().flat_map(|reads| reads.fields).cloned());
        read
    }

    /// The keys of the outcomes that policies read, and the greatest age.
    pub fn outcome_window(&self) -> Option<(BTreeSet<&str>, TimeDelta)> {
        let (mut keys, mut oldest) = (BTreeSet::new(), None);
        for (read, age) in self.reads().filter_map(|reads| reads.outcomes) {
            keys.extend(read.iter().map(String::as_str));
            oldest = oldest.max(Some(age));
        }
        oldest.map(|oldest| (keys, oldest))
    }
}
