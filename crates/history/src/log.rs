//! The log and the present state derived from it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use database::{Database, DatabaseError, Migrations, Select, Transaction, execute, within};
use tokio::sync::watch::{self, Sender};

use crate::{HistoryError, IdChoice, chain::hash_of, id::nth_id};

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The log's tables; run them before a service's own, whose numbers start at 100.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// Generated ids are tried with this many suffixes.
const SUFFIXES_MAX: usize = 10_000;

/// The log of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct History {
    pub(crate) database: Database,
    /// Rung after each write of this process; watchers elsewhere poll.
    pub(crate) bell: Arc<Sender<()>>,
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the tenant's log, from 1.
    pub revision: i64,
    /// Kind of the resource.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The whole resource; none when the entry deletes it.
    pub payload: Option<Vec<u8>>,
    /// Who wrote.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
    /// SHA-256 over this entry and the hash before it.
    pub hash: Vec<u8>,
}

/// A resource as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The whole resource.
    pub payload: Vec<u8>,
    /// Changes with every write.
    pub etag: String,
    /// Revision that wrote this state.
    pub revision: i64,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}

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

impl Present {
    /// The resource as an entry left it; none when that deleted it. The entry alone does not tell
    /// when the resource was created: it stands for that as well.
    pub(crate) fn of(entry: Entry) -> Option<Self> {
        let etag = hex::encode(entry.hash.get(..8).unwrap_or_default());
        let Entry { revision, id, name, payload, at, .. } = entry;
        Some(Self { id, name, payload: payload?, etag, revision, created_at: at, updated_at: at })
    }
}

/// What checking the chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries read.
    pub entries: i64,
    /// The first entry whose hash or number is not what it should be.
    pub first_bad: Option<i64>,
}

pub(crate) type EntryRow = (i64, String, String, String, Option<Vec<u8>>, String, i64, Vec<u8>);
type PresentRow = (String, String, Option<Vec<u8>>, String, i64, i64, i64);

impl History {
    /// The log kept in `database`.
    pub fn new(database: Database) -> Self {
        Self { database, bell: Arc::new(watch::channel(()).0) }
    }

    /// Appends one entry. Writers of a tenant wait for each other on its head, so revisions follow
    /// without a gap.
    pub async fn write(&self, change: Change<'_>) -> Result<Present, HistoryError> {
        let mut transaction = self.database.begin().await?;
        let present = self.write_in(&mut transaction, change).await?;
        transaction.commit().await?;
        self.ring();
        Ok(present)
    }

    /// Appends one entry as part of `transaction`, which then holds the tenant's head: what a
    /// service keeps beside its log is checked and written with it. Ring once it is committed.
    pub async fn write_in(
        &self,
        transaction: &mut Transaction,
        change: Change<'_>,
    ) -> Result<Present, HistoryError> {
        append(transaction, change).await
    }

    /// Wakes the watchers of this process.
    pub fn ring(&self) {
        self.bell.send_replace(());
    }

    /// The resource of this id, else of this name (without regard to case).
    pub async fn find(
        &self,
        tenant: &str,
        kind: &'static str,
        named: &str,
    ) -> Result<Present, HistoryError> {
        // PostgreSQL takes no null character in text, and nothing is named with one.
        if named.contains('\0') {
            return Err(HistoryError::NotFound { kind, id: named.replace('\0', "") });
        }
        let rows: Vec<PresentRow> = Select::new(
            "select id, name, payload, etag, revision, created_us, updated_us from resource
             where tenant_id = $1 and kind = $2 and payload is not null and (id = $3 or name_folded = $4)",
        )
        .bind(tenant)
        .bind(kind)
        .bind(named)
        .bind(folded(named))
        .brief()
        .all(&self.database)
        .await?;
        let by_id = rows.iter().find(|row| row.0 == named).or(rows.first());
        let found = by_id.cloned().and_then(present);
        found.ok_or_else(|| HistoryError::NotFound { kind, id: named.to_owned() })
    }

