//! The use of budgets over all customers: entries, and totals of them.
//!
//! Each budget has one row with its totals. A commit locks it after the customers, in the order of
//! ids. A new or changed budget is counted again from the contacts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select, Source, Transaction, execute, within};
use serve::{Clock, from_micros};

use super::{
    budget_entry::{Key, add, clear, lapsed, leaving, present, remove, scan, sweep, totals},
    known::{Known, Wanted},
};
use crate::domain::{
    configuration::Configuration,
    contact::Contact,
    contact_policy::ContactPolicy,
    counted::{Counted, Entry, LEAVING_MAX},
    shared_use::{Limits, Used},
};

/// A budget as it is configured.
pub(super) type Definition<'a> = (&'a ContactPolicy, &'a Limits);

/// What a budget counts by. When it changes, the totals are counted afresh.
fn text_of((policy, limits): Definition<'_>) -> String {
    format!("{} {:?} {limits:?}", policy.revision, policy.scope)
}

/// A budget whose row is locked.
pub(super) struct Held {
    policy: ContactPolicy,
    limits: Limits,
    /// The ledger instant.
    pub at: DateTime<Utc>,
    /// The totals.
    pub used: Used,
    /// Entries of the contacts at hand.
    present: BTreeMap<String, Entry>,
    added: BTreeMap<String, Entry>,
    removed: BTreeSet<String>,
}

impl Held {
    /// Counts a contact that is written.
    fn note(&mut self, contact: &Contact) {
        let id = &contact.contact_id;
        if let Some(before) = self.present.remove(id) {
            before.count(&mut self.used, -1);
            self.added.remove(id);
            self.removed.insert(id.clone());
        }
        if let Some(after) = Entry::of(&self.policy.scope, &self.limits, contact, self.at) {
            after.count(&mut self.used, 1);
            self.removed.remove(id);
            self.present.insert(id.clone(), after);
            self.added.insert(id.clone(), after);
        }
    }
}

/// The budgets of a commit, by tenant and policy.
#[derive(Default)]
pub(super) struct Budgets(BTreeMap<(String, String), Held>);

impl Budgets {
    /// Locks the budgets that bind the customers of a commit, in the order of ids, and reads them.
    pub async fn hold(
        transaction: &mut Transaction,
        wanted: &[&Wanted],
        known: &[Known],
        clock: &Clock,
    ) -> Result<Self, DatabaseError> {
        let mut budgets = Self::default();
        let mut bound: BTreeMap<(&str, &str), Definition<'_>> = BTreeMap::new();
        for wanted in wanted {
            for (policy, limits) in
                wanted.budgets.iter().flat_map(|configuration| configuration.budgets())
            {
                bound.insert((&wanted.tenant, &policy.id), (policy, limits));
            }
        }
        for ((tenant, policy_id), definition) in bound {
            let of_tenant = wanted.iter().zip(known).filter(|(wanted, _)| wanted.tenant == tenant);
            let mut hand = Present::default();
            for (wanted, known) in of_tenant {
                hand.has_pending |= wanted.has_pending;
                let contacts = known.contacts.iter().map(|contact| contact.contact_id.as_str());
                hand.contact_ids.extend(contacts);
            }
            let held = lock(transaction, tenant, definition, hand, clock).await?;
            budgets.0.insert((tenant.to_owned(), policy_id.to_owned()), held);
        }
        Ok(budgets)
    }

    /// What the budgets of a tenant have been used for.
    pub fn used(&self, tenant: &str) -> BTreeMap<String, Counted> {
        let of_tenant = self.0.iter().filter(|((of, _), _)| of == tenant);
        let counted = |held: &Held| Counted { used: held.used.clone(), at: held.at };
        of_tenant.map(|((_, policy_id), held)| (policy_id.clone(), counted(held))).collect()
    }

    /// Counts contacts of a tenant that are written.
    pub fn note(&mut self, tenant: &str, contacts: &[Contact]) {
        for (_, held) in self.0.iter_mut().filter(|((of, _), _)| of == tenant) {
            contacts.iter().for_each(|contact| held.note(contact));
        }
    }

    /// Writes the entries and totals that changed.
    pub async fn write(&self, transaction: &mut Transaction) -> Result<(), DatabaseError> {
        for ((tenant, policy_id), held) in &self.0 {
            let key = Key { tenant, policy_id };
            remove(transaction, key, &held.removed).await?;
            add(transaction, key, &held.added).await?;
            save(transaction, tenant, held).await?;
        }
        Ok(())
    }
}

