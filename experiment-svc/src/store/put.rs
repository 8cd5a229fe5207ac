//! Runs statements about rows.

use database::{BindRows as _, DatabaseError, Row, Rows, Select, Texts, Transaction, execute};
use sqlx::AssertSqlSafe;

/// Runs a statement about rows, unless there are none; says how many it wrote.
pub(super) async fn put(
    transaction: &mut Transaction,
    tenant: &str,
    texts: &Texts,
    rows: &Rows<'_>,
) -> Result<u64, DatabaseError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let text = texts.get(transaction.dialect(), rows.count());
    let done =
        execute!(transaction, sqlx::query(AssertSqlSafe(text)).bind(tenant).bind_rows(rows))?;
    Ok(done.rows)
}

/// What a statement about rows finds; nothing without rows.
pub(super) async fn read<T: Row>(
    transaction: &mut Transaction,
    tenant: &str,
    texts: &Texts,
    rows: &Rows<'_>,
) -> Result<Vec<T>, DatabaseError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let text = texts.get(transaction.dialect(), rows.count());
    Select::new(text).bind(tenant).bind_rows(rows).all(transaction).await
}
