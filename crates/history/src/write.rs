//! Writing: one entry appended, and the present state changed with it.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction, execute, within};

use crate::{
    Entry, HistoryError, IdChoice, Present,
    chain::hash_of,
    entry::micros,
    guard::{current, deleted, free_id, refuse_id_as_name, refuse_taken_name},
};

/// What to write.
#[derive(Clone, Debug)]
pub enum Write {
    /// A new resource.
    Create {
        /// How it gets its id.
        id: IdChoice,
        /// Its name, unique per tenant and kind without regard to case.
        name: String,
        /// The resource.
        payload: Vec<u8>,
    },
    /// The whole new state of a resource.
    Update {
        /// Which.
        id: String,
        /// Its name from now on.
        name: String,
        /// The resource.
        payload: Vec<u8>,
        /// The etag it must still have; none overwrites.
        expected: Option<String>,
    },
    /// The end of a resource; its id is never used again.
    Delete {
        /// Which.
        id: String,
        /// The etag it must still have; none deletes whatever is there.
        expected: Option<String>,
    },
    /// A deleted resource lives again under its own id, for kinds whose id is a word people choose.
    Revive {
        /// Which.
        id: String,
        /// Its name from now on.
        name: String,
        /// The resource.
        payload: Vec<u8>,
    },
}

/// A write with its circumstances.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// Whose log.
    pub tenant: &'a str,
    /// Who writes.
    pub actor: &'a str,
    /// When.
    pub at: DateTime<Utc>,
    /// Kind of the resource.
    pub kind: &'static str,
    /// What.
    pub write: Write,
}

/// Appends one entry under the lock of the tenant's head.
pub(crate) async fn append(
    transaction: &mut Transaction,
    change: Change<'_>,
) -> Result<Present, HistoryError> {
    let Change { tenant, actor, at, kind, write } = change;
    let (revision, previous) = lock_head(transaction, tenant).await?;
    // An entry is never older than the one before it, even if the clocks of replicas differ. So the
    // state at an instant is a prefix of the log.
    let at = at.max(written_at(transaction, tenant, revision).await?);
    let (id, name, payload, created_us) = match write {
        Write::Create { id, name, payload } => {
            refuse_taken_name(transaction, tenant, kind, &name, None).await?;
            let own_id = match &id {
                IdChoice::Given(id) => Some(id.as_str()),
                IdChoice::FromName { .. } => None,
            };
            refuse_id_as_name(transaction, tenant, kind, &name, own_id).await?;
            let id = free_id(transaction, tenant, kind, id, &name).await?;
            (id, name, Some(payload), at.timestamp_micros())
        }
        Write::Update { id, name, payload, expected } => {
            let current = current(transaction, tenant, kind, &id, expected).await?;
            refuse_taken_name(transaction, tenant, kind, &name, Some(&id)).await?;
            refuse_id_as_name(transaction, tenant, kind, &name, Some(&id)).await?;
            (id, name, Some(payload), current.created_at.timestamp_micros())
        }
        Write::Delete { id, expected } => {
            let current = current(transaction, tenant, kind, &id, expected).await?;
            (id, current.name, None, current.created_at.timestamp_micros())
        }
        Write::Revive { id, name, payload } => {
            let created_us = deleted(transaction, tenant, kind, &id).await?;
            refuse_taken_name(transaction, tenant, kind, &name, None).await?;
            refuse_id_as_name(transaction, tenant, kind, &name, Some(&id)).await?;
            (id, name, Some(payload), created_us)
        }
    };
    let (kind, actor, hash) = (kind.to_owned(), actor.to_owned(), Vec::new());
    let mut entry = Entry { revision: revision + 1, kind, id, name, payload, actor, at, hash };
    entry.hash = hash_of(&previous, tenant, &entry);
    insert(transaction, tenant, entry, created_us).await
}

/// Writes an entry, the new head and the present state.
async fn insert(
    transaction: &mut Transaction,
    tenant: &str,
    entry: Entry,
    created_us: i64,
) -> Result<Present, HistoryError> {
    let etag = hex::encode(entry.hash.get(..8).unwrap_or_default());
    let at_us = entry.at.timestamp_micros();
    execute!(
        transaction,
        sqlx::query(
            "insert into entry
               (tenant_id, revision, kind, id, name, payload, actor, written_us, hash)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        )
        .bind(tenant)
        .bind(entry.revision)
        .bind(&entry.kind)
        .bind(&entry.id)
        .bind(&entry.name)
        .bind(&entry.payload)
        .bind(&entry.actor)
        .bind(at_us)
        .bind(&entry.hash)
    )?;
    execute!(
        transaction,
        sqlx::query("update head set revision = $2, hash = $3 where tenant_id = $1")
            .bind(tenant)
            .bind(entry.revision)
            .bind(&entry.hash)
    )?;
    let name_folded = entry.payload.as_ref().map(|_| wire::name::folded(&entry.name));
    execute!(
        transaction,
        sqlx::query(
            "insert into resource (tenant_id, kind, id, name, name_folded, payload, etag, revision,
               created_us, updated_us)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (tenant_id, kind, id) do update set name = excluded.name,
               name_folded = excluded.name_folded, payload = excluded.payload,
               etag = excluded.etag, revision = excluded.revision,
               created_us = excluded.created_us, updated_us = excluded.updated_us"
        )
        .bind(tenant)
        .bind(&entry.kind)
        .bind(&entry.id)
        .bind(&entry.name)
        .bind(name_folded)
        .bind(&entry.payload)
        .bind(&etag)
        .bind(entry.revision)
        .bind(created_us)
        .bind(at_us)
    )?;
    Ok(Present {
        id: entry.id,
        name: entry.name,
        payload: entry.payload.unwrap_or_default(),
        etag,
        revision: entry.revision,
        created_at: micros(created_us),
        updated_at: entry.at,
    })
}

/// Takes the tenant's head, creating it the first time, and keeps it locked until the transaction
/// ends.
async fn lock_head(
    transaction: &mut Transaction,
    tenant: &str,
) -> Result<(i64, Vec<u8>), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(
            "insert into head (tenant_id, revision, hash) values ($1, 0, $2)
             on conflict (tenant_id) do nothing"
        )
        .bind(tenant)
        .bind(Vec::<u8>::new())
    )?;
    let select = transaction.locking("select revision, hash from head where tenant_id = $1");
    within!(transaction, connection =>
        sqlx::query_as::<_, (i64, Vec<u8>)>(select).bind(tenant).fetch_one(connection))
}

/// When a revision was written; the beginning of time for none.
async fn written_at(
    transaction: &mut Transaction,
    tenant: &str,
    revision: i64,
) -> Result<DateTime<Utc>, DatabaseError> {
    let row: Option<(i64,)> = within!(transaction, connection => sqlx::query_as(
        "select written_us from entry where tenant_id = $1 and revision = $2")
        .bind(tenant).bind(revision).fetch_optional(connection))?;
    Ok(row.map_or(DateTime::<Utc>::MIN_UTC, |(us,)| micros(us)))
}
