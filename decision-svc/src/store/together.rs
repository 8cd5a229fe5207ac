//! What a batch of decisions reads before it plans, however many customers it is about: one
//! statement, and one for request ids.

use std::{collections::BTreeMap, sync::LazyLock};

use database::{Cell, Columns, Count, DatabaseError, Dialect, Kind, Rows, Select, Texts};

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

/// What is known of some customers.
#[derive(Debug, Default)]
pub struct Known {
    /// Head of the tenant's log.
    pub head: i64,
    /// Undelivered rows for policy by customer, in order, parked ones included. Who has none is
    /// left out.
    pub pending: BTreeMap<String, Vec<OutboxRow>>,
    /// Arms by customer. Who has none is left out.
    pub arms: BTreeMap<String, Vec<Arm>>,
}

/// Kinds of row in the answer.
const ARM: i64 = 0;
const PENDING: i64 = 1;

/// Kind, customer, experiment, three numbers, holdout, payload.
type KnownColumns = (i64, String, String, i64, i64, Option<i64>, i64, Option<Vec<u8>>);

fn known_statement(dialect: Dialect, count: Count) -> String {
    let asked = dialect.bound("asked", IDS, count, 3);
    let id = asked.cell("id");
    let until = format!(
        "until as {} (
           select {id} as id, coalesce((
             select late.customer_seq from outbox late
             where late.tenant_id = $1 and late.customer_id = {id} and late.target = 'policy'
             order by late.customer_seq limit 1 offset $2), {}) as seq
           from {})",
        dialect.once(),
        i64::MAX,
        asked.rows(),
    );
    // PostgreSQL takes the types of a column from the first branches.
    format!(
        "{} select cast({ARM} as bigint), arm.customer_id, arm.experiment_id, cast(arm.epoch as bigint), arm.assigned_us,
           arm.exposed_us, cast(case when arm.is_holdout then 1 else 0 end as bigint), null
         from {} where arm.tenant_id = $1 and arm.customer_id = {id}
         union all
         select {PENDING}, waiting.customer_id, '', waiting.customer_seq, waiting.created_us, null, 0, waiting.payload
         from until cross join outbox waiting
         where waiting.tenant_id = $1 and waiting.customer_id = until.id and waiting.target = 'policy'
           and waiting.customer_seq < until.seq
         union all
         select 2, '', '', {}, 0, null, 0, null",
        asked.with(&[&until]),
        asked.joined("first_arm arm"),
        history::head_of("$1"),
    )
}

fn requests_statement(dialect: Dialect, count: Count) -> String {
    format!(
        "select request.request_id, request.decision_id, request.body_hash, request.decided_us, request.deliver_after_us
         from {} asked cross join request where request.tenant_id = $1 and request.request_id = asked.id",
        dialect.table(IDS, count, 2)
    )
}

impl Store {
    /// What is known of these customers, and the head of the log; at most `pending_max` undelivered
    /// rows of each.
    pub async fn known_of(
        &self,
        tenant: &str,
        customer_ids: &[&str],
        pending_max: i64,
    ) -> Result<Known, DatabaseError> {
        static KNOWN: LazyLock<Texts> = LazyLock::new(|| Texts::new(known_statement));
        let asked = rows(customer_ids);
        let statement = KNOWN.get(self.database.dialect(), asked.count());
        let found: Vec<KnownColumns> = Select::new(statement)
            .bind(tenant)
            .bind(pending_max)
            .bind_rows(&asked)
            .brief()
            .all(&self.database)
            .await?;
        let mut known = Known::default();
        for (kind, customer_id, experiment_id, first, second, third, is_holdout, payload) in found {
            match kind {
                ARM => {
                    let epoch = i32::try_from(first).unwrap_or_default();
                    let (assigned_us, exposed_us, is_holdout) = (second, third, is_holdout == 1);
                    let arm = Arm { experiment_id, is_holdout, epoch, assigned_us, exposed_us };
                    known.arms.entry(customer_id).or_default().push(arm);
                }
                PENDING => {
                    let (customer_seq, created_us, payload) =
                        (first, second, payload.unwrap_or_default());
                    let of_customer = known.pending.entry(customer_id.clone()).or_default();
                    of_customer.push(OutboxRow { customer_id, customer_seq, created_us, payload });
                }
                _ => known.head = first,
            }
        }
        for rows in known.pending.values_mut() {
            rows.sort_by_key(|row| row.customer_seq);
        }
        Ok(known)
    }

    /// The decisions that answer these request ids, by request id. Which is not known is left out.
    pub async fn requests_of(
        &self,
        tenant: &str,
        request_ids: &[&str],
    ) -> Result<BTreeMap<String, RequestRow>, DatabaseError> {
        static REQUESTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(requests_statement));
        let asked = rows(request_ids);
        let statement = REQUESTS.get(self.database.dialect(), asked.count());
        let found: Vec<RequestColumns> = Select::new(statement)
            .bind(tenant)
            .bind_rows(&asked)
            .brief()
            .all(&self.database)
            .await?;
        let row =
            |(request_id, decision_id, body_hash, decided_us, deliver_after_us): RequestColumns| {
                let key = request_id.clone();
                (
                    key,
                    RequestRow {
                        request_id,
                        decision_id,
                        body_hash,
                        decided_us,
                        deliver_after_us,
                        now_us: 0,
                    },
                )
            };
        Ok(found.into_iter().map(row).collect())
    }
}
