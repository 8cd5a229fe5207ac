//! SQL of the online model of propensity: contacts to be learned, what is learned, who learns, and
//! published snapshots.

use database::{DatabaseError, Select, Statement, Transaction, execute};

use super::Store;

/// A contact that is due to be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueContact {
    /// The customer.
    pub customer_id: String,
    /// The decision.
    pub decision_id: String,
    /// The offer.
    pub offer_id: String,
    /// The flow of the decision.
    pub flow_id: String,
    /// The rank of the offer in it, from 1.
    pub rank: i64,
    /// A response in time was received by the due instant.
    pub is_positive: bool,
}

/// What is learned of a flow, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateRow {
    /// The flow.
    pub flow_id: String,
    /// Contacts learned.
    pub learned: i64,
    /// When the first was learned, in microseconds since 1970.
    pub since_us: i64,
    /// Contacts that the newest snapshot has learned.
    pub published: i64,
    /// When it was published, in microseconds since 1970; 0 before the first.
    pub published_us: i64,
    /// The version of the newest snapshot; 0 before the first.
    pub version: i64,
    /// What the next contact needs, encoded.
    pub state: Vec<u8>,
}

/// Who learns for a tenant, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    /// The tenant.
    pub tenant: &'a str,
    /// The process.
    pub holder: &'a str,
    /// The instant, in microseconds since 1970.
    pub now_us: i64,
    /// When the lease ends, in microseconds since 1970.
    pub expires_us: i64,
}

/// What is written of a contact to be learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued<'a> {
    /// Tenant, customer, decision and offer.
    pub key: [&'a str; 4],
    /// The flow.
    pub flow_id: &'a str,
    /// The rank of the offer.
    pub rank: i32,
    /// When it is due, in microseconds since 1970.
    pub due_us: i64,
}

type DueColumns = (String, String, String, String, i64, i64);
type StateColumns = (String, i64, i64, i64, i64, i64, Vec<u8>);

const QUEUE: &str = "insert into online_contact
      (tenant_id, customer_id, decision_id, offer_id, flow_id, rank, due_us, is_positive)
    values ($1, $2, $3, $4, $5, $6, $7, false)
    on conflict (tenant_id, customer_id, decision_id, offer_id) do nothing";

const JUDGE: &str = "update online_contact set is_positive = $5
    where tenant_id = $1 and customer_id = $2 and decision_id = $3 and offer_id = $4
      and due_us >= $6";

const DUE: &str = "select customer_id, decision_id, offer_id, flow_id, rank,
      cast(case when is_positive then 1 else 0 end as bigint)
    from online_contact where tenant_id = $1 and due_us <= $2
    order by due_us, decision_id, rank limit $3 + 0";

const DONE: &str = "delete from online_contact
    where tenant_id = $1 and customer_id = $2 and decision_id = $3 and offer_id = $4";

const LEFT_OUT: &str = "delete from online_contact
    where tenant_id = $1 and customer_id = $2 and decision_id = $3";

const TAKE_LEASE: &str = "insert into online_lease (tenant_id, holder, expires_us)
    values ($1, $2, $4)
    on conflict (tenant_id) do update set holder = excluded.holder, expires_us = excluded.expires_us
    where online_lease.holder = $2 or online_lease.expires_us < $3";

const KEEP_LEASE: &str = "update online_lease set expires_us = $4
    where tenant_id = $1 and holder = $2 and expires_us >= $3";

const STATES: &str = "select flow_id, learned, since_us, published, published_us, version, state
    from online_state where tenant_id = $1";

const STATE: &str = "select flow_id, learned, since_us, published, published_us, version, state
    from online_state where tenant_id = $1 and flow_id = $2";

const PUT_STATE: &str = "insert into online_state
      (tenant_id, flow_id, learned, since_us, published, published_us, version, state)
    values ($1, $2, $3, $4, $5, $6, $7, $8)
    on conflict (tenant_id, flow_id) do update set learned = excluded.learned,
      published = excluded.published, published_us = excluded.published_us,
      version = excluded.version, state = excluded.state";

const PUBLISH: &str = "insert into online_snapshot
      (tenant_id, flow_id, version, published_us, bytes, model)
    values ($1, $2, $3, $4, $5, $6)";

const NEWEST: &str = "select version, model from online_snapshot
    where tenant_id = $1 and flow_id = $2 and version > $3 order by version desc limit 1";

const SNAPSHOT: &str = "select version, model from online_snapshot
    where tenant_id = $1 and flow_id = $2 and version = $3";

