//! Answers with the newest configuration: tries the cached one, and tries again if that is stale.

use std::sync::Arc;

use super::{Call, Gate, GateError};
use crate::domain::{configuration::Configuration, question::Question};

/// Tries until one is not overtaken by a write.
pub(super) const TRIES_MAX: usize = 5;

impl Gate {
    /// Does `work` with the newest configuration. When writes never pause, the last try uses what
    /// was read last, which is as new as the question.
    pub(super) async fn by_newest<T, F: Future<Output = Result<T, GateError>>>(
        &self,
        tenant: &str,
        question: Arc<Question>,
        work: impl Fn(Call) -> F,
    ) -> Result<T, GateError> {
        let mut cached = self.configurations.cached(tenant);
        let mut tries = 0;
        loop {
            tries += 1;
            let is_newest_wanted = tries < TRIES_MAX;
            let (configuration, is_cached) = match cached.take() {
                Some(configuration) => (configuration, true),
                None => (self.configurations.newest(tenant).await?, false),
            };
            match usable_channel(&configuration, &question.channel) {
                Err(_) if is_cached => continue,
                usable => usable?,
            }
            let question = question.clone();
            let call =
                Call { tenant: tenant.to_owned(), configuration, is_newest_wanted, question };
            match work(call).await {
                Err(GateError::Stale) if is_newest_wanted => {}
                done => return done,
            }
        }
    }
}

/// Fails unless the channel a question names exists and is active. A question that names none is
/// about no contact.
pub(super) fn usable_channel(configuration: &Configuration, named: &str) -> Result<(), GateError> {
    if named.is_empty() {
        return Ok(());
    }
    match configuration.channel(named) {
        None => Err(GateError::UnknownChannel(named.to_owned())),
        Some(channel) if channel.status != "active" => Err(GateError::InactiveChannel {
            named: named.to_owned(),
            id: channel.id.clone(),
            status: channel.status,
        }),
        Some(_) => Ok(()),
    }
}
