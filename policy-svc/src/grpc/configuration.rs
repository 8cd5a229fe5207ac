//! The configuration of a tenant, read from the log and made ready once per revision.

use std::sync::{Arc, PoisonError};

use history::HistoryError;
use proffer_proto::{
    policy::v1::{self as proto, contact_policy::Rule},
    values::v1::ResourceStatus,
};
use prost::Message as _;

use super::Context;
use crate::domain::{
    Faults,
    channel::{Channel, ChannelDraft},
    configuration::Configuration,
    contact_policy::{ContactPolicy, PolicyDraft, RuleDraft},
    settings::{CURRENCY_DEFAULT, Settings, TIMEZONE_DEFAULT},
    zone,
};

/// Tenants whose configuration is held ready.
const TENANTS_MAX: usize = 256;
/// Readings until one is not overtaken by a write.
const READINGS_MAX: usize = 5;
/// Kind and id of the settings in the log.
pub const SETTINGS: &str = "settings";

impl Context {
    /// The newest configuration. Asked on every question, so that a change binds the very next one.
    pub async fn configuration(&self, tenant: &str) -> Result<Arc<Configuration>, HistoryError> {
        let mut revision = self.history.head(tenant).await?;
        if let Some(ready) = self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(tenant)
            && ready.revision == revision
        {
            return Ok(ready.clone());
        }
        for reading in 1.. {
            let made = Arc::new(self.read(tenant, revision).await?);
            // A write in between may have been read in part. When writes never pause, what was read is at least as new
            // as the question; it is used under the older number and not kept.
            let head = self.history.head(tenant).await?;
            if head == revision {
                let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                if ready.len() >= TENANTS_MAX && !ready.contains_key(tenant) {
                    ready.clear();
                }
                ready.insert(tenant.to_owned(), made.clone());
                return Ok(made);
            }
            if reading == READINGS_MAX {
                return Ok(made);
            }
            revision = head;
        }
        Err(HistoryError::Database(database::DatabaseError::Corrupt("no configuration could be read".to_owned())))
    }

    async fn read(&self, tenant: &str, revision: i64) -> Result<Configuration, HistoryError> {
        let channels = self.channels.all(tenant).await?.iter().map(stored_channel).collect();
        let policies = self.policies.all(tenant).await?.iter().map(stored_policy).collect();
        let settings = self.settings(tenant).await?.0;
        let fallback_timezone = zone::parse(&settings.fallback_timezone);
        Ok(Configuration::new(revision, channels, policies, Settings { fallback_timezone }))
    }

    /// The settings with defaults filled in, and their etag when they were ever written.
    pub async fn settings(&self, tenant: &str) -> Result<(proto::TenantSettings, Option<String>), HistoryError> {
        match self.history.find(tenant, SETTINGS, SETTINGS).await {
            Ok(present) => {
                let stored = proto::TenantSettings::decode(present.payload.as_slice()).unwrap_or_default();
                Ok((with_defaults(stored), Some(present.etag)))
            }
            Err(HistoryError::NotFound { .. }) => Ok((with_defaults(proto::TenantSettings::default()), None)),
            Err(other) => Err(other),
        }
    }
}

/// Settings with what nobody said filled in.
pub fn with_defaults(mut settings: proto::TenantSettings) -> proto::TenantSettings {
    if settings.timezone.is_empty() {
        settings.timezone = TIMEZONE_DEFAULT.to_owned();
    }
    if settings.currency.is_empty() {
        settings.currency = CURRENCY_DEFAULT.to_owned();
    }
    settings
}

/// A status as REST says it; none for a number nobody knows.
pub fn status_name(status: i32) -> Option<&'static str> {
    Some(match ResourceStatus::try_from(status).ok()? {
        ResourceStatus::Unspecified | ResourceStatus::Active => "active",
        ResourceStatus::Draft => "draft",
        ResourceStatus::Paused => "paused",
        ResourceStatus::Archived => "archived",
    })
}

