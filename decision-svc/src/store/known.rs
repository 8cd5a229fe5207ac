//! SQL of what decisions read before they plan: one statement for all customers of a batch.

use std::{collections::BTreeMap, sync::LazyLock};

use database::{Count, DatabaseError, Dialect, Select, Statement, Texts};

use super::{OutboxRow, Store, response};
use crate::domain::assignment::Arm;

/// What is known of some customers.
#[derive(Debug, Default)]
pub struct Known {
    /// Head of the tenant's log.
    pub head: i64,
    /// How often the counts of responses have changed.
    pub responses_revision: i64,
    /// Undelivered messages for policy-svc by customer, in order, parked ones included. Customers
    /// without any are left out.
    pub pending: BTreeMap<String, Vec<OutboxRow>>,
    /// Arms by customer. Customers without any are left out.
    pub arms: BTreeMap<String, Vec<Arm>>,
}

/// Kinds of row in the answer.
const ARM: i64 = 0;
const PENDING: i64 = 1;
const HEAD: i64 = 2;

/// Kind, customer, experiment, three numbers, holdout, payload.
type KnownColumns = (i64, String, String, i64, i64, Option<i64>, i64, Option<Vec<u8>>);

/// Tenant, most messages per customer, customers.
fn known_statement(dialect: Dialect, count: Count) -> String {
    // PostgreSQL takes the types of a column from the first branch.
    format!(
        "select cast({ARM} as bigint), arm.customer_id, arm.experiment_id,
           cast(arm.epoch as bigint), arm.assigned_us, arm.exposed_us,
           cast(case when arm.is_holdout then 1 else 0 end as bigint), null
         from first_arm arm where arm.tenant_id = $1 and {of_arm}
         union all
         select {PENDING}, pending.customer_id, '', pending.customer_seq, pending.created_us, null,
           0, pending.payload from {pending}
         union all select {HEAD}, '', '', {head}, {responses}, null, 0, null",
        of_arm = dialect.is_any("arm.customer_id", count, 3),
        pending = pending(dialect, count),
        head = history::head_of("$1"),
        responses = response::revision_of("$1"),
    )
}

/// The first messages of each customer, as `pending`, and what the `from` they are in needs after
/// it.
fn pending(dialect: Dialect, count: Count) -> String {
    match (dialect, count) {
        (_, Count::One) => "(
             select customer_id, customer_seq, created_us, payload from outbox
             where tenant_id = $1 and customer_id = $3 and target = 'policy'
             order by customer_seq limit $2 + 0) pending"
            .to_owned(),
        (Dialect::Postgres, Count::Many) => "customer cross join lateral (
             select waiting.customer_id, waiting.customer_seq, waiting.created_us, waiting.payload
             from outbox waiting
             where waiting.tenant_id = customer.tenant_id
               and waiting.customer_id = customer.customer_id and waiting.target = 'policy'
             order by waiting.customer_seq limit $2 + 0) pending
           where customer.tenant_id = $1 and customer.customer_id = any($3::text[])"
            .to_owned(),
        // SQLite works out the bound once for each customer, and finds the messages up to it by
        // their key.
        (Dialect::Sqlite, Count::Many) => format!(
            "customer cross join outbox pending
           where customer.tenant_id = $1 and {}
             and pending.tenant_id = customer.tenant_id
             and pending.customer_id = customer.customer_id and pending.target = 'policy'
             and pending.customer_seq < coalesce((
               select late.customer_seq from outbox late
               where late.tenant_id = customer.tenant_id
                 and late.customer_id = customer.customer_id and late.target = 'policy'
               order by late.customer_seq limit 1 offset $2), {})",
            dialect.is_any("customer.customer_id", count, 3),
            i64::MAX,
        ),
    }
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    vec![
        Statement::new("what is known of a customer", known_statement(dialect, Count::One)),
        Statement::new("what is known of customers", known_statement(dialect, Count::Many)),
    ]
}

impl Store {
    /// What is known of these customers, the head of the log and the revision of counts; at most
    /// `pending_max` undelivered messages of each.
    pub async fn known_of(
        &self,
        tenant: &str,
        customer_ids: &[&str],
        pending_max: i64,
    ) -> Result<Known, DatabaseError> {
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(known_statement));
        let statement = TEXTS.get(self.database.dialect(), Count::of(customer_ids.len()));
        let found: Vec<KnownColumns> = Select::new(statement)
            .bind(tenant)
            .bind(pending_max)
            .bind_any(customer_ids)
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
                    // The decision that sends it along has a trace of its own.
                    let cause = None;
                    let row = OutboxRow { customer_id, customer_seq, created_us, payload, cause };
                    of_customer.push(row);
                }
                _ => (known.head, known.responses_revision) = (first, second),
            }
        }
        for rows in known.pending.values_mut() {
            rows.sort_by_key(|row| row.customer_seq);
        }
        Ok(known)
    }
}
