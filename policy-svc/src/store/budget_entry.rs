//! What a budget counts: an entry for each contact and reservation, until it leaves the window or
//! lapses.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use chrono::{DateTime, Utc};
use database::{
    BindRows as _, Columns, DatabaseError, Dialect, Kind, Rows, Select, Source, Texts, Transaction,
    execute,
};
use serve::from_micros;
use sqlx::AssertSqlSafe;

use super::row;
use crate::domain::{
    contact_policy::ContactPolicy,
    counted::{Entry, LEAVING_MAX},
    shared_use::{Limits, Used},
};

/// Contacts read at a time when a budget is counted afresh.
const PAGE: i64 = 10_000;

/// The totals of entries.
pub(super) fn totals<'e>(entries: impl Iterator<Item = &'e Entry>) -> Used {
    let mut used = Used::default();
    entries.for_each(|entry| entry.count(&mut used, 1));
    used
}

/// The budget of a tenant's policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key<'a> {
    pub tenant: &'a str,
    pub policy_id: &'a str,
}

pub(super) const LAPSED: &str = "select count(*), \
    cast(coalesce(sum(case when reserved then 1 else 0 end), 0) as bigint), \
    cast(coalesce(sum(cost), 0) as bigint) \
    from budget_entry where tenant_id = $1 and policy_id = $2 and until_us <= $3";
pub(super) const SWEEP: &str =
    "delete from budget_entry where tenant_id = $1 and policy_id = $2 and until_us <= $3";
pub(super) const LEAVING: &str = "select until_us, cost from budget_entry \
    where tenant_id = $1 and policy_id = $2 and until_us > $3 order by until_us limit $4 + 0";
pub(super) const ALL: &str = "select contact_id, until_us, cost, \
    case when reserved then cast(1 as bigint) else 0 end \
    from budget_entry where tenant_id = $1 and policy_id = $2";
pub(super) const CLEAR: &str = "delete from budget_entry where tenant_id = $1 and policy_id = $2";

const ENTRY: Columns = &[
    ("until_us", Kind::Integer),
    ("contact_id", Kind::Text),
    ("cost", Kind::Integer),
    ("reserved", Kind::Boolean),
];
const CONTACT_ID: Columns = &[("place", Kind::Integer), ("contact_id", Kind::Text)];

pub(super) static PRESENT: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|dialect, count| {
        let ids = dialect.table(CONTACT_ID, count, 3);
        format!("{ALL} and contact_id in (select contact_id from {ids} ids)")
    })
});
pub(super) static REMOVE: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|dialect, count| {
        let ids = dialect.table(CONTACT_ID, count, 3);
        format!("{CLEAR} and contact_id in (select contact_id from {ids} ids)")
    })
});
pub(super) static ADD: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|dialect, count| {
        format!(
            "insert into budget_entry (tenant_id, policy_id, contact_id, until_us, cost, reserved)
             select $1, $2, contact_id, until_us, cost, reserved from {} entry where true
             on conflict (tenant_id, policy_id, contact_id) do update set
               until_us = excluded.until_us, cost = excluded.cost, reserved = excluded.reserved",
            dialect.table(ENTRY, count, 3)
        )
    })
});

/// What has left by an instant.
pub(super) async fn lapsed(
    source: &mut Source<'_>,
    key: Key<'_>,
    at: DateTime<Utc>,
) -> Result<Used, DatabaseError> {
    let select = Select::new(LAPSED).bind(key.tenant).bind(key.policy_id);
    let select = select.bind(at.timestamp_micros()).brief();
    let (contacts, reserved, spend): (i64, i64, i64) = select.one(&mut *source).await?;
    Ok(Used { contacts, reserved, spend, leaving: Vec::new() })
}

/// Removes what has left by an instant.
pub(super) async fn sweep(
    transaction: &mut Transaction,
    key: Key<'_>,
    at: DateTime<Utc>,
) -> Result<Used, DatabaseError> {
    let gone = lapsed(&mut Source::Within(&mut *transaction), key, at).await?;
    if gone.contacts > 0 {
        let until_us = at.timestamp_micros();
        execute!(
            transaction,
            sqlx::query(SWEEP).bind(key.tenant).bind(key.policy_id).bind(until_us)
        )?;
    }
    Ok(gone)
}

/// The entries that leave first, and what they cost.
pub(super) async fn leaving(
    source: &mut Source<'_>,
    key: Key<'_>,
    at: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, i64)>, DatabaseError> {
    let select = Select::new(LEAVING).bind(key.tenant).bind(key.policy_id);
    let select = select.bind(at.timestamp_micros()).bind(LEAVING_MAX as i64);
    let rows: Vec<(i64, i64)> = select.all(&mut *source).await?;
    Ok(rows.into_iter().map(|(until_us, cost)| (from_micros(until_us), cost)).collect())
}

type EntryColumns = (String, i64, i64, i64);

fn by_contact(rows: Vec<EntryColumns>) -> BTreeMap<String, Entry> {
    let entry = |(contact_id, until_us, cost, reserved): EntryColumns| {
        (contact_id, Entry { until: from_micros(until_us), cost, is_reserved: reserved != 0 })
    };
    rows.into_iter().map(entry).collect()
}

