//! What the log holds: entries, and the present state that follows from them.

use chrono::{DateTime, Utc};

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

pub(crate) type EntryRow = (i64, String, String, String, Option<Vec<u8>>, String, i64, Vec<u8>);
pub(crate) type PresentRow = (String, String, Option<Vec<u8>>, String, i64, i64, i64);

impl Present {
    /// The resource as an entry left it; none when that deleted it. The entry alone does not tell
    /// when the resource was created: it is used for that as well.
    pub(crate) fn of(entry: Entry) -> Option<Self> {
        let etag = hex::encode(entry.hash.get(..8).unwrap_or_default());
        let Entry { revision, id, name, payload, at, .. } = entry;
        Some(Self { id, name, payload: payload?, etag, revision, created_at: at, updated_at: at })
    }
}

/// An instant as the tables hold it.
pub(crate) fn micros(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

pub(crate) fn present(
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
