//! The configuration of a tenant, read from the log and made ready once per revision.

use std::sync::{Arc, PoisonError};

use history::{AsOf, HistoryError};
use proffer_proto::{
    policy::v1::{self as proto, contact_policy::Rule},
    values::v1::{ResourceStatus, Value, value::Kind},
};
use prost::Message as _;
use serve::Problem;
use tonic::Status;

use super::{Context, status::status};
use crate::{
    domain::{
        Faults,
        channel::{Channel, ChannelDraft},
        configuration::Configuration,
        contact_policy::{ContactPolicy, PolicyDraft, RuleDraft},
        question::Question,
        rule::cap::CapDraft,
        settings::{self, COUNTRY_FIELD_DEFAULT, CURRENCY_DEFAULT, Settings, TIMEZONE_DEFAULT},
        verdict::Judgement,
        zone,
    },
    store::{Basis, Call, Store, StoreError},
};

/// Tenants whose configuration is held ready.
const TENANTS_MAX: usize = 256;
/// Readings until one is not overtaken by a write.
const READINGS_MAX: usize = 5;
/// Configurations of the past that are held ready.
const PAST_MAX: usize = 256;
/// Kind and id of the settings in the log.
pub const SETTINGS: &str = "settings";

impl Context {
    /// Does `work` by the newest configuration: at first by the one at hand, again when it turns
    /// out not to be that. When writes never pause, the last try uses what was read last, which is
    /// as new as the question.
    pub async fn by_newest<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        tenant: &str,
        question: Question,
        work: impl Fn(Store, Call) -> F,
    ) -> Result<T, Status> {
        let question = Arc::new(question);
        let mut at_hand =
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        let mut tries = 0;
        loop {
            tries += 1;
            let is_newest_wanted = tries < READINGS_MAX;
            let (configuration, is_at_hand) = match at_hand.take() {
                Some(configuration) => (configuration, true),
                None => (self.configuration(tenant).await?, false),
            };
            if let Err(problem) = usable_channel(&configuration, &question.channel) {
                if is_at_hand {
                    continue;
                }
                return Err(problem.into());
            }
            let question = question.clone();
            let call =
                Call { tenant: tenant.to_owned(), configuration, is_newest_wanted, question };
            match work(self.store.clone(), call).await {
                Err(StoreError::Reconfigured) if is_newest_wanted => {}
                done => return done.map_err(status),
            }
        }
    }

    /// Checks many questions by the configuration at hand, reading once for all. What that cannot
    /// answer, because it is not the newest or knows no such channel, is left out: it is to be
    /// asked alone.
    pub async fn check_at_hand(
        &self,
        tenant: &str,
        questions: &[Arc<Question>],
    ) -> Result<Vec<Option<(Judgement, Basis)>>, StoreError> {
        let at_hand =
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        let Some(configuration) = at_hand else { return Ok(vec![None; questions.len()]) };
        let is_usable =
            |question: &&Arc<Question>| usable_channel(&configuration, &question.channel).is_ok();
        let call = |question: &Arc<Question>| Call {
            tenant: tenant.to_owned(),
            configuration: configuration.clone(),
            is_newest_wanted: true,
            question: question.clone(),
        };
        let calls: Vec<_> = questions.iter().filter(is_usable).map(call).collect();
        let mut judged = self.store.check_all(&calls).await?.into_iter();
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            let judged = if is_usable(&question) { judged.next() } else { None };
            answers.push(match judged {
                None | Some(Err(StoreError::Reconfigured)) => None,
                Some(judged) => Some(judged?),
            });
        }
        Ok(answers)
    }

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
            // A write in between may have been read in part. When writes never pause, the log tells
            // what held after the last one.
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
                return Ok(Arc::new(self.read_as_of(tenant, head).await?));
            }
            revision = head;
        }
        Err(HistoryError::Database(database::DatabaseError::Corrupt(
            "no configuration could be read".to_owned(),
        )))
    }

    /// The configuration as it was after a revision; kept for the next question about it.
    pub async fn configuration_at(
        &self,
        tenant: &str,
        revision: i64,
    ) -> Result<Arc<Configuration>, Status> {
        let key = (tenant.to_owned(), revision);
        if let Some(made) = self.past.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(made.clone());
        }
        let head = self.history.head(tenant).await?;
        if !(0..=head).contains(&revision) {
            return Err(Problem::not_found("policy revision", &revision.to_string()).into());
        }
        let made = Arc::new(self.read_as_of(tenant, revision).await?);
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() >= PAST_MAX {
            past.clear();
        }
        past.insert(key, made.clone());
        Ok(made)
    }

    async fn read_as_of(&self, tenant: &str, revision: i64) -> Result<Configuration, HistoryError> {
        let at = AsOf::Revision(revision);
        let (channels, policies) = tokio::try_join!(
            self.channels.all_as_of(tenant, at),
            self.policies.all_as_of(tenant, at)
        )?;
        let settings = self
            .history
            .as_of(tenant, SETTINGS, SETTINGS, at)
            .await?
            .and_then(|entry| entry.payload);
        let settings = settings
            .and_then(|bytes| proto::TenantSettings::decode(bytes.as_slice()).ok())
            .unwrap_or_default();
        made_ready(revision, &channels, &policies, &with_defaults(settings))
    }

    async fn read(&self, tenant: &str, revision: i64) -> Result<Configuration, HistoryError> {
        let (channels, policies) =
            (self.channels.all(tenant).await?, self.policies.all(tenant).await?);
        made_ready(revision, &channels, &policies, &self.settings(tenant).await?.0)
    }

    /// The settings with defaults filled in, and their etag when they were ever written.
    pub async fn settings(
        &self,
        tenant: &str,
    ) -> Result<(proto::TenantSettings, Option<String>), HistoryError> {
        match self.history.find(tenant, SETTINGS, SETTINGS).await {
            Ok(present) => {
                let stored =
                    proto::TenantSettings::decode(present.payload.as_slice()).unwrap_or_default();
                Ok((with_defaults(stored), Some(present.etag)))
            }
            Err(HistoryError::NotFound { .. }) => {
                Ok((with_defaults(proto::TenantSettings::default()), None))
            }
            Err(other) => Err(other),
        }
    }
}