fn rows_of<'a>(contact_ids: impl IntoIterator<Item = &'a str>) -> Rows<'a> {
    let mut rows = Rows::new(CONTACT_ID);
    for (place, contact_id) in contact_ids.into_iter().enumerate() {
        rows.push([place.into(), contact_id.into()]);
    }
    rows
}

/// Entries of some contacts.
pub(super) async fn present(
    source: &mut Source<'_>,
    key: Key<'_>,
    contact_ids: Vec<&str>,
) -> Result<BTreeMap<String, Entry>, DatabaseError> {
    if contact_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = rows_of(contact_ids);
    let select = Select::new(PRESENT.get(source.dialect(), ids.count()));
    let select = select.bind(key.tenant).bind(key.policy_id).bind_rows(&ids);
    Ok(by_contact(select.all(&mut *source).await?))
}

/// All entries of a budget.
pub(super) async fn entries(
    source: &mut Source<'_>,
    key: Key<'_>,
) -> Result<BTreeMap<String, Entry>, DatabaseError> {
    let select = Select::new(ALL).bind(key.tenant).bind(key.policy_id);
    Ok(by_contact(select.all(&mut *source).await?))
}

/// Removes all entries of a budget.
pub(super) async fn clear(
    transaction: &mut Transaction,
    key: Key<'_>,
) -> Result<(), DatabaseError> {
    execute!(transaction, sqlx::query(CLEAR).bind(key.tenant).bind(key.policy_id)).map(drop)
}

/// Removes the entries of some contacts.
pub(super) async fn remove(
    transaction: &mut Transaction,
    key: Key<'_>,
    contact_ids: &BTreeSet<String>,
) -> Result<(), DatabaseError> {
    if contact_ids.is_empty() {
        return Ok(());
    }
    let ids = rows_of(contact_ids.iter().map(String::as_str));
    let text = AssertSqlSafe(REMOVE.get(transaction.dialect(), ids.count()));
    let removed = execute!(
        transaction,
        sqlx::query(text).bind(key.tenant).bind(key.policy_id).bind_rows(&ids)
    );
    removed.map(drop)
}

/// Adds entries, or replaces those of the same contacts.
pub(super) async fn add(
    transaction: &mut Transaction,
    key: Key<'_>,
    entries: &BTreeMap<String, Entry>,
) -> Result<(), DatabaseError> {
    let entries: Vec<_> = entries.iter().collect();
    for page in entries.chunks(PAGE as usize) {
        let mut rows = Rows::new(ENTRY);
        for (contact_id, Entry { until, cost, is_reserved }) in page {
            let until_us = until.timestamp_micros();
            let contact_id = (*contact_id).into();
            rows.push([until_us.into(), contact_id, (*cost).into(), (*is_reserved).into()]);
        }
        let text = AssertSqlSafe(ADD.get(transaction.dialect(), rows.count()));
        execute!(
            &mut *transaction,
            sqlx::query(text).bind(key.tenant).bind(key.policy_id).bind_rows(&rows)
        )?;
    }
    Ok(())
}

/// A page of the contacts of all customers in a state, by the instant that says how long they
/// count.
pub(super) fn scanned(dialect: Dialect, state: &str, instant: &str) -> String {
    format!(
        "select {}, c.{instant} from contact c
         where c.tenant_id = $1 and c.state = '{state}' and c.cost >= 0 and c.{instant} >= $2
         order by c.{instant} limit $3 + 0 offset $4",
        dialect.array(row::CONTACT)
    )
}

/// The states that count, with their instants.
pub(super) const COUNTING: [(&str, &str); 2] =
    [("committed", "committed_us"), ("reserved", "reserved_until_us")];

/// What counts, taken from the contacts themselves.
pub(super) async fn scan(
    source: &mut Source<'_>,
    tenant: &str,
    (policy, limits): (&ContactPolicy, &Limits),
    at: DateTime<Utc>,
) -> Result<BTreeMap<String, Entry>, DatabaseError> {
    let mut entries = BTreeMap::new();
    for ((state, instant), after) in COUNTING.into_iter().zip([at - limits.window.length(), at]) {
        let sql = scanned(source.dialect(), state, instant);
        let (mut from_us, mut skipped) = (after.timestamp_micros() + 1, 0);
        loop {
            let select = Select::new(sql.as_str()).bind(tenant).bind(from_us);
            let rows: Vec<(String, i64)> =
                select.bind(PAGE).bind(skipped).all(&mut *source).await?;
            let Some((_, last_us)) = rows.last().cloned() else { break };
            let of_last = rows.iter().filter(|(_, us)| *us == last_us).count() as i64;
            skipped = if last_us == from_us { skipped + of_last } else { of_last };
            from_us = last_us;
            for (row, _) in rows {
                let contact = row::contact(&row)?;
                let entry = Entry::of(&policy.scope, limits, &contact, at);
                entries.extend(entry.map(|entry| (contact.contact_id, entry)));
            }
        }
    }
    Ok(entries)
}