    /// Resources of a kind with ids after `after`, at most `limit`, by id.
    pub async fn list(
        &self,
        tenant: &str,
        kind: &'static str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Present>, HistoryError> {
        let rows: Vec<PresentRow> = Select::new(
            "select id, name, payload, etag, revision, created_us, updated_us from resource
             where tenant_id = $1 and kind = $2 and payload is not null and id > $3 order by id limit $4",
        )
        .bind(tenant)
        .bind(kind)
        .bind(after)
        .bind(limit)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().filter_map(present).collect())
    }

    /// Entries after a revision, at most `limit`, in order.
    pub async fn entries(
        &self,
        tenant: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, HistoryError> {
        let rows: Vec<EntryRow> = Select::new(
            "select revision, kind, id, name, payload, actor, written_us, hash from entry
             where tenant_id = $1 and revision > $2 order by revision limit $3",
        )
        .bind(tenant)
        .bind(after)
        .bind(limit)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().map(entry).collect())
    }

    /// The newest revision of a tenant; 0 before the first.
    pub async fn head(&self, tenant: &str) -> Result<i64, HistoryError> {
        let head: Option<(i64,)> = Select::new("select revision from head where tenant_id = $1")
            .bind(tenant)
            .brief()
            .optional(&self.database)
            .await?;
        Ok(head.map_or(0, |row| row.0))
    }

    /// Recomputes a tenant's chain from the first entry on.
    pub async fn verify(&self, tenant: &str) -> Result<Verified, HistoryError> {
        let (mut entries, mut previous) = (0, Vec::new());
        loop {
            let page = self.entries(tenant, entries, crate::WATCH_PAGE).await?;
            if page.is_empty() {
                return Ok(Verified { entries, first_bad: None });
            }
            for entry in page {
                if entry.revision != entries + 1 || hash_of(&previous, tenant, &entry) != entry.hash
                {
                    return Ok(Verified { entries, first_bad: Some(entries + 1) });
                }
                entries += 1;
                previous = entry.hash;
            }
        }
    }
}

