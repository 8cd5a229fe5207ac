//! What a batch of decisions reads before it plans: one statement each, however many customers.

use std::collections::BTreeMap;

use database::{BindRows as _, Cell, Columns, DatabaseError, Kind, Rows, read};
use sqlx::AssertSqlSafe;

use super::{OutboxRow, RequestRow, Store};
use crate::domain::assignment::Arm;

/// Ids as a statement takes them.
const IDS: Columns = &[("place", Kind::Integer), ("id", Kind::Text)];

type RequestColumns = (String, String, Vec<u8>, i64, Option<i64>);

fn rows<'a>(ids: &[&'a str]) -> Rows<'a> {
    let mut rows = Rows::new(IDS);
    for (place, id) in (0..).zip(ids) {
        rows.push([Cell::Integer(Some(place)), Cell::Text(Some((*id).into()))]);
    }
    rows
}

impl Store {
    /// The undelivered rows for policy of each of these customers, in order, parked ones included; at most `limit` of
    /// each. Who has none is left out.
    pub async fn pending_of(
        &self,
        tenant: &str,
        customer_ids: &[&str],
        limit: i64,
    ) -> Result<BTreeMap<String, Vec<OutboxRow>>, DatabaseError> {
        let asked = rows(customer_ids);
        let statement = format!(
            "select customer_id, customer_seq, created_us, payload from (
               select waiting.customer_id, waiting.customer_seq, waiting.created_us, waiting.payload,
                 row_number() over (partition by waiting.customer_id order by waiting.customer_seq) as number
               from {} asked
               join outbox waiting on waiting.tenant_id = $1 and waiting.customer_id = asked.id
                 and waiting.target = 'policy') numbered
             where number <= $2 order by customer_id, customer_seq",
            self.database.dialect().table(IDS, 3)
        );
        let found: Vec<(String, i64, i64, Vec<u8>)> = read!(&self.database, pool =>
            sqlx::query_as(AssertSqlSafe(statement.as_str())).bind(tenant).bind(limit).bind_rows(&asked).fetch_all(pool))?;
        let mut pending: BTreeMap<String, Vec<OutboxRow>> = BTreeMap::new();
        for (customer_id, customer_seq, created_us, payload) in found {
            let of_customer = pending.entry(customer_id.clone()).or_default();
            of_customer.push(OutboxRow { customer_id, customer_seq, created_us, payload });
        }
        Ok(pending)
    }

    /// The arms of each of these customers. Who has none is left out.
    pub async fn arms_of(
        &self,
        tenant: &str,
        customer_ids: &[&str],
    ) -> Result<BTreeMap<String, Vec<Arm>>, DatabaseError> {
        let asked = rows(customer_ids);
        let statement = format!(
            "select arm.customer_id, arm.experiment_id, arm.is_holdout, arm.epoch, arm.assigned_us, arm.exposed_us
             from {} asked join first_arm arm on arm.tenant_id = $1 and arm.customer_id = asked.id",
            self.database.dialect().table(IDS, 2)
        );
        let found: Vec<(String, String, bool, i32, i64, Option<i64>)> = read!(&self.database, pool =>
            sqlx::query_as(AssertSqlSafe(statement.as_str())).bind(tenant).bind_rows(&asked).fetch_all(pool))?;
        let mut arms: BTreeMap<String, Vec<Arm>> = BTreeMap::new();
        for (customer_id, experiment_id, is_holdout, epoch, assigned_us, exposed_us) in found {
            let arm = Arm { experiment_id, is_holdout, epoch, assigned_us, exposed_us };
            arms.entry(customer_id).or_default().push(arm);
        }
        Ok(arms)
    }

    /// The decisions that answer these request ids, by request id. Which is not known is left out.
    pub async fn requests_of(
        &self,
        tenant: &str,
        request_ids: &[&str],
    ) -> Result<BTreeMap<String, RequestRow>, DatabaseError> {
        let asked = rows(request_ids);
        let statement = format!(
            "select request.request_id, request.decision_id, request.body_hash, request.decided_us,
               request.deliver_after_us
             from {} asked join request on request.tenant_id = $1 and request.request_id = asked.id",
            self.database.dialect().table(IDS, 2)
        );
        let found: Vec<RequestColumns> = read!(&self.database, pool =>
            sqlx::query_as(AssertSqlSafe(statement.as_str())).bind(tenant).bind_rows(&asked).fetch_all(pool))?;
        let row = |(request_id, decision_id, body_hash, decided_us, deliver_after_us): RequestColumns| {
            let key = request_id.clone();
            (key, RequestRow { request_id, decision_id, body_hash, decided_us, deliver_after_us, now_us: 0 })
        };
        Ok(found.into_iter().map(row).collect())
    }
}