/// The configuration made ready to judge by.
fn made_ready(
    revision: i64,
    channels: &[proto::Channel],
    policies: &[proto::ContactPolicy],
    settings: &proto::TenantSettings,
) -> Result<Configuration, HistoryError> {
    let channels = channels.iter().map(stored_channel).collect();
    let policies = policies.iter().map(stored_policy).collect();
    // A floor that this version cannot read must not be overlooked.
    let settings = rule_settings(settings).map_err(|faults| {
        let told: Vec<_> =
            faults.into_iter().map(|(path, text)| format!("settings.{path} {text}")).collect();
        HistoryError::Database(database::DatabaseError::Corrupt(told.join("; ")))
    })?;
    Ok(Configuration::new(revision, channels, policies, settings))
}

/// The channel a question names must be there and active; a question that names none skips channel
/// rules.
pub fn usable_channel(configuration: &Configuration, named: &str) -> Result<(), Problem> {
    if named.is_empty() {
        return Ok(());
    }
    let found = configuration.channel(named).ok_or_else(|| Problem::not_found("channel", named))?;
    if found.status != "active" {
        let message =
            format!("channel `{named}` is {}; only active channels are used", found.status);
        return Err(Problem::wrong_state(&found.id, found.status, message));
    }
    Ok(())
}