/// What budgets have been used for, read without a lock. Pending outcomes may use up what is left,
/// so with them the contacts that leave first are read in any case.
pub(super) async fn read(
    source: &mut Source<'_>,
    tenant: &str,
    (configuration, has_pending): (&Configuration, bool),
    clock: &Clock,
) -> Result<BTreeMap<String, Counted>, DatabaseError> {
    let mut all = BTreeMap::new();
    for (policy, limits) in configuration.budgets() {
        let key = Key { tenant, policy_id: &policy.id };
        let select = Select::new(FOUND).bind(tenant).bind(&policy.id).brief();
        let row: Option<Row> = select.optional(&mut *source).await?;
        let counted = row.filter(|(counted_by, ..)| *counted_by == text_of((policy, limits)));
        let counted = match counted {
            Some(row) => {
                let at = clock.now().max(from_micros(row.1));
                let mut used = remaining(&row, &lapsed(source, key, at).await?);
                if has_pending || limits.is_nearly_used(&used) {
                    used.leaving = leaving(source, key, at).await?;
                }
                Counted { used, at }
            }
            None => {
                let at = clock.now();
                let entries = scan(source, tenant, (policy, limits), at).await?;
                let mut used = totals(entries.values());
                used.leaving = entries.values().map(|entry| (entry.until, entry.cost)).collect();
                used.leaving.sort_unstable();
                used.leaving.truncate(LEAVING_MAX);
                Counted { used, at }
            }
        };
        all.insert(policy.id.clone(), counted);
    }
    Ok(all)
}

/// A budget's row: what it was counted by, the ledger instant and the totals.
type Row = (String, i64, i64, i64, i64);

pub(super) const FOUND: &str = "select definition, ledger_us, contacts, reserved, spend \
    from budget where tenant_id = $1 and policy_id = $2";
pub(super) const NEW: &str = "insert into budget \
    (tenant_id, policy_id, definition, ledger_us, contacts, reserved, spend) \
    values ($1, $2, '', 0, 0, 0, 0) on conflict (tenant_id, policy_id) do nothing";
pub(super) const SAVE: &str = "update budget set definition = $3, ledger_us = $4, contacts = $5, \
    reserved = $6, spend = $7 where tenant_id = $1 and policy_id = $2";

/// The totals of a row without what has left since.
fn remaining((_, _, contacts, reserved, spend): &Row, gone: &Used) -> Used {
    let (contacts, reserved) = (contacts - gone.contacts, reserved - gone.reserved);
    Used { contacts, reserved, spend: spend - gone.spend, leaving: Vec::new() }
}

/// The contacts at hand while a budget is locked.
#[derive(Default)]
pub(super) struct Present<'a> {
    /// Their ids.
    pub contact_ids: Vec<&'a str>,
    /// Outcomes that are not delivered may change them.
    pub has_pending: bool,
}

/// Takes a budget's row, creating it the first time, and keeps it locked until the transaction
/// ends.
pub(super) async fn lock(
    transaction: &mut Transaction,
    tenant: &str,
    definition: Definition<'_>,
    hand: Present<'_>,
    clock: &Clock,
) -> Result<Held, DatabaseError> {
    let (policy, limits) = definition;
    let key = Key { tenant, policy_id: &policy.id };
    execute!(&mut *transaction, sqlx::query(NEW).bind(tenant).bind(&policy.id))?;
    let select = transaction.locking(FOUND);
    let row: Row = within!(&mut *transaction, connection =>
        sqlx::query_as(select).bind(tenant).bind(&policy.id).fetch_one(connection))?;
    let at = clock.now().max(from_micros(row.1));
    let used = if row.0 == text_of(definition) {
        remaining(&row, &sweep(transaction, key, at).await?)
    } else {
        let source = &mut Source::Within(&mut *transaction);
        let entries = scan(source, tenant, definition, at).await?;
        clear(transaction, key).await?;
        add(transaction, key, &entries).await?;
        totals(entries.values())
    };
    let source = &mut Source::Within(transaction);
    let present = present(source, key, hand.contact_ids).await?;
    let mut held = Held {
        policy: policy.clone(),
        limits: *limits,
        at,
        used,
        present,
        added: BTreeMap::new(),
        removed: BTreeSet::new(),
    };
    if hand.has_pending || limits.is_nearly_used(&held.used) {
        held.used.leaving = leaving(source, key, at).await?;
    }
    Ok(held)
}

/// Writes the totals.
pub(super) async fn save(
    transaction: &mut Transaction,
    tenant: &str,
    held: &Held,
) -> Result<(), DatabaseError> {
    let saved = execute!(
        transaction,
        sqlx::query(SAVE)
            .bind(tenant)
            .bind(&held.policy.id)
            .bind(text_of((&held.policy, &held.limits)))
            .bind(held.at.timestamp_micros())
            .bind(held.used.contacts)
            .bind(held.used.reserved)
            .bind(held.used.spend)
    );
    saved.map(drop)
}
