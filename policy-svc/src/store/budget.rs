//! The use of budgets over all customers: entries, and totals of them.
//!
//! Each budget has one row with its totals. A commit locks it after the customers, in the order of
//! ids. A new or changed budget is counted again from the contacts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use database::{
    BindRows as _, Columns, DatabaseError, Kind, Rows, Select, Source, Transaction, execute, within,
};
use serve::{Clock, from_micros};
use sqlx::AssertSqlSafe;

use super::known::{CONTACT_COLUMNS, Known, Wanted, contact_of};
use crate::domain::{
    configuration::Configuration,
    contact::{Contact, State},
    contact_policy::ContactPolicy,
    shared_use::{Limits, Used},
};

/// Entries told of a budget that is nearly used, those that leave first.
const LEAVING_MAX: i64 = 1_000;
/// Contacts looked through at a time when a budget is counted afresh.
const PAGE: i64 = 10_000;

/// A contact or a reservation that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// When it leaves.
    pub until: DateTime<Utc>,
    /// What it costs.
    pub cost: i64,
    is_reserved: bool,
}

const ENTRY: Columns = &[
    ("until_us", Kind::Integer),
    ("contact_id", Kind::Text),
    ("cost", Kind::Integer),
    ("reserved", Kind::Boolean),
];
const CONTACT_ID: Columns = &[("place", Kind::Integer), ("contact_id", Kind::Text)];

/// What a budget counts by. When it changes, what was counted before is worth nothing.
fn definition(policy: &ContactPolicy, limits: &Limits) -> String {
    format!("{} {:?} {limits:?}", policy.revision, policy.scope)
}