async fn append(
    transaction: &mut Transaction,
    change: Change<'_>,
) -> Result<Present, HistoryError> {
    let Change { tenant, actor, at, kind, write } = change;
    let (revision, previous) = lock_head(transaction, tenant).await?;
    // An entry is never older than the one before, whatever the replicas' clocks: what held at an
    // instant is a prefix.
    let at = at.max(written_at(transaction, tenant, revision).await?);
    let (id, name, payload, created_us) = match write {
        Write::Create { id, name, payload } => {
            refuse_taken_name(transaction, tenant, kind, &name, None).await?;
            let id = free_id(transaction, tenant, kind, id, &name).await?;
            (id, name, Some(payload), at.timestamp_micros())
        }
        Write::Update { id, name, payload, expected } => {
            let current = lock_current(transaction, tenant, kind, &id, expected).await?;
            refuse_taken_name(transaction, tenant, kind, &name, Some(&id)).await?;
            (id, name, Some(payload), current.created_at.timestamp_micros())
        }
        Write::Delete { id, expected } => {
            let current = lock_current(transaction, tenant, kind, &id, expected).await?;
            (id, current.name, None, current.created_at.timestamp_micros())
        }
        Write::Revive { id, name, payload } => {
            let created_us = deleted(transaction, tenant, kind, &id).await?;
            refuse_taken_name(transaction, tenant, kind, &name, None).await?;
            (id, name, Some(payload), created_us)
        }
    };
    let (kind, actor, hash) = (kind.to_owned(), actor.to_owned(), Vec::new());
    let mut entry = Entry { revision: revision + 1, kind, id, name, payload, actor, at, hash };
    entry.hash = hash_of(&previous, tenant, &entry);
    let etag = hex::encode(entry.hash.get(..8).unwrap_or_default());
    let at_us = at.timestamp_micros();
    execute!(
        transaction,
        sqlx::query(
            "insert into entry (tenant_id, revision, kind, id, name, payload, actor, written_us, hash)
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
    let name_folded = entry.payload.as_ref().map(|_| folded(&entry.name));
    execute!(transaction, sqlx::query(
        "insert into resource (tenant_id, kind, id, name, name_folded, payload, etag, revision, created_us, updated_us)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (tenant_id, kind, id) do update set name = excluded.name, name_folded = excluded.name_folded,
           payload = excluded.payload, etag = excluded.etag, revision = excluded.revision,
           created_us = excluded.created_us, updated_us = excluded.updated_us")
        .bind(tenant).bind(&entry.kind).bind(&entry.id).bind(&entry.name).bind(name_folded).bind(&entry.payload)
        .bind(&etag).bind(entry.revision).bind(created_us).bind(at_us))?;
    Ok(Present {
        id: entry.id,
        name: entry.name,
        payload: entry.payload.unwrap_or_default(),
        etag,
        revision: entry.revision,
        created_at: micros(created_us),
        updated_at: at,
    })
}

/// An SQL expression for the head of the tenant that `tenant` names, 0 before the first entry: for
/// a service that reads it together with tables of its own.
pub fn head_of(tenant: &str) -> String {
    format!("coalesce((select revision from head where head.tenant_id = {tenant}), 0)")
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
            "insert into head (tenant_id, revision, hash) values ($1, 0, $2) on conflict (tenant_id) do nothing"
        )
        .bind(tenant)
        .bind(Vec::<u8>::new())
    )?;
    let select = transaction.locking("select revision, hash from head where tenant_id = $1");
    within!(transaction, connection => sqlx::query_as::<_, (i64, Vec<u8>)>(select).bind(tenant).fetch_one(connection))
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

async fn lock_current(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    id: &str,
    expected: Option<String>,
) -> Result<Present, HistoryError> {
    let row: Option<PresentRow> = within!(transaction, connection => sqlx::query_as(
        "select id, name, payload, etag, revision, created_us, updated_us from resource
         where tenant_id = $1 and kind = $2 and id = $3")
        .bind(tenant).bind(kind).bind(id).fetch_optional(connection))?;
    let current =
        row.and_then(present).ok_or_else(|| HistoryError::NotFound { kind, id: id.to_owned() })?;
    match expected {
        Some(etag) if etag != current.etag => {
            Err(HistoryError::StaleEtag { kind, id: current.id, current: current.etag })
        }
        _ => Ok(current),
    }
}

/// When a deleted resource was created.
async fn deleted(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    id: &str,
) -> Result<i64, HistoryError> {
    let row: Option<(Option<Vec<u8>>, i64)> = within!(transaction, connection => sqlx::query_as(
        "select payload, created_us from resource where tenant_id = $1 and kind = $2 and id = $3")
        .bind(tenant).bind(kind).bind(id).fetch_optional(connection))?;
    match row {
        None => Err(HistoryError::NotFound { kind, id: id.to_owned() }),
        Some((Some(_), _)) => {
            Err(HistoryError::AlreadyExists { kind, attribute: "id", value: id.to_owned() })
        }
        Some((None, created_us)) => Ok(created_us),
    }
}

async fn refuse_taken_name(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    name: &str,
    own_id: Option<&str>,
) -> Result<(), HistoryError> {
    let holder: Option<(String,)> = within!(transaction, connection => sqlx::query_as(
        "select id from resource where tenant_id = $1 and kind = $2 and name_folded = $3")
        .bind(tenant).bind(kind).bind(folded(name)).fetch_optional(connection))?;
    match holder {
        Some((id,)) if Some(id.as_str()) != own_id => {
            Err(HistoryError::AlreadyExists { kind, attribute: "name", value: name.to_owned() })
        }
        _ => Ok(()),
    }
}

async fn free_id(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    choice: IdChoice,
    name: &str,
) -> Result<String, HistoryError> {
    let prefix = match choice {
        IdChoice::Given(id) if is_taken(transaction, tenant, kind, &id).await? => {
            return Err(HistoryError::AlreadyExists { kind, attribute: "id", value: id });
        }
        IdChoice::Given(id) => return Ok(id),
        IdChoice::FromName { prefix } => prefix,
    };
    for nth in 1..=SUFFIXES_MAX {
        let id = nth_id(prefix, name, nth);
        if !is_taken(transaction, tenant, kind, &id).await? {
            return Ok(id);
        }
    }
    Err(HistoryError::AlreadyExists { kind, attribute: "name", value: name.to_owned() })
}

async fn is_taken(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &str,
    id: &str,
) -> Result<bool, DatabaseError> {
    let row: Option<(i64,)> = within!(transaction, connection => sqlx::query_as(
        "select revision from resource where tenant_id = $1 and kind = $2 and id = $3")
        .bind(tenant).bind(kind).bind(id).fetch_optional(connection))?;
    Ok(row.is_some())
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

fn micros(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

fn present(
    (id, name, payload, etag, revision, created_us, updated_us): PresentRow,
) -> Option<Present> {
    let (created_at, updated_at) = (micros(created_us), micros(updated_us));
    Some(Present { id, name, payload: payload?, etag, revision, created_at, updated_at })
}

pub(crate) fn entry(
    (revision, kind, id, name, payload, actor, written_us, hash): EntryRow,
) -> Entry {
    Entry { revision, kind, id, name, payload, actor, at: micros(written_us), hash }
}
