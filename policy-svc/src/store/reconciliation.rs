//! Compares budgets with the contacts they count, adds what is missing and reports the drift.

use std::collections::BTreeMap;

use database::{DatabaseError, Select, Source};

use super::{
    Store,
    budget::{Present, lock, save},
    budget_entry::{Key, add, entries, scan, totals},
};
use crate::domain::{configuration::Configuration, counted::Entry, shared_use::Used};

pub(super) const TENANTS: &str = "select distinct tenant_id from budget order by tenant_id";

/// What a reconciliation found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drift {
    /// Contacts that counted nowhere; now they do.
    pub missing: usize,
    /// Entries without a contact; they lapse by themselves.
    pub surplus: usize,
    /// Totals that were not those of the entries; now they are.
    pub totals: usize,
}

impl std::ops::AddAssign for Drift {
    fn add_assign(&mut self, other: Self) {
        self.missing += other.missing;
        self.surplus += other.surplus;
        self.totals += other.totals;
    }
}

impl Store {
    /// Compares each budget of a tenant with the contacts themselves, and repairs what allows too
    /// many: what was missing is counted. What allows too few is reported and left until it lapses.
    pub async fn reconcile(
        &self,
        tenant: &str,
        configuration: &Configuration,
    ) -> Result<Drift, DatabaseError> {
        let mut drift = Drift::default();
        for definition in configuration.budgets() {
            let mut transaction = self.database.begin().await?;
            let mut held =
                lock(&mut transaction, tenant, definition, Present::default(), &self.clock).await?;
            let key = Key { tenant, policy_id: &definition.0.id };
            let source = &mut Source::Within(&mut transaction);
            let counted = entries(source, key).await?;
            let scanned = scan(source, tenant, definition, held.at).await?;
            let surplus =
                counted.keys().filter(|contact_id| !scanned.contains_key(*contact_id)).count();
            let is_less = |(contact_id, entry): &(&String, &Entry)| {
                counted
                    .get(*contact_id)
                    .is_none_or(|counted| counted.until < entry.until || counted.cost < entry.cost)
            };
            let missing: BTreeMap<_, _> =
                scanned.iter().filter(is_less).map(|(id, entry)| (id.clone(), *entry)).collect();
            let (used, mut all) = (held.used.clone(), counted);
            all.extend(missing.iter().map(|(id, entry)| (id.clone(), *entry)));
            held.used = totals(all.values());
            let is_off = missing.is_empty() && Used { leaving: Vec::new(), ..used } != held.used;
            drift += Drift { missing: missing.len(), surplus, totals: usize::from(is_off) };
            add(&mut transaction, key, &missing).await?;
            save(&mut transaction, tenant, &held).await?;
            transaction.commit().await?;
        }
        Ok(drift)
    }

    /// Tenants with budgets.
    pub async fn tenants_with_budgets(&self) -> Result<Vec<String>, DatabaseError> {
        let rows: Vec<(String,)> = Select::new(TENANTS).all(&self.database).await?;
        Ok(rows.into_iter().map(|(tenant,)| tenant).collect())
    }
}
