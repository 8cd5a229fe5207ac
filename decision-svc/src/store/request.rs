//! SQL of request ids: which decision answers a customer's request.

use std::{collections::BTreeMap, sync::LazyLock};

use database::{
    Count, DatabaseError, Dialect, Select, Statement, Texts, Transaction, execute, within,
};

use super::{
    Store,
    decision::{IDS, id_rows},
    new_decision::{NewDecision, RequestRow},
};

/// The customer, then [`RequestColumns`].
type CustomerRequestColumns = (String, String, String, Vec<u8>, i64, Option<i64>);

type RequestColumns = (String, String, Vec<u8>, i64, Option<i64>);

const WRITE: &str = "insert into request
      (tenant_id, customer_id, request_id, decision_id, body_hash, decided_us, deliver_after_us)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (tenant_id, customer_id, request_id) do update set
      decision_id = excluded.decision_id, body_hash = excluded.body_hash,
      decided_us = excluded.decided_us, deliver_after_us = excluded.deliver_after_us
    where request.decided_us <= $8 or request.deliver_after_us <= $9";

const READ: &str = "select request_id, decision_id, body_hash, decided_us, deliver_after_us
    from request where tenant_id = $1 and customer_id = $2 and request_id = $3";

fn of_customers_statement(dialect: Dialect, count: Count) -> String {
    let asked = dialect.bound("asked", IDS, count, 2);
    format!(
        "{} select r.customer_id, r.request_id, r.decision_id, r.body_hash, r.decided_us,
           r.deliver_after_us
         from {} where r.tenant_id = $1 and {} and r.request_id = {}",
        asked.with(&[]),
        asked.joined("request r"),
        asked.is_cell("r.customer_id", "customer_id"),
        asked.cell("id"),
    )
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let of_customers = |count| of_customers_statement(dialect, count);
    vec![
        Statement::new("new request", WRITE),
        Statement::new("request of a customer", READ),
        Statement::new("request of one customer", of_customers(Count::One)),
        Statement::new("requests of customers", of_customers(Count::Many)),
    ]
}

impl Store {
    /// The decisions that answer these request ids of these customers, by both; unknown ones are
    /// left out.
    pub async fn requests_of(
        &self,
        tenant: &str,
        ids: &[(&str, &str)],
    ) -> Result<BTreeMap<(String, String), RequestRow>, DatabaseError> {
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(of_customers_statement));
        let asked = id_rows(ids);
        let statement = TEXTS.get(self.database.dialect(), asked.count());
        let found: Vec<CustomerRequestColumns> = Select::new(statement)
            .bind(tenant)
            .bind_rows(&asked)
            .brief()
            .all(&self.database)
            .await?;
        let entry = |(customer_id, request_id, decision_id, body_hash, decided_us, after)| {
            let request = row((request_id, decision_id, body_hash, decided_us, after));
            ((customer_id, request.request_id.clone()), request)
        };
        Ok(found.into_iter().map(entry).collect())
    }
}

/// Stores which decision answers the request, in place of one that has lapsed. The earlier row is
/// returned when it has not: it wins.
pub(super) async fn store(
    transaction: &mut Transaction,
    decision: &NewDecision,
    request: &RequestRow,
) -> Result<Option<RequestRow>, DatabaseError> {
    let NewDecision { tenant, customer_id, .. } = decision;
    if execute!(
        &mut *transaction,
        sqlx::query(WRITE)
            .bind(tenant)
            .bind(customer_id)
            .bind(&request.request_id)
            .bind(&request.decision_id)
            .bind(&request.body_hash)
            .bind(request.decided_us)
            .bind(request.deliver_after_us)
            .bind(request.now_us - RequestRow::KEPT_US)
            .bind(request.now_us)
    )?
    .rows
        > 0
    {
        return Ok(None);
    }
    let stored: RequestColumns = within!(transaction, connection =>
        sqlx::query_as(READ)
            .bind(tenant)
            .bind(customer_id)
            .bind(&request.request_id)
            .fetch_one(connection))?;
    Ok(Some(row(stored)))
}

fn row(
    (request_id, decision_id, body_hash, decided_us, deliver_after_us): RequestColumns,
) -> RequestRow {
    RequestRow { request_id, decision_id, body_hash, decided_us, deliver_after_us, now_us: 0 }
}
