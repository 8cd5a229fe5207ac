//! The configuration of a tenant: read from the log, converted to rules, and cached by revision.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use database::DatabaseError;
use history::{AsOf, Collection, History, HistoryError};
use proffer_proto::policy::v1 as proto;
use prost::Message as _;

use crate::{
    domain::configuration::Configuration,
    messages::{
        channel, contact_policy,
        settings::{rule_settings, with_defaults},
    },
};

/// Tenants whose newest configuration is cached.
const TENANTS_MAX: usize = 256;
/// Past configurations that are cached.
const PAST_MAX: usize = 256;
/// Readings until one is not overtaken by a write.
const READINGS_MAX: usize = 5;
/// Kind and id of the settings in the log.
pub const SETTINGS: &str = "settings";

/// The configurations of all tenants. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Configurations {
    history: History,
    channels: Collection<proto::Channel>,
    policies: Collection<proto::ContactPolicy>,
    /// The newest one read, by tenant.
    newest: Arc<Mutex<HashMap<String, Arc<Configuration>>>>,
    past: Arc<Mutex<Past>>,
}

/// By tenant and revision.
type Past = HashMap<(String, i64), Arc<Configuration>>;

impl Configurations {
    /// Those in a log.
    pub fn new(history: History) -> Self {
        let (channels, policies) =
            (Collection::new(history.clone()), Collection::new(history.clone()));
        Self { history, channels, policies, newest: Arc::default(), past: Arc::default() }
    }

    /// The newest one read so far; it may be stale.
    pub fn cached(&self, tenant: &str) -> Option<Arc<Configuration>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// The tenants whose configuration was read so far.
    pub fn tenants(&self) -> Vec<String> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The newest configuration. Reads the head of the log on every call, so that a change binds
    /// the very next question.
    pub async fn newest(&self, tenant: &str) -> Result<Arc<Configuration>, HistoryError> {
        let mut revision = self.history.head(tenant).await?;
        if let Some(cached) = self.cached(tenant).filter(|cached| cached.revision == revision) {
            return Ok(cached);
        }
        for _ in 0..READINGS_MAX {
            let read = Arc::new(self.read(tenant, revision).await?);
            // A write in between may have been read in part.
            let head = self.history.head(tenant).await?;
            if head == revision {
                let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
                if newest.len() >= TENANTS_MAX && !newest.contains_key(tenant) {
                    newest.clear();
                }
                newest.insert(tenant.to_owned(), read.clone());
                return Ok(read);
            }
            revision = head;
        }
        // When writes never pause, the log still says what held after the last one.
        Ok(Arc::new(self.read_at(tenant, revision).await?))
    }

    /// The configuration after a revision; `None` when the log has not reached it.
    pub async fn at(
        &self,
        tenant: &str,
        revision: i64,
    ) -> Result<Option<Arc<Configuration>>, HistoryError> {
        let key = (tenant.to_owned(), revision);
        if let Some(cached) = self.past.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some(cached.clone()));
        }
        let head = self.history.head(tenant).await?;
        if !(0..=head).contains(&revision) {
            return Ok(None);
        }
        let read = Arc::new(self.read_at(tenant, revision).await?);
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() >= PAST_MAX {
            past.clear();
        }
        past.insert(key, read.clone());
        Ok(Some(read))
    }

    /// The settings with defaults filled in, and their etag when they were ever written.
    pub async fn settings(
        &self,
        tenant: &str,
    ) -> Result<(proto::TenantSettings, Option<String>), HistoryError> {
        match self.history.find(tenant, SETTINGS, SETTINGS).await {
            Ok(present) => Ok((settings_in(&present.payload)?, Some(present.etag))),
            Err(HistoryError::NotFound { .. }) => Ok((settings_in(&[])?, None)),
            Err(other) => Err(other),
        }
    }

    async fn read(&self, tenant: &str, revision: i64) -> Result<Configuration, HistoryError> {
        let (channels, policies) =
            (self.channels.all(tenant).await?, self.policies.all(tenant).await?);
        converted(revision, &channels, &policies, &self.settings(tenant).await?.0)
    }

    async fn read_at(&self, tenant: &str, revision: i64) -> Result<Configuration, HistoryError> {
        let at = AsOf::Revision(revision);
        let (channels, policies) = tokio::try_join!(
            self.channels.all_as_of(tenant, at),
            self.policies.all_as_of(tenant, at)
        )?;
        let settings = self.history.as_of(tenant, SETTINGS, SETTINGS, at).await?;
        let settings = settings.and_then(|entry| entry.payload).unwrap_or_default();
        converted(revision, &channels, &policies, &settings_in(&settings)?)
    }
}

/// Settings as stored, with defaults filled in. Unreadable ones are an error: the defaults may
/// allow what they forbid.
fn settings_in(payload: &[u8]) -> Result<proto::TenantSettings, HistoryError> {
    let settings = proto::TenantSettings::decode(payload).map_err(|error| {
        HistoryError::Database(DatabaseError::Corrupt(format!("settings: {error}")))
    })?;
    Ok(with_defaults(settings))
}

/// The resources as rules.
fn converted(
    revision: i64,
    channels: &[proto::Channel],
    policies: &[proto::ContactPolicy],
    settings: &proto::TenantSettings,
) -> Result<Configuration, HistoryError> {
    let channels = channels.iter().map(channel::stored).collect();
    let policies = policies.iter().map(contact_policy::stored).collect();
    // Settings that this version cannot read may forbid what it would allow.
    let settings = rule_settings(settings).map_err(|faults| {
        let texts = faults.into_iter().map(|(path, text)| format!("settings.{path} {text}"));
        let text = texts.collect::<Vec<_>>().join("; ");
        HistoryError::Database(DatabaseError::Corrupt(text))
    })?;
    Ok(Configuration::new(revision, channels, policies, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults have quiet hours of their own, but not those of the tenant.
    #[test]
    fn settings_that_cannot_be_read_are_an_error_and_not_the_defaults() {
        assert!(settings_in(&[]).is_ok());
        let unreadable = settings_in(&[0xff, 0xff]).unwrap_err();
        assert!(matches!(unreadable, HistoryError::Database(DatabaseError::Corrupt(_))));
    }
}