const KEPT: &str = "select count(*), cast(coalesce(sum(bytes), 0) as bigint)
    from online_snapshot where tenant_id = $1";

// The one after it is so old that no decision of the one before is left.
const OLD: &str = "select old.flow_id, old.version from online_snapshot old
    join online_snapshot later on later.tenant_id = old.tenant_id
      and later.flow_id = old.flow_id and later.version = old.version + 1
    where old.tenant_id = $1 and later.published_us < $2 limit $3 + 0";

const DELETE_SNAPSHOT: &str = "delete from online_snapshot
    where tenant_id = $1 and flow_id = $2 and version = $3";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("queue of a contact", QUEUE),
        Statement::new("response to a queued contact", JUDGE),
        Statement::new("contacts that are due", DUE).scan("one process learns of all customers"),
        Statement::new("a contact is learned", DONE),
        Statement::new("contacts of a decision are left out", LEFT_OUT),
        Statement::new("take the lease", TAKE_LEASE),
        Statement::new("keep the lease", KEEP_LEASE),
        Statement::new("states of online models", STATES),
        Statement::new("state of an online model", STATE),
        Statement::new("change of a state", PUT_STATE),
        Statement::new("new snapshot", PUBLISH),
        Statement::new("newest snapshot", NEWEST),
        Statement::new("snapshot of a version", SNAPSHOT),
        Statement::new("size of snapshots", KEPT),
        Statement::new("old snapshots", OLD),
        Statement::new("delete a snapshot", DELETE_SNAPSHOT),
    ]
}

/// Queues a contact that is known for the first time.
pub(super) async fn queue(
    transaction: &mut Transaction,
    queued: Queued<'_>,
) -> Result<(), DatabaseError> {
    let [tenant, customer_id, decision_id, offer_id] = queued.key;
    execute!(
        transaction,
        sqlx::query(QUEUE)
            .bind(tenant)
            .bind(customer_id)
            .bind(decision_id)
            .bind(offer_id)
            .bind(queued.flow_id)
            .bind(i64::from(queued.rank))
            .bind(queued.due_us)
    )
    .map(drop)
}

/// Notes whether a queued contact has a response in time, if this is received by its due instant.
pub(super) async fn judge(
    transaction: &mut Transaction,
    [tenant, customer_id, decision_id, offer_id]: [&str; 4],
    is_positive: bool,
    received_us: i64,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(JUDGE)
            .bind(tenant)
            .bind(customer_id)
            .bind(decision_id)
            .bind(offer_id)
            .bind(is_positive)
            .bind(received_us)
    )
    .map(drop)
}

/// Leaves out the contacts of a decision that is deleted; returns how many.
pub(super) async fn leave_out(
    transaction: &mut Transaction,
    tenant: &str,
    (customer_id, decision_id): (&str, &str),
) -> Result<u64, DatabaseError> {
    let done = execute!(
        transaction,
        sqlx::query(LEFT_OUT).bind(tenant).bind(customer_id).bind(decision_id)
    )?;
    Ok(done.rows)
}

