//! Deletes contacts and outcomes past their limit, in small batches, and never while a policy or a
//! budget counts them. Consent records stay for ever.

use chrono::TimeDelta;
use history::History;
use serve::{Clock, Deleted, Pace, RetentionSettings};

use crate::{
    configuration::Configurations,
    domain::{configuration::Configuration, ledger::OPT_OUT},
    store::Store,
};

/// Deletes old rows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The rows.
    pub store: Store,
    /// Names the tenants.
    pub history: History,
    /// Says what policies count.
    pub configurations: Configurations,
    /// The limits.
    pub settings: RetentionSettings,
    /// The time.
    pub clock: Clock,
}

impl Retention {
    /// Deletes everything that is due now; returns how many rows of each table.
    pub async fn once(&self, pace: Pace) -> anyhow::Result<Deleted> {
        let mut deleted = Deleted::new();
        for tenant in self.history.tenants().await? {
            let age = |kind| self.settings.days(&tenant, kind).map(i64::from);
            let (contacts, outcomes) = (age("contacts"), age("outcomes"));
            if contacts.is_none() && outcomes.is_none() {
                continue;
            }
            let configuration = self.configurations.newest(&tenant).await?;
            if let Some(days) = contacts {
                let before_us = self.before_us(days, contacts_counted(&configuration));
                let committed = || self.store.delete_contacts(&tenant, before_us);
                pace.sweep("contact", &mut deleted, committed).await?;
                let reserved = || self.store.delete_reservations(&tenant, before_us);
                pace.sweep("contact", &mut deleted, reserved).await?;
            }
            if let Some(days) = outcomes {
                let counted = configuration.outcome_window().map(|(_, window)| window);
                let before_us = self.before_us(days, counted);
                let delete = || self.store.delete_outcomes(&tenant, before_us, OPT_OUT);
                pace.sweep("outcome", &mut deleted, delete).await?;
            }
        }
        Ok(deleted)
    }

    /// The instant before which rows are deleted: past their limit, and counted by nothing.
    fn before_us(&self, days: i64, counted: Option<TimeDelta>) -> i64 {
        let age = TimeDelta::days(days).max(counted.unwrap_or_default());
        let before = self.clock.now().checked_sub_signed(age);
        before.map_or(i64::MIN, |before| before.timestamp_micros())
    }
}

/// The longest window in which a policy or a budget counts contacts.
fn contacts_counted(configuration: &Configuration) -> Option<TimeDelta> {
    let budgets = configuration.budgets().map(|(_, limits)| limits.window.length());
    budgets.chain(configuration.contact_window()).max()
}