/// The channel as rules use it, or all faults by path within the resource.
pub fn channel(resource: &proto::Channel) -> Result<Channel, Faults> {
    let mut faults = Faults::new();
    let status = status_name(resource.status);
    if status.is_none() {
        faults.push(("status".to_owned(), format!("`{}` is not a status", resource.status)));
    }
    match Channel::parse(&channel_draft(resource, status.unwrap_or_default())) {
        Ok(channel) if faults.is_empty() => return Ok(channel),
        Ok(_) => {}
        Err(found) => faults.extend(found),
    }
    Err(faults)
}

fn channel_draft<'a>(resource: &'a proto::Channel, status: &'static str) -> ChannelDraft<'a> {
    let draft = ChannelDraft {
        id: &resource.id,
        name: &resource.name,
        status,
        channel_type: &resource.channel_type,
        ..ChannelDraft::default()
    };
    match &resource.config {
        None => draft,
        Some(config) => ChannelDraft {
            quiet_hours_start: &config.quiet_hours_start,
            quiet_hours_end: &config.quiet_hours_end,
            timezone_source: &config.timezone_source,
            consent_field: &config.consent_field,
            ..draft
        },
    }
}

/// The policy as rules use it, or all faults by path within the resource.
pub fn policy(resource: &proto::ContactPolicy) -> Result<ContactPolicy, Faults> {
    let mut faults = Faults::new();
    if status_name(resource.status).is_none() {
        faults.push(("status".to_owned(), format!("`{}` is not a status", resource.status)));
    }
    match ContactPolicy::parse(&policy_draft(resource)) {
        Ok(policy) if faults.is_empty() => return Ok(policy),
        Ok(_) => {}
        Err(found) => faults.extend(found),
    }
    Err(faults)
}

fn policy_draft(resource: &proto::ContactPolicy) -> PolicyDraft<'_> {
    let rule = match &resource.rule {
        None => RuleDraft::Missing,
        Some(Rule::FrequencyCap(cap)) => RuleDraft::FrequencyCap {
            window_days: cap.window_days,
            window_hours: cap.window_hours,
            max_impressions: cap.max_impressions,
        },
        Some(Rule::OutcomeBased(rest)) => {
            RuleDraft::OutcomeBased { outcomes: &rest.outcomes, window_days: rest.window_days }
        }
        Some(Rule::CustomerTotalCap(_)) => RuleDraft::Unserved("customer_total_cap"),
        Some(Rule::CrossChannelCap(_)) => RuleDraft::Unserved("cross_channel_cap"),
        Some(Rule::Cooldown(_)) => RuleDraft::Unserved("cooldown"),
        Some(Rule::CategorySuppression(_)) => RuleDraft::Unserved("category_suppression"),
        Some(Rule::MutualExclusion(_)) => RuleDraft::Unserved("mutual_exclusion"),
        Some(Rule::TimeWindow(_)) => RuleDraft::Unserved("time_window"),
        Some(Rule::SegmentExclusion(_)) => RuleDraft::Unserved("segment_exclusion"),
        Some(Rule::Budget(_)) => RuleDraft::Unserved("budget"),
        Some(Rule::AllowOverride(_)) => RuleDraft::Unserved("allow_override"),
    };
    PolicyDraft {
        id: &resource.id,
        name: &resource.name,
        // A status this version does not know must not switch a rule off.
        is_active: status_name(resource.status).is_none_or(|status| status == "active"),
        scope: &resource.scope,
        priority: resource.priority,
        rule,
    }
}

/// What was stored is used; what this version cannot read refuses instead of being overlooked.
fn stored_channel(resource: &proto::Channel) -> Channel {
    let status = status_name(resource.status).unwrap_or("unknown");
    channel(resource).unwrap_or_else(|_| Channel::unreadable(&resource.id, &resource.name, status))
}

fn stored_policy(resource: &proto::ContactPolicy) -> ContactPolicy {
    policy(resource).unwrap_or_else(|_| ContactPolicy::unreadable(&policy_draft(resource)))
}