impl Store {
    /// Contacts that are due at an instant, in the order in which they are learned.
    pub async fn due_contacts(
        &self,
        tenant: &str,
        until_us: i64,
        limit: i64,
    ) -> Result<Vec<DueContact>, DatabaseError> {
        let select = Select::new(DUE).bind(tenant).bind(until_us).bind(limit);
        let rows: Vec<DueColumns> = select.all(&self.database).await?;
        let due = |(customer_id, decision_id, offer_id, flow_id, rank, positive): DueColumns| {
            let is_positive = positive == 1;
            DueContact { customer_id, decision_id, offer_id, flow_id, rank, is_positive }
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// Takes or prolongs the lease; false when another process has it.
    pub async fn take_lease(&self, lease: Lease<'_>) -> Result<bool, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let done = execute!(
            &mut transaction,
            sqlx::query(TAKE_LEASE)
                .bind(lease.tenant)
                .bind(lease.holder)
                .bind(lease.now_us)
                .bind(lease.expires_us)
        )?;
        transaction.commit().await?;
        Ok(done.rows == 1)
    }

    /// What is learned of the flows of a tenant.
    pub async fn online_states(&self, tenant: &str) -> Result<Vec<StateRow>, DatabaseError> {
        let rows: Vec<StateColumns> = Select::new(STATES).bind(tenant).all(&self.database).await?;
        Ok(rows.into_iter().map(state_row).collect())
    }

    /// What is learned of a flow; none before anything is.
    pub async fn online_state(
        &self,
        tenant: &str,
        flow_id: &str,
    ) -> Result<Option<StateRow>, DatabaseError> {
        let select = Select::new(STATE).bind(tenant).bind(flow_id);
        let row: Option<StateColumns> = select.optional(&self.database).await?;
        Ok(row.map(state_row))
    }

    /// Writes what was learned of these contacts, and published snapshots, in one transaction.
    /// False when the lease was lost or another process has learned one of them: nothing
    /// is written then.
    pub async fn write_learned(
        &self,
        lease: Lease<'_>,
        learned: &[DueContact],
        states: &[StateRow],
        snapshots: &[(StateRow, Vec<u8>)],
    ) -> Result<bool, DatabaseError> {
        let (tenant, mut transaction) = (lease.tenant, self.database.begin().await?);
        let kept = execute!(
            &mut transaction,
            sqlx::query(KEEP_LEASE)
                .bind(tenant)
                .bind(lease.holder)
                .bind(lease.now_us)
                .bind(lease.expires_us)
        )?;
        if kept.rows != 1 {
            return Ok(false);
        }
        for contact in learned {
            let done = execute!(
                &mut transaction,
                sqlx::query(DONE)
                    .bind(tenant)
                    .bind(&contact.customer_id)
                    .bind(&contact.decision_id)
                    .bind(&contact.offer_id)
            )?;
            if done.rows != 1 {
                return Ok(false);
            }
        }
        for row in states.iter().chain(snapshots.iter().map(|(row, _)| row)) {
            put_state(&mut transaction, tenant, row).await?;
        }
        for (row, model) in snapshots {
            execute!(
                &mut transaction,
                sqlx::query(PUBLISH)
                    .bind(tenant)
                    .bind(&row.flow_id)
                    .bind(row.version)
                    .bind(row.published_us)
                    .bind(i64::try_from(model.len()).unwrap_or(i64::MAX))
                    .bind(model)
            )?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Version and model of the newest snapshot after a version; none without a newer one.
    pub async fn newest_snapshot(
        &self,
        tenant: &str,
        flow_id: &str,
        after: i64,
    ) -> Result<Option<(i64, Vec<u8>)>, DatabaseError> {
        let select = Select::new(NEWEST).bind(tenant).bind(flow_id).bind(after);
        select.brief().optional(&self.database).await
    }

    /// Version and model of a snapshot.
    pub async fn online_snapshot(
        &self,
        tenant: &str,
        flow_id: &str,
        version: i64,
    ) -> Result<Option<(i64, Vec<u8>)>, DatabaseError> {
        let select = Select::new(SNAPSHOT).bind(tenant).bind(flow_id).bind(version);
        select.brief().optional(&self.database).await
    }

    /// How many snapshots a tenant has, and how many bytes they take.
    pub async fn snapshots_kept(&self, tenant: &str) -> Result<(i64, i64), DatabaseError> {
        let found: Option<(i64, i64)> =
            Select::new(KEPT).bind(tenant).optional(&self.database).await?;
        Ok(found.unwrap_or_default())
    }

    /// Deletes some snapshots that no decision made at or after `before_us` can name; returns how
    /// many. The newest of a flow stays.
    pub async fn delete_snapshots(
        &self,
        tenant: &str,
        before_us: i64,
    ) -> Result<u64, DatabaseError> {
        let select =
            Select::new(OLD).bind(tenant).bind(before_us).bind(i64::from(serve::BATCH_MAX));
        let keys: Vec<(String, i64)> = select.all(&self.database).await?;
        let (mut rows, mut transaction) = (0, self.database.begin().await?);
        for (flow_id, version) in &keys {
            let done = execute!(
                &mut transaction,
                sqlx::query(DELETE_SNAPSHOT).bind(tenant).bind(flow_id).bind(version)
            )?;
            rows += done.rows;
        }
        transaction.commit().await?;
        Ok(rows)
    }
}

fn state_row(columns: StateColumns) -> StateRow {
    let (flow_id, learned, since_us, published, published_us, version, state) = columns;
    StateRow { flow_id, learned, since_us, published, published_us, version, state }
}

async fn put_state(
    transaction: &mut Transaction,
    tenant: &str,
    row: &StateRow,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(PUT_STATE)
            .bind(tenant)
            .bind(&row.flow_id)
            .bind(row.learned)
            .bind(row.since_us)
            .bind(row.published)
            .bind(row.published_us)
            .bind(row.version)
            .bind(&row.state)
    )
    .map(drop)
}
