//! Reads the log as of a revision or an instant.

use chrono::{DateTime, Utc};
use database::Select;

use crate::{
    Entry, History, HistoryError, Present,
    entry::{EntryRow, entry},
};

/// A moment of the log.
#[derive(Clone, Copy, Debug)]
pub enum AsOf {
    /// After this revision.
    Revision(i64),
    /// At this instant.
    Time(DateTime<Utc>),
}

impl AsOf {
    /// The last revision and the last microsecond that are of it.
    pub(crate) fn bounds(self) -> (i64, i64) {
        match self {
            Self::Revision(revision) => (revision, i64::MAX),
            Self::Time(time) => (i64::MAX, time.timestamp_micros()),
        }
    }
}

/// Entries of one resource, newest first.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// As many as were asked for, fewer when they are large.
    pub entries: Vec<Entry>,
    /// The next older one.
    pub before: Option<Entry>,
}

/// Bytes of payload after which a trail ends: its changes hold each payload twice, as text.
const TRAIL_BYTES_MAX: usize = 512 * 1024;
/// Entries that a trail reads at once.
const TRAIL_AT_ONCE: i64 = 16;

impl History {
    /// The entries of one resource before a revision, at most `count`, and the one before them. The
    /// first is there whatever its size.
    pub async fn trail(
        &self,
        tenant: &str,
        kind: &'static str,
        id: &str,
        before: i64,
        count: usize,
    ) -> Result<Trail, HistoryError> {
        let (mut trail, mut bytes, mut before) = (Trail::default(), 0, before);
        loop {
            let read = self.past(tenant, kind, id, before, TRAIL_AT_ONCE).await?;
            let Some(oldest) = read.last() else { return Ok(trail) };
            before = oldest.revision;
            for entry in read {
                let is_full = trail.entries.len() >= count || bytes > TRAIL_BYTES_MAX;
                if is_full {
                    trail.before = Some(entry);
                    return Ok(trail);
                }
                bytes += entry.payload.as_ref().map_or(0, Vec::len);
                trail.entries.push(entry);
            }
        }
    }

    /// The entry that held at a moment; none before the resource existed or after it was deleted.
    pub async fn as_of(
        &self,
        tenant: &str,
        kind: &'static str,
        id: &str,
        moment: AsOf,
    ) -> Result<Option<Entry>, HistoryError> {
        let (revision_max, us_max) = moment.bounds();
        let row: Option<EntryRow> = Select::new(
            "select revision, kind, id, name, payload, actor, written_us, hash from entry
             where tenant_id = $1 and kind = $2 and id = $3 and revision <= $4 and written_us <= $5
             order by revision desc limit 1",
        )
        .bind(tenant)
        .bind(kind)
        .bind(id)
        .bind(revision_max)
        .bind(us_max)
        .brief()
        .optional(&self.database)
        .await?;
        Ok(row.map(entry).filter(|entry| entry.payload.is_some()))
    }

    /// Every resource of a kind as it was at a moment, by id.
    pub async fn all_as_of(
        &self,
        tenant: &str,
        kind: &'static str,
        moment: AsOf,
    ) -> Result<Vec<Present>, HistoryError> {
        let (revision_max, us_max) = moment.bounds();
        let rows: Vec<EntryRow> = Select::new(
            "select revision, kind, id, name, payload, actor, written_us, hash from (
               select e.*, row_number() over (partition by id order by revision desc) as nth
               from entry e
               where tenant_id = $1 and kind = $2 and revision <= $3 and written_us <= $4) e
             where nth = 1 order by id",
        )
        .bind(tenant)
        .bind(kind)
        .bind(revision_max)
        .bind(us_max)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().filter_map(|row| Present::of(entry(row))).collect())
    }

    /// The last revision written at or before an instant; 0 when there was none.
    pub async fn revision_at(&self, tenant: &str, at: DateTime<Utc>) -> Result<i64, HistoryError> {
        let (revision,): (i64,) = Select::new(
            "select coalesce(max(revision), 0) from entry
                         where tenant_id = $1 and written_us <= $2",
        )
        .bind(tenant)
        .bind(at.timestamp_micros())
        .one(&self.database)
        .await?;
        Ok(revision)
    }

    /// The entries of one resource before a revision, deletions included, at most `limit`, newest
    /// first.
    pub async fn past(
        &self,
        tenant: &str,
        kind: &'static str,
        id: &str,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, HistoryError> {
        let rows: Vec<EntryRow> = Select::new(
            "select revision, kind, id, name, payload, actor, written_us, hash from entry
             where tenant_id = $1 and kind = $2 and id = $3 and revision < $4
             order by revision desc limit $5 + 0",
        )
        .bind(tenant)
        .bind(kind)
        .bind(id)
        .bind(before)
        .bind(limit)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().map(entry).collect())
    }
}