/// What a contact is to a budget at an instant; none when it does not count.
fn entry(
    policy: &ContactPolicy,
    limits: &Limits,
    contact: &Contact,
    at: DateTime<Utc>,
) -> Option<Entry> {
    let (until, is_reserved) = match (contact.state, contact.committed_at, contact.reserved_until) {
        (State::Committed, Some(committed_at), _) => (limits.window.end_for(committed_at), false),
        (State::Reserved, _, Some(until)) => (until, true),
        _ => return None,
    };
    let counts = until > at && policy.scope.matches(&contact.subject());
    counts.then_some(Entry { until, cost: contact.offer.cost, is_reserved })
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
    /// A contact was written.
    fn note(&mut self, contact: &Contact) {
        let id = &contact.contact_id;
        if let Some(before) = self.present.remove(id) {
            count(&mut self.used, &before, -1);
            self.added.remove(id);
            self.removed.insert(id.clone());
        }
        if let Some(after) = entry(&self.policy, &self.limits, contact, self.at) {
            count(&mut self.used, &after, 1);
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
    /// Locks the budgets that somebody in a commit is bound by, in the order of ids, and reads
    /// them.
    pub async fn hold(
        transaction: &mut Transaction,
        wanted: &[&Wanted],
        known: &[Known],
        clock: &Clock,
    ) -> Result<Self, DatabaseError> {
        let mut budgets = Self::default();
        let mut bound: BTreeMap<(&str, &str), (&ContactPolicy, &Limits)> = BTreeMap::new();
        for wanted in wanted {
            for (policy, limits) in
                wanted.budgets.iter().flat_map(|configuration| configuration.budgets())
            {
                bound.insert((&wanted.tenant, &policy.id), (policy, limits));
            }
        }
        for ((tenant, policy_id), (policy, limits)) in bound {
            let of_tenant = wanted.iter().zip(known).filter(|(wanted, _)| wanted.tenant == tenant);
            let contacts = of_tenant
                .flat_map(|(_, known)| &known.contacts)
                .map(|contact| contact.contact_id.as_str());
            let held = lock(transaction, tenant, policy, limits, contacts.collect(), clock).await?;
            budgets.0.insert((tenant.to_owned(), policy_id.to_owned()), held);
        }
        Ok(budgets)
    }

    /// What the budgets of a tenant have been used for.
    pub fn used(&self, tenant: &str) -> BTreeMap<String, Used> {
        let of_tenant = self.0.iter().filter(|((of, _), _)| of == tenant);
        of_tenant.map(|((_, policy_id), held)| (policy_id.clone(), held.used.clone())).collect()
    }

    /// Contacts of a tenant were written.
    pub fn note(&mut self, tenant: &str, contacts: &[Contact]) {
        for (_, held) in self.0.iter_mut().filter(|((of, _), _)| of == tenant) {
            contacts.iter().for_each(|contact| held.note(contact));
        }
    }

    /// Writes what became of them.
    pub async fn write(&self, transaction: &mut Transaction) -> Result<(), DatabaseError> {
        for ((tenant, policy_id), held) in &self.0 {
            remove(transaction, tenant, policy_id, &held.removed).await?;
            add(transaction, tenant, policy_id, &held.added).await?;
            save(transaction, tenant, held).await?;
        }
        Ok(())
    }
}

/// What budgets have been used for, read without a lock.
pub(super) async fn read(
    source: &mut Source<'_>,
    tenant: &str,
    configuration: &Configuration,
    clock: &Clock,
) -> Result<BTreeMap<String, Used>, DatabaseError> {
    let mut all = BTreeMap::new();
    for (policy, limits) in configuration.budgets() {
        let row: Option<Row> = Select::new(
            "select definition, ledger_us, contacts, reserved, spend from budget
             where tenant_id = $1 and policy_id = $2",
        )
        .bind(tenant)
        .bind(&policy.id)
        .brief()
        .optional(&mut *source)
        .await?;
        let counted = row.filter(|(counted_by, ..)| *counted_by == definition(policy, limits));
        let used = match counted {
            Some(row) => {
                let at = clock.now().max(from_micros(row.1));
                let mut used = remaining(&row, &lapsed(source, tenant, &policy.id, at).await?);
                if limits.is_nearly_used(&used) {
                    used.leaving = leaving(source, tenant, &policy.id, at).await?;
                }
                used
            }
            None => {
                let entries = scan(source, tenant, policy, limits, clock.now()).await?;
                let mut used = totals(entries.values());
                used.leaving = entries.values().map(|entry| (entry.until, entry.cost)).collect();
                used.leaving.sort_unstable();
                used.leaving.truncate(LEAVING_MAX as usize);
                used
            }
        };
        all.insert(policy.id.clone(), used);
    }
    Ok(all)
}

fn count(used: &mut Used, entry: &Entry, sign: i64) {
    used.contacts += sign;
    used.reserved += sign * i64::from(entry.is_reserved);
    used.spend += sign * entry.cost;
}

pub(super) fn totals<'e>(entries: impl Iterator<Item = &'e Entry>) -> Used {
    let mut used = Used::default();
    entries.for_each(|entry| count(&mut used, entry, 1));
    used
}

/// A budget's row: what it was counted by, the ledger instant and the totals.
type Row = (String, i64, i64, i64, i64);

/// The totals of a row without what has left since.
fn remaining((_, _, contacts, reserved, spend): &Row, gone: &Used) -> Used {
    let (contacts, reserved) = (contacts - gone.contacts, reserved - gone.reserved);
    Used { contacts, reserved, spend: spend - gone.spend, leaving: Vec::new() }
}

/// Takes a budget's row, creating it the first time, and keeps it locked until the transaction
/// ends.
pub(super) async fn lock(
    transaction: &mut Transaction,
    tenant: &str,
    policy: &ContactPolicy,
    limits: &Limits,
    contact_ids: Vec<&str>,
    clock: &Clock,
) -> Result<Held, DatabaseError> {
    let policy_id = policy.id.as_str();
    execute!(
        &mut *transaction,
        sqlx::query(
            "insert into budget (tenant_id, policy_id, definition, ledger_us, contacts, reserved, spend)
             values ($1, $2, '', 0, 0, 0, 0) on conflict (tenant_id, policy_id) do nothing"
        )
        .bind(tenant)
        .bind(policy_id)
    )?;
    let select = transaction.locking(
        "select definition, ledger_us, contacts, reserved, spend from budget where tenant_id = $1 and policy_id = $2",
    );
    let row: Row = within!(&mut *transaction, connection =>
        sqlx::query_as(select).bind(tenant).bind(policy_id).fetch_one(connection))?;
    let at = clock.now().max(from_micros(row.1));
    let used = if row.0 == definition(policy, limits) {
        remaining(&row, &sweep(transaction, tenant, policy_id, at).await?)
    } else {
        let entries =
            scan(&mut Source::Within(&mut *transaction), tenant, policy, limits, at).await?;
        clear(transaction, tenant, policy_id).await?;
        add(transaction, tenant, policy_id, &entries).await?;
        totals(entries.values())
    };
    let source = &mut Source::Within(transaction);
    let present = present(source, tenant, policy_id, contact_ids).await?;
    let (policy, limits) = (policy.clone(), *limits);
    let (added, removed) = (BTreeMap::new(), BTreeSet::new());
    let mut held = Held { policy, limits, at, used, present, added, removed };
    if limits.is_nearly_used(&held.used) {
        held.used.leaving = leaving(source, tenant, &held.policy.id, at).await?;
    }
    Ok(held)
}

/// What has left by an instant.
async fn lapsed(
    source: &mut Source<'_>,
    tenant: &str,
    policy_id: &str,
    at: DateTime<Utc>,
) -> Result<Used, DatabaseError> {
    let (contacts, reserved, spend): (i64, i64, i64) = Select::new(
        "select count(*), cast(coalesce(sum(case when reserved then 1 else 0 end), 0) as bigint),
           cast(coalesce(sum(cost), 0) as bigint)
         from budget_entry where tenant_id = $1 and policy_id = $2 and until_us <= $3",
    )
    .bind(tenant)
    .bind(policy_id)
    .bind(at.timestamp_micros())
    .brief()
    .one(&mut *source)
    .await?;
    Ok(Used { contacts, reserved, spend, leaving: Vec::new() })
}

/// Removes what has left by an instant.
async fn sweep(
    transaction: &mut Transaction,
    tenant: &str,
    policy_id: &str,
    at: DateTime<Utc>,
) -> Result<Used, DatabaseError> {
    let gone = lapsed(&mut Source::Within(&mut *transaction), tenant, policy_id, at).await?;
    if gone.contacts > 0 {
        execute!(
            transaction,
            sqlx::query("delete from budget_entry where tenant_id = $1 and policy_id = $2 and until_us <= $3")
                .bind(tenant)
                .bind(policy_id)
                .bind(at.timestamp_micros())
        )?;
    }
    Ok(gone)
}

async fn leaving(
    source: &mut Source<'_>,
    tenant: &str,
    policy_id: &str,
    at: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, i64)>, DatabaseError> {
    let rows: Vec<(i64, i64)> = Select::new(
        "select until_us, cost from budget_entry where tenant_id = $1 and policy_id = $2 and until_us > $3
         order by until_us limit $4",
    )
    .bind(tenant)
    .bind(policy_id)
    .bind(at.timestamp_micros())
    .bind(LEAVING_MAX)
    .all(&mut *source)
    .await?;
    Ok(rows.into_iter().map(|(until_us, cost)| (from_micros(until_us), cost)).collect())
}

type EntryColumns = (String, i64, i64, i64);

fn entry_of((contact_id, until_us, cost, reserved): EntryColumns) -> (String, Entry) {
    (contact_id, Entry { until: from_micros(until_us), cost, is_reserved: reserved != 0 })
}

/// Entries of some contacts.
async fn present(
    source: &mut Source<'_>,
    tenant: &str,
    policy_id: &str,
    contact_ids: Vec<&str>,
) -> Result<BTreeMap<String, Entry>, DatabaseError> {
    if contact_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut ids = Rows::new(CONTACT_ID);
    contact_ids
        .into_iter()
        .enumerate()
        .for_each(|(place, contact_id)| ids.push([place.into(), contact_id.into()]));
    let sql = format!(
        "select contact_id, until_us, cost, case when reserved then cast(1 as bigint) else 0 end from budget_entry
         where tenant_id = $1 and policy_id = $2 and contact_id in (select contact_id from {} ids)",
        ids.table(source.dialect(), 3)
    );
    let rows: Vec<EntryColumns> = Select::new(sql.as_str())
        .bind(tenant)
        .bind(policy_id)
        .bind_rows(&ids)
        .all(&mut *source)
        .await?;
    Ok(rows.into_iter().map(entry_of).collect())
}

/// All entries of a budget.
pub(super) async fn entries(
    source: &mut Source<'_>,
    tenant: &str,
    policy_id: &str,
) -> Result<BTreeMap<String, Entry>, DatabaseError> {
    let rows: Vec<EntryColumns> = Select::new(
        "select contact_id, until_us, cost, case when reserved then cast(1 as bigint) else 0 end
         from budget_entry where tenant_id = $1 and policy_id = $2",
    )
    .bind(tenant)
    .bind(policy_id)
    .all(&mut *source)
    .await?;
    Ok(rows.into_iter().map(entry_of).collect())
}

/// What counts, taken from the contacts themselves.
pub(super) async fn scan(
    source: &mut Source<'_>,
    tenant: &str,
    policy: &ContactPolicy,
    limits: &Limits,
    at: DateTime<Utc>,
) -> Result<BTreeMap<String, Entry>, DatabaseError> {
    let contact = source.dialect().array(CONTACT_COLUMNS);
    let page = |state: &str, instant: &str| {
        format!(
            "select {contact}, c.{instant} from contact c
             where c.tenant_id = $1 and c.state = '{state}' and c.cost >= 0 and c.{instant} >= $2
             order by c.{instant} limit $3 offset $4"
        )
    };
    let (committed, reserved) =
        (page("committed", "committed_us"), page("reserved", "reserved_until_us"));
    let mut entries = BTreeMap::new();
    for (sql, after) in [(committed, at - limits.window.length()), (reserved, at)] {
        let (mut from_us, mut skipped) = (after.timestamp_micros() + 1, 0);
        loop {
            let rows: Vec<(String, i64)> = Select::new(sql.as_str())
                .bind(tenant)
                .bind(from_us)
                .bind(PAGE)
                .bind(skipped)
                .all(&mut *source)
                .await?;
            let Some((_, last_us)) = rows.last().cloned() else { break };
            let of_last = rows.iter().filter(|(_, us)| *us == last_us).count() as i64;
            skipped = if last_us == from_us { skipped + of_last } else { of_last };
            from_us = last_us;
            for (body, _) in rows {
                let contact = contact_of(&body)?;
                entries.extend(
                    entry(policy, limits, &contact, at).map(|entry| (contact.contact_id, entry)),
                );
            }
        }
    }
    Ok(entries)
}

async fn clear(
    transaction: &mut Transaction,
    tenant: &str,
    policy_id: &str,
) -> Result<(), DatabaseError> {
    let delete = "delete from budget_entry where tenant_id = $1 and policy_id = $2";
    execute!(transaction, sqlx::query(delete).bind(tenant).bind(policy_id))?;
    Ok(())
}

async fn remove(
    transaction: &mut Transaction,
    tenant: &str,
    policy_id: &str,
    contact_ids: &BTreeSet<String>,
) -> Result<(), DatabaseError> {
    if contact_ids.is_empty() {
        return Ok(());
    }
    let mut ids = Rows::new(CONTACT_ID);
    contact_ids
        .iter()
        .enumerate()
        .for_each(|(place, contact_id)| ids.push([place.into(), contact_id.into()]));
    let sql = format!(
        "delete from budget_entry where tenant_id = $1 and policy_id = $2
           and contact_id in (select contact_id from {} ids)",
        ids.table(transaction.dialect(), 3)
    );
    execute!(
        transaction,
        sqlx::query(AssertSqlSafe(sql.as_str())).bind(tenant).bind(policy_id).bind_rows(&ids)
    )?;
    Ok(())
}

pub(super) async fn add(
    transaction: &mut Transaction,
    tenant: &str,
    policy_id: &str,
    entries: &BTreeMap<String, Entry>,
) -> Result<(), DatabaseError> {
    let entries: Vec<_> = entries.iter().collect();
    for page in entries.chunks(PAGE as usize) {
        let mut rows = Rows::new(ENTRY);
        for (contact_id, Entry { until, cost, is_reserved }) in page {
            rows.push([
                until.timestamp_micros().into(),
                (*contact_id).into(),
                (*cost).into(),
                (*is_reserved).into(),
            ]);
        }
        let sql = format!(
            "insert into budget_entry (tenant_id, policy_id, contact_id, until_us, cost, reserved)
             select $1, $2, contact_id, until_us, cost, reserved from {} entry where true
             on conflict (tenant_id, policy_id, contact_id) do update set until_us = excluded.until_us,
               cost = excluded.cost, reserved = excluded.reserved",
            rows.table(transaction.dialect(), 3)
        );
        execute!(
            &mut *transaction,
            sqlx::query(AssertSqlSafe(sql)).bind(tenant).bind(policy_id).bind_rows(&rows)
        )?;
    }
    Ok(())
}

pub(super) async fn save(
    transaction: &mut Transaction,
    tenant: &str,
    held: &Held,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(
            "update budget set definition = $3, ledger_us = $4, contacts = $5, reserved = $6, spend = $7
             where tenant_id = $1 and policy_id = $2"
        )
        .bind(tenant)
        .bind(&held.policy.id)
        .bind(definition(&held.policy, &held.limits))
        .bind(held.at.timestamp_micros())
        .bind(held.used.contacts)
        .bind(held.used.reserved)
        .bind(held.used.spend)
    )?;
    Ok(())
}
