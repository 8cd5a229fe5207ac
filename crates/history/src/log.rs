//! The revision log and the table of present resources: reads, and the append of an entry.

use std::sync::Arc;

use database::{Database, Migrations, Select, Transaction};
use tokio::sync::watch::{self, Sender};

use crate::{
    Change, Entry, HistoryError, Present,
    entry::{EntryRow, PresentRow, entry, present},
    write::append,
};

/// A row of the present state, and how many rows were found in all.
type PageRow = (String, String, Option<Vec<u8>>, String, i64, i64, i64, i64);

static SQLITE: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// The log's tables; run them before a service's own, whose numbers start at 100.
pub fn migrations() -> Migrations {
    Migrations { sqlite: &SQLITE, postgres: &POSTGRES }
}

/// Longest reference to a resource, in bytes; no name is longer.
const REFERENCE_BYTES_MAX: usize = 800;
/// Names that an unknown one is compared with.
const NAMES_MAX: i64 = 10_000;
/// Characters of an impossible reference that an error quotes.
const QUOTED_MAX: usize = 64;

/// The log of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct History {
    pub(crate) database: Database,
    /// Rung after each write of this process; watchers elsewhere poll.
    pub(crate) bell: Arc<Sender<()>>,
}

impl History {
    /// The log kept in `database`.
    pub fn new(database: Database) -> Self {
        Self { database, bell: Arc::new(watch::channel(()).0) }
    }

    /// Appends one entry. Writers of a tenant queue for the lock on its head, so that revisions
    /// have no gap.
    pub async fn write(&self, change: Change<'_>) -> Result<Present, HistoryError> {
        let mut transaction = self.database.begin().await?;
        let present = self.write_in(&mut transaction, change).await?;
        transaction.commit().await?;
        self.ring();
        Ok(present)
    }

    /// Appends one entry as part of `transaction`, which from then on locks the tenant's head. So a
    /// service checks and writes its own tables together with the log. Ring after the commit.
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
        // No name is empty, that long, or holds control characters. PostgreSQL takes no null
        // character in text.
        let is_possible = !named.is_empty()
            && named.len() <= REFERENCE_BYTES_MAX
            && !named.chars().any(char::is_control);
        if !is_possible {
            return Err(HistoryError::not_found(kind, &quoted(named)));
        }
        let rows: Vec<PresentRow> = Select::new(
            "select id, name, payload, etag, revision, created_us, updated_us from resource
             where tenant_id = $1 and kind = $2 and payload is not null
               and (id = $3 or name_folded = $4)",
        )
        .bind(tenant)
        .bind(kind)
        .bind(named)
        .bind(wire::name::folded(named))
        .brief()
        .all(&self.database)
        .await?;
        let by_id = rows.iter().find(|row| row.0 == named).or(rows.first());
        let found = by_id.cloned().and_then(present);
        found.ok_or_else(|| HistoryError::not_found(kind, named))
    }

    /// The same with a hint at a near name, or at some there are, when there is none.
    pub async fn named(
        &self,
        tenant: &str,
        kind: &'static str,
        named: &str,
    ) -> Result<Present, HistoryError> {
        match self.find(tenant, kind, named).await {
            Err(HistoryError::NotFound { kind, id, .. }) => {
                let known = self.names(tenant, kind).await?;
                let hint = wire::name::hint(&id, known.iter().map(String::as_str));
                Err(HistoryError::NotFound { kind, id, hint })
            }
            found => found,
        }
    }

    /// The names of a kind, [`NAMES_MAX`] at most.
    async fn names(&self, tenant: &str, kind: &'static str) -> Result<Vec<String>, HistoryError> {
        let rows: Vec<(String,)> = Select::new(
            "select name from resource where tenant_id = $1 and kind = $2 and payload is not null
             order by id limit $3 + 0",
        )
        .bind(tenant)
        .bind(kind)
        .bind(NAMES_MAX)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// Every resource of a kind, by id.
    pub async fn all(
        &self,
        tenant: &str,
        kind: &'static str,
    ) -> Result<Vec<Present>, HistoryError> {
        let rows: Vec<PresentRow> = Select::new(
            "select id, name, payload, etag, revision, created_us, updated_us from resource
             where tenant_id = $1 and kind = $2 and payload is not null order by id",
        )
        .bind(tenant)
        .bind(kind)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().filter_map(present).collect())
    }

    /// Resources of a kind with ids after `after`, by id, and whether there are more: at most
    /// `count`, and fewer when their payloads together exceed `bytes_max`. The first one is there
    /// whatever its size.
    pub async fn page(
        &self,
        tenant: &str,
        kind: &'static str,
        after: &str,
        count: usize,
        bytes_max: i64,
    ) -> Result<(Vec<Present>, bool), HistoryError> {
        // One more than wanted shows whether there is a next page.
        let rows: Vec<PageRow> = Select::new(
            "select id, name, payload, etag, revision, created_us, updated_us, found from (
               select p.*, count(*) over () as found,
                 cast(sum(length(payload)) over (order by id) as bigint) as bytes
               from (select id, name, payload, etag, revision, created_us, updated_us from resource
                 where tenant_id = $1 and kind = $2 and payload is not null and id > $3
                 order by id limit $4 + 0) p) q
             where bytes <= $5 or bytes = length(payload) order by id",
        )
        .bind(tenant)
        .bind(kind)
        .bind(after)
        .bind(i64::try_from(count).unwrap_or(i64::MAX).saturating_add(1))
        .bind(bytes_max)
        .all(&self.database)
        .await?;
        let found = rows.first().map_or(0, |row| row.7);
        let rows = rows.into_iter().take(count);
        let read = |(id, name, payload, etag, revision, created, updated, _)| {
            present((id, name, payload, etag, revision, created, updated))
        };
        let page: Vec<_> = rows.filter_map(read).collect();
        let has_more = usize::try_from(found).unwrap_or(usize::MAX) > page.len();
        Ok((page, has_more))
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
             where tenant_id = $1 and revision > $2 order by revision limit $3 + 0",
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

    /// The tenants that have a log.
    pub async fn tenants(&self) -> Result<Vec<String>, HistoryError> {
        let heads = Select::new("select tenant_id from head order by tenant_id");
        let rows: Vec<(String,)> = heads.all(&self.database).await?;
        Ok(rows.into_iter().map(|(tenant,)| tenant).collect())
    }
}

/// An SQL expression for the head of the tenant that `tenant` names, 0 before the first entry: for
/// a service that reads it together with tables of its own.
pub fn head_of(tenant: &str) -> String {
    format!("coalesce((select revision from head where head.tenant_id = {tenant}), 0)")
}

/// An impossible reference as an error quotes it: short and without control characters.
fn quoted(named: &str) -> String {
    let mut shown: String = named.chars().filter(|c| !c.is_control()).take(QUOTED_MAX).collect();
    if named.chars().count() > QUOTED_MAX {
        shown.push('…');
    }
    shown
}
