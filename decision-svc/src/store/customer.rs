//! SQL of the customer's row, whose lock orders everything about the customer.

use database::{DatabaseError, Dialect, Statement, Transaction, execute, within};

const INSERT: &str = "insert into customer (tenant_id, customer_id, seq) values ($1, $2, 0)
    on conflict (tenant_id, customer_id) do nothing";

/// With a lock on PostgreSQL.
const READ: &str = "select seq from customer where tenant_id = $1 and customer_id = $2";

const ADVANCE: &str = "update customer set seq = $3 where tenant_id = $1 and customer_id = $2";

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    vec![
        Statement::new("new customer", INSERT),
        Statement::new("lock of a customer", dialect.locking(READ)),
        Statement::new("number of a customer", ADVANCE),
    ]
}

/// Locks the customer's row and takes the next `count` numbers; returns the first of them.
pub(super) async fn lock(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    count: i64,
) -> Result<i64, DatabaseError> {
    execute!(transaction, sqlx::query(INSERT).bind(tenant).bind(customer_id))?;
    let read = transaction.locking(READ);
    let (seq,): (i64,) = within!(transaction, connection =>
        sqlx::query_as(read).bind(tenant).bind(customer_id).fetch_one(connection))?;
    execute!(transaction, sqlx::query(ADVANCE).bind(tenant).bind(customer_id).bind(seq + count))?;
    Ok(seq + 1)
}
