//! The lock of a customer.

use std::collections::BTreeSet;

use database::{Columns, DatabaseError, Dialect, Kind, Rows, Statement, Transaction};

use super::{listed, put::put};

pub(super) const CUSTOMER: Columns = &[("number", Kind::Integer), ("customer_id", Kind::Text)];

texts!(LOCK, CUSTOMER, |rows| {
    "insert into customer (tenant_id, customer_id, version)
     select $1, customer_id, 1 from {rows} asked where true order by number
     on conflict (tenant_id, customer_id) do update set version = customer.version + 1"
});

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    listed("lock customers", &LOCK, dialect)
}

/// Locks customers until the transaction ends, in the order of their ids, so that two writers
/// cannot wait for each other.
pub(super) async fn lock(
    transaction: &mut Transaction,
    tenant: &str,
    customers: &BTreeSet<&str>,
) -> Result<(), DatabaseError> {
    put(transaction, tenant, &LOCK, &rows(customers)).await.map(drop)
}

pub(super) fn rows<'a>(customers: &BTreeSet<&'a str>) -> Rows<'a> {
    let mut rows = Rows::new(CUSTOMER);
    for (number, customer) in customers.iter().enumerate() {
        rows.push([number.into(), (*customer).into()]);
    }
    rows
}
