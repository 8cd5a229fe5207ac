//! Checks a log: its chain of hashes, its head, and the present state that follows from it.

use database::Select;

use crate::{Entry, History, HistoryError, chain::hash_of};

/// Rows that a check reads at once.
const AT_ONCE: i64 = 200;

/// What checking a log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries in order; those before the first bad one when there is one.
    pub entries: i64,
    /// The lowest revision that is not as it was written.
    pub first_bad: Option<i64>,
    /// What is wrong with it, in a sentence; empty when nothing is.
    pub fault: String,
    /// The hash that the head holds; empty before the first entry.
    pub head: Vec<u8>,
}

/// A revision and what is wrong with it.
type Bad = (i64, String);

/// Where a log ends: by its head, and by its entries.
struct Ends {
    head: i64,
    hash: Vec<u8>,
    newest: i64,
}

/// A row of the present state beside the newest entry about it: kind, id, folded name, etag and
/// revision of the row; revision, name and hash of the entry, and whether it holds a resource;
/// whether name, payload and instants are the same.
type StateRow = (
    String,
    String,
    Option<String>,
    String,
    i64,
    Option<i64>,
    Option<String>,
    Option<Vec<u8>>,
    i64,
    i64,
);

impl History {
    /// Recomputes a tenant's chain from the first entry on, and compares it with the head and with
    /// the present state. Writes of others in the meantime do no harm.
    pub async fn verify(&self, tenant: &str) -> Result<Verified, HistoryError> {
        let ends = self.ends(tenant).await?;
        let (entries, in_chain) = self.verify_chain(tenant, &ends).await?;
        let found = [in_chain, self.missing_state(tenant).await?, self.wrong_state(tenant).await?];
        let (first_bad, fault) = match found.into_iter().flatten().min() {
            Some((revision, fault)) => (Some(revision), fault),
            None => (None, String::new()),
        };
        Ok(Verified { entries, first_bad, fault, head: ends.hash })
    }

    /// Both ends as of one instant.
    async fn ends(&self, tenant: &str) -> Result<Ends, HistoryError> {
        let (newest, head, hash): (i64, Option<i64>, Option<Vec<u8>>) = Select::new(
            "select coalesce((select max(revision) from entry where tenant_id = $1), 0),
               h.revision, h.hash
             from (select 1 as one) t left join head h on h.tenant_id = $1",
        )
        .bind(tenant)
        .one(&self.database)
        .await?;
        Ok(Ends { head: head.unwrap_or_default(), hash: hash.unwrap_or_default(), newest })
    }

    /// The entries that are in order, and the first that is not.
    async fn verify_chain(
        &self,
        tenant: &str,
        ends: &Ends,
    ) -> Result<(i64, Option<Bad>), HistoryError> {
        let (mut entries, mut previous) = (0, Vec::new());
        let end = ends.head.max(ends.newest);
        while entries < end {
            let page = self.entries(tenant, entries, AT_ONCE.min(end - entries)).await?;
            if page.is_empty() {
                return Ok((entries, Some((entries + 1, missing(entries + 1, ends)))));
            }
            for entry in page {
                if let Some(fault) = chain_fault(&previous, tenant, &entry, entries + 1, ends) {
                    return Ok((entries, Some((entries + 1, fault))));
                }
                entries += 1;
                previous = entry.hash;
            }
        }
        let is_other = previous != ends.hash;
        Ok((entries, is_other.then(|| (end, "the head holds another hash".to_owned()))))
    }

    /// The first entry about something that the present state lacks.
    async fn missing_state(&self, tenant: &str) -> Result<Option<Bad>, HistoryError> {
        let row: Option<(i64, String, String)> = Select::new(
            "select e.revision, e.kind, e.id from entry e
             where e.tenant_id = $1 and not exists (
               select 1 from resource r
               where r.tenant_id = e.tenant_id and r.kind = e.kind and r.id = e.id)
             order by e.revision limit 1",
        )
        .bind(tenant)
        .optional(&self.database)
        .await?;
        let bad = |(revision, kind, id): (i64, String, String)| {
            (revision, format!("the present state lacks {}", spoken(&kind, &id)))
        };
        Ok(row.map(bad))
    }

    /// The lowest revision that the present state does not follow from.
    async fn wrong_state(&self, tenant: &str) -> Result<Option<Bad>, HistoryError> {
        let (mut bad, mut after) = (None, (String::new(), String::new()));
        loop {
            let page = self.states(tenant, &after).await?;
            let Some((kind, id, ..)) = page.last() else { return Ok(bad) };
            after = (kind.clone(), id.clone());
            bad = page.iter().filter_map(state_fault).chain(bad).min();
        }
    }

    /// Rows of the present state after a kind and an id, each with the newest entry about it.
    async fn states(
        &self,
        tenant: &str,
        (kind, id): &(String, String),
    ) -> Result<Vec<StateRow>, HistoryError> {
        let rows = Select::new(
            "select r.kind, r.id, r.name_folded, r.etag, r.revision, e.revision, e.name, e.hash,
               cast(case when e.payload is null then 0 else 1 end as bigint),
               cast(case when r.name = e.name and r.payload is not distinct from e.payload
                 and r.updated_us = e.written_us and r.created_us = (
                   select min(f.written_us) from entry f
                   where f.tenant_id = r.tenant_id and f.kind = r.kind and f.id = r.id)
                 then 1 else 0 end as bigint)
             from resource r left join entry e
               on e.tenant_id = r.tenant_id and e.kind = r.kind and e.id = r.id and e.revision = (
                 select max(n.revision) from entry n
                 where n.tenant_id = r.tenant_id and n.kind = r.kind and n.id = r.id)
             where r.tenant_id = $1 and (r.kind > $2 or (r.kind = $2 and r.id > $3))
             order by r.kind, r.id limit $4 + 0",
        )
        .bind(tenant)
        .bind(kind)
        .bind(id)
        .bind(AT_ONCE)
        .all(&self.database)
        .await?;
        Ok(rows)
    }
}

/// What is wrong with the entry that should have this revision.
fn chain_fault(
    previous: &[u8],
    tenant: &str,
    entry: &Entry,
    revision: i64,
    ends: &Ends,
) -> Option<String> {
    if entry.revision != revision {
        return Some(missing(revision, ends));
    }
    if hash_of(previous, tenant, entry) != entry.hash {
        return Some("its hash is not that of its content and the entry before it".to_owned());
    }
    (revision > ends.head).then(|| format!("it is beyond the head, which is {}", ends.head))
}

fn missing(revision: i64, ends: &Ends) -> String {
    format!("entry {revision} is missing; the head is {}", ends.head)
}

/// What is wrong with a row, at the revision of the newest entry about it.
fn state_fault(row: &StateRow) -> Option<Bad> {
    let (kind, id, name_folded, etag, revision, newest, name, hash, is_there, is_same) = row;
    let what = spoken(kind, id);
    let (Some(newest), Some(name), Some(hash)) = (newest, name, hash) else {
        return Some((*revision, format!("no entry is about {what} of the present state")));
    };
    let folded = (*is_there == 1).then(|| wire::name::folded(name));
    let is_right = *is_same == 1
        && revision == newest
        && *name_folded == folded
        && *etag == hex::encode(hash.get(..8).unwrap_or_default());
    (!is_right).then(|| (*newest, format!("the present state of {what} differs from it")))
}

fn spoken(kind: &str, id: &str) -> String {
    format!("{} `{id}`", kind.replace('_', " "))
}