/// Settings with what nobody said filled in.
pub fn with_defaults(mut settings: proto::TenantSettings) -> proto::TenantSettings {
    if settings.timezone.is_empty() {
        settings.timezone = TIMEZONE_DEFAULT.to_owned();
    }
    if settings.currency.is_empty() {
        settings.currency = CURRENCY_DEFAULT.to_owned();
    }
    if settings.country_field.is_empty() {
        settings.country_field = COUNTRY_FIELD_DEFAULT.to_owned();
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
        Some(Rule::FrequencyCap(cap)) => RuleDraft::FrequencyCap(cap_draft(cap)),
        Some(Rule::CustomerTotalCap(cap)) => RuleDraft::CustomerTotalCap(cap_draft(cap)),
        Some(Rule::CrossChannelCap(cap)) => RuleDraft::CrossChannelCap(cap_draft(cap)),
        Some(Rule::OutcomeBased(rest)) => {
            RuleDraft::OutcomeBased { outcomes: &rest.outcomes, window_days: rest.window_days }
        }
        Some(Rule::Cooldown(rest)) => RuleDraft::Cooldown { window_hours: rest.window_hours },
        Some(Rule::CategorySuppression(rest)) => {
            RuleDraft::CategorySuppression { window_days: rest.window_days }
        }
        Some(Rule::MutualExclusion(rule)) => {
            RuleDraft::MutualExclusion { offers: &rule.offers, window_days: rule.window_days }
        }
        Some(Rule::TimeWindow(rule)) => RuleDraft::TimeWindow {
            allowed_days: &rule.allowed_days,
            start: &rule.start,
            end: &rule.end,
        },
        Some(Rule::SegmentExclusion(rule)) => {
            RuleDraft::SegmentExclusion { field: &rule.field, segments: &rule.segments }
        }
        Some(Rule::AllowOverride(_)) => RuleDraft::AllowOverride,
        Some(Rule::Budget(rule)) => RuleDraft::Budget {
            window_days: rule.window_days,
            max_contacts: rule.max_contacts,
            max_spend: rule.max_spend.as_ref().map(decimal_text),
        },
    };
    PolicyDraft {
        id: &resource.id,
        name: &resource.name,
        revision: resource.revision,
        // A status this version does not know must not switch a rule off.
        is_active: status_name(resource.status).is_none_or(|status| status == "active"),
        scope: &resource.scope,
        priority: resource.priority,
        rule,
    }
}

/// The text of an amount as it is stored; of what is no amount none.
fn decimal_text(value: &Value) -> &str {
    match &value.kind {
        Some(Kind::DecimalValue(text) | Kind::StringValue(text)) => text,
        _ => "",
    }
}

/// An amount however it was written as the decimal number it is stored as.
pub fn settle_spend(resource: &mut proto::ContactPolicy) {
    let Some(Rule::Budget(proto::Budget { max_spend: Some(value), .. })) = &mut resource.rule
    else {
        return;
    };
    let text = match &value.kind {
        Some(Kind::IntegerValue(number)) => number.to_string(),
        Some(Kind::DoubleValue(number)) => number.to_string(),
        Some(Kind::StringValue(text) | Kind::DecimalValue(text)) => text.trim().to_owned(),
        _ => return,
    };
    value.kind = Some(Kind::DecimalValue(text));
}

fn cap_draft(cap: &proto::FrequencyCap) -> CapDraft {
    CapDraft {
        window_days: cap.window_days,
        window_hours: cap.window_hours,
        max_impressions: cap.max_impressions,
        max_per_day: cap.max_per_day,
        max_per_week: cap.max_per_week,
        max_per_month: cap.max_per_month,
    }
}

/// The settings as rules use them, or all faults by path within the resource.
pub fn rule_settings(stored: &proto::TenantSettings) -> Result<Settings, Faults> {
    let mut faults = settings::faults(
        &stored.timezone,
        &stored.fallback_timezone,
        &stored.currency,
        &stored.country_field,
    );
    let written = stored.legal_quiet_hours.iter();
    let written = written
        .map(|(country, hours)| (country.as_str(), hours.start.as_str(), hours.end.as_str()));
    let legal_quiet_hours =
        settings::legal_quiet_hours(written).map_err(|found| faults.extend(found));
    match legal_quiet_hours {
        Ok(legal_quiet_hours) if faults.is_empty() => Ok(Settings {
            timezone: zone::parse(&stored.timezone).unwrap_or(chrono_tz::UTC),
            fallback_timezone: zone::parse(&stored.fallback_timezone),
            legal_quiet_hours,
            country_field: settings::field_name(&stored.country_field).to_owned(),
        }),
        _ => Err(faults),
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
