//! Rewrites resources in the transaction that writes another one of their kind.

use database::{Select, Transaction};

use crate::{
    Author, Change, HistoryError, Resource, Write,
    collection::{payload, read},
    entry::{PresentRow, present},
    write::append,
};

/// Writes what `edit` makes of the resources of a kind, except the one of this id; a resource for
/// which it makes nothing stays. Returns their ids. For `write_beside` of a kind: by then the
/// tenant's log is locked, so no other writer adds one.
pub async fn rewrite_others<R: Resource>(
    transaction: &mut Transaction,
    author: &Author,
    except: &str,
    edit: impl Fn(R) -> Option<R> + Send,
) -> Result<Vec<String>, HistoryError> {
    let rows: Vec<PresentRow> = Select::new(
        "select id, name, payload, etag, revision, created_us, updated_us from resource
         where tenant_id = $1 and kind = $2 and id <> $3 and payload is not null order by id",
    )
    .bind(author.tenant.as_str())
    .bind(R::KIND)
    .bind(except)
    .all(&mut *transaction)
    .await?;
    let mut rewritten = Vec::new();
    for stored in rows.into_iter().filter_map(present) {
        let Some(edited) = edit(read(&stored)) else { continue };
        let (id, name) = (stored.id, edited.name().to_owned());
        rewritten.push(id.clone());
        let write = Write::Update { id, name, payload: payload(&edited), expected: None };
        let (tenant, actor) = (&author.tenant, &author.actor);
        let change = Change { tenant, actor, at: author.at, kind: R::KIND, write };
        append(transaction, change).await?;
    }
    Ok(rewritten)
}
