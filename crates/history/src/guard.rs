//! Checks of a write against the stored resources: etag, taken ids and names. Each runs under the
//! lock of the tenant's head.

use database::{DatabaseError, Transaction, within};

use crate::{
    HistoryError, IdChoice, Present,
    entry::{PresentRow, present},
    id::nth_id,
};

/// Generated ids are tried with this many suffixes.
const SUFFIXES_MAX: usize = 10_000;

/// The resource as it is, if it still has the expected etag.
pub(crate) async fn current(
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
    let current = row.and_then(present).ok_or_else(|| HistoryError::not_found(kind, id))?;
    match expected {
        Some(etag) if etag != current.etag => {
            Err(HistoryError::StaleEtag { kind, id: current.id, current: current.etag })
        }
        _ => Ok(current),
    }
}

/// When a deleted resource was created.
pub(crate) async fn deleted(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    id: &str,
) -> Result<i64, HistoryError> {
    let row: Option<(Option<Vec<u8>>, i64)> = within!(transaction, connection => sqlx::query_as(
        "select payload, created_us from resource where tenant_id = $1 and kind = $2 and id = $3")
        .bind(tenant).bind(kind).bind(id).fetch_optional(connection))?;
    match row {
        None => Err(HistoryError::not_found(kind, id)),
        Some((Some(_), _)) => {
            Err(HistoryError::AlreadyExists { kind, attribute: "id", value: id.to_owned() })
        }
        Some((None, created_us)) => Ok(created_us),
    }
}

/// Refuses a name that another resource of the kind has.
pub(crate) async fn refuse_taken_name(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    name: &str,
    own_id: Option<&str>,
) -> Result<(), HistoryError> {
    match holder(transaction, tenant, kind, &wire::name::folded(name)).await? {
        Some(id) if Some(id.as_str()) != own_id => {
            Err(HistoryError::AlreadyExists { kind, attribute: "name", value: name.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Refuses a name that is the id of another: a reference would mean either.
pub(crate) async fn refuse_id_as_name(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &'static str,
    name: &str,
    own_id: Option<&str>,
) -> Result<(), HistoryError> {
    let folded = wire::name::folded(name);
    if own_id == Some(folded.as_str()) {
        return Ok(());
    }
    let holder: Option<(String,)> = within!(transaction, connection => sqlx::query_as(
        "select id from resource where tenant_id = $1 and kind = $2 and id = $3 \
         and name_folded is not null")
        .bind(tenant).bind(kind).bind(&folded).fetch_optional(connection))?;
    match holder {
        Some(_) => Err(HistoryError::NameIsId { kind, name: name.to_owned() }),
        None => Ok(()),
    }
}

/// The id of the resource that has this name, folded.
async fn holder(
    transaction: &mut Transaction,
    tenant: &str,
    kind: &str,
    name_folded: &str,
) -> Result<Option<String>, DatabaseError> {
    let row: Option<(String,)> = within!(transaction, connection => sqlx::query_as(
        "select id from resource where tenant_id = $1 and kind = $2 and name_folded = $3")
        .bind(tenant).bind(kind).bind(name_folded).fetch_optional(connection))?;
    Ok(row.map(|(id,)| id))
}

/// The given id, or one made from the name; never one that was used before.
pub(crate) async fn free_id(
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
        IdChoice::Given(id) => {
            // A reference would mean either.
            if holder(transaction, tenant, kind, &id).await?.is_some() {
                return Err(HistoryError::AlreadyExists { kind, attribute: "name", value: id });
            }
            return Ok(id);
        }
        IdChoice::FromName { prefix } => prefix,
    };
    for nth in 1..=SUFFIXES_MAX {
        let id = nth_id(prefix, name, nth);
        let is_free = !is_taken(transaction, tenant, kind, &id).await?
            && holder(transaction, tenant, kind, &id).await?.is_none();
        if is_free {
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
