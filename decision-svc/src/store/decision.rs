//! SQL of decision records, request ids and arms.

use database::{Database, DatabaseError, Select, Transaction, execute, within};
use tokio::sync::{mpsc, oneshot};

use super::{Store, lock_customer, outbox};
use crate::domain::assignment::Arm;

/// Decisions that may wait for the writer; beyond, callers wait to queue.
pub const QUEUE_MAX: usize = 1_024;
/// Decisions committed together.
const BATCH_MAX: usize = 128;

/// A decision to be written, with all that must be true together with it.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// Whose.
    pub tenant: String,
    /// Its id.
    pub decision_id: String,
    /// The customer.
    pub customer_id: String,
    /// When, in microseconds since 1970.
    pub decided_us: i64,
    /// The record, encoded.
    pub record: Vec<u8>,
    /// The request it answers.
    pub request: Option<RequestRow>,
    /// Arms under which it was made, each with the message that tells experiment-svc; those not
    /// stored yet are stored and told now.
    pub arms: Vec<(Arm, Vec<u8>)>,
    /// When an offer was, or would have been, returned, in microseconds since 1970.
    pub exposed_us: Option<i64>,
    /// Messages for experiment-svc.
    pub experiment_messages: Vec<Vec<u8>>,
}

/// The decision that answers a request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// The request.
    pub request_id: String,
    /// The decision.
    pub decision_id: String,
    /// Hash of the request's body.
    pub body_hash: Vec<u8>,
    /// When it was decided.
    pub decided_us: i64,
    /// A refusal stands only until then.
    pub deliver_after_us: Option<i64>,
    /// Rows decided before this, or lapsed at it, may be replaced.
    pub now_us: i64,
}

impl RequestRow {
    /// How long a request id stands.
    pub const KEPT_US: i64 = 24 * 3600 * 1_000_000;

    /// True when the request still stands for its decision at `now_us`.
    pub fn stands(&self, now_us: i64) -> bool {
        now_us - self.decided_us < Self::KEPT_US
            && self.deliver_after_us.is_none_or(|after| now_us < after)
    }
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is durable.
    Stored,
    /// Another run answered the same request first.
    LostTo(RequestRow),
    /// Another run stored another arm first; decide again under it.
    OtherArm(Arm),
}

/// A stored decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// Its id.
    pub decision_id: String,
    /// When.
    pub decided_us: i64,
    /// The record, encoded.
    pub record: Vec<u8>,
}

/// A decision waiting for the writer.
pub struct Job {
    decision: NewDecision,
    done: oneshot::Sender<Result<Written, DatabaseError>>,
}

impl Store {
    /// Writes one decision; returns once it is durable. Those queued meanwhile share a commit, so a
    /// lone caller never waits and many share one sync.
    pub async fn write_decision(&self, decision: NewDecision) -> Result<Written, DatabaseError> {
        let (done, answer) = oneshot::channel();
        let gone = || DatabaseError::Unavailable(sqlx::Error::WorkerCrashed);
        self.writer.send(Job { decision, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// One decision.
    pub async fn decision(
        &self,
        tenant: &str,
        decision_id: &str,
    ) -> Result<Option<DecisionRow>, DatabaseError> {
        let row: Option<(String, i64, Vec<u8>)> = Select::new(
            "select decision_id, decided_us, record from decision where tenant_id = $1 and decision_id = $2",
        )
        .bind(tenant)
        .bind(decision_id)
        .brief()
        .optional(&self.database)
        .await?;
        Ok(row.map(decision_row))
    }

    /// A customer's decisions before (`decided_us`, `decision_id`), newest first.
    pub async fn decisions(
        &self,
        tenant: &str,
        customer_id: &str,
        before: (i64, &str),
        limit: i64,
    ) -> Result<Vec<DecisionRow>, DatabaseError> {
        let rows: Vec<(String, i64, Vec<u8>)> = Select::new(
            "select decision_id, decided_us, record from decision where tenant_id = $1 and customer_id = $2
             and (decided_us < $3 or (decided_us = $3 and decision_id < $4))
             order by decided_us desc, decision_id desc limit $5",
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(before.0)
        .bind(before.1)
        .bind(limit)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().map(decision_row).collect())
    }
}

/// Commits queued decisions, as many as came while the last commit was in flight.
pub async fn write_queued(database: Database, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut jobs, BATCH_MAX).await > 0 {
        // Rows are taken in customer order, so that two replicas cannot wait for each other.
        jobs.sort_by(|a, b| a.decision.customer_id.cmp(&b.decision.customer_id));
        match write_all(&database, jobs.iter().map(|job| &job.decision)).await {
            Ok(written) => {
                for (job, written) in jobs.drain(..).zip(written) {
                    drop(job.done.send(Ok(written)));
                }
            }
            // One bad decision must not spoil its companions: each is tried alone.
            Err(_) => {
                for job in jobs.drain(..) {
                    let written = write_all(&database, [&job.decision].into_iter()).await;
                    let written = written.and_then(|mut all| all.pop().ok_or_else(lost));
                    drop(job.done.send(written));
                }
            }
        }
    }
}

fn lost() -> DatabaseError {
    DatabaseError::Corrupt("a written decision gave no answer".to_owned())
}

async fn write_all(
    database: &Database,
    decisions: impl Iterator<Item = &NewDecision>,
) -> Result<Vec<Written>, DatabaseError> {
    let mut transaction = database.begin().await?;
    let mut written = Vec::new();
    for decision in decisions {
        written.push(write(&mut transaction, decision).await?);
    }
    transaction.commit().await?;
    Ok(written)
}

async fn write(
    transaction: &mut Transaction,
    decision: &NewDecision,
) -> Result<Written, DatabaseError> {
    let NewDecision { tenant, decision_id, customer_id, decided_us, .. } = decision;
    let messages = decision.arms.len() + decision.experiment_messages.len();
    let first_seq = lock_customer(transaction, tenant, customer_id, messages as i64).await?;
    let mut payloads = Vec::new();
    let mut other_arm = None;
    for (arm, message) in &decision.arms {
        match store_arm(transaction, decision, arm).await? {
            StoredArm::New => payloads.push(message.clone()),
            StoredArm::Same => {}
            StoredArm::Other(other) => other_arm = Some(other),
        }
    }
    let target = outbox::Target::Experiment;
    if let Some(other) = other_arm {
        outbox::add(transaction, tenant, customer_id, target, first_seq, *decided_us, &payloads)
            .await?;
        return Ok(Written::OtherArm(other));
    }
    if let Some(request) = &decision.request
        && let Some(winner) = store_request(transaction, tenant, request).await?
    {
        outbox::add(transaction, tenant, customer_id, target, first_seq, *decided_us, &payloads)
            .await?;
        return Ok(Written::LostTo(winner));
    }
    execute!(
        transaction,
        sqlx::query(
            "insert into decision (tenant_id, decision_id, customer_id, decided_us, record) values ($1, $2, $3, $4, $5)
         on conflict (tenant_id, decision_id) do nothing"
        )
        .bind(tenant)
        .bind(decision_id)
        .bind(customer_id)
        .bind(decided_us)
        .bind(&decision.record)
    )?;
    payloads.extend(decision.experiment_messages.iter().cloned());
    outbox::add(transaction, tenant, customer_id, target, first_seq, *decided_us, &payloads)
        .await?;
    Ok(Written::Stored)
}

enum StoredArm {
    New,
    Same,
    Other(Arm),
}

/// Stores an arm, or the first exposure under it.
async fn store_arm(
    transaction: &mut Transaction,
    decision: &NewDecision,
    arm: &Arm,
) -> Result<StoredArm, DatabaseError> {
    let NewDecision { tenant, customer_id, exposed_us, .. } = decision;
    let inserted =
        execute!(&mut *transaction, sqlx::query(
        "insert into first_arm (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us, exposed_us)
         values ($1, $2, $3, $4, $5, $6, null) on conflict (tenant_id, customer_id, experiment_id) do nothing")
        .bind(tenant).bind(customer_id).bind(&arm.experiment_id).bind(arm.is_holdout).bind(arm.epoch)
        .bind(arm.assigned_us))?;
    let stored: ArmColumns = within!(&mut *transaction, connection => sqlx::query_as(
        "select experiment_id, is_holdout, epoch, assigned_us, exposed_us from first_arm
         where tenant_id = $1 and customer_id = $2 and experiment_id = $3")
        .bind(tenant).bind(customer_id).bind(&arm.experiment_id).fetch_one(connection))?;
    let stored = self::arm(stored);
    if stored.is_holdout != arm.is_holdout {
        return Ok(StoredArm::Other(stored));
    }
    if exposed_us.is_some() && stored.exposed_us.is_none() {
        execute!(
            transaction,
            sqlx::query(
                "update first_arm set exposed_us = $4 where tenant_id = $1 and customer_id = $2 and experiment_id = $3"
            )
            .bind(tenant)
            .bind(customer_id)
            .bind(&arm.experiment_id)
            .bind(exposed_us)
        )?;
    }
    Ok(if inserted.rows > 0 { StoredArm::New } else { StoredArm::Same })
}

/// Stores the request's decision, replacing one that no longer stands; the one stored earlier when
/// it does.
async fn store_request(
    transaction: &mut Transaction,
    tenant: &str,
    request: &RequestRow,
) -> Result<Option<RequestRow>, DatabaseError> {
    let RequestRow { request_id, decision_id, body_hash, decided_us, deliver_after_us, now_us } =
        request;
    let done = execute!(
        &mut *transaction,
        sqlx::query(
            "insert into request (tenant_id, request_id, decision_id, body_hash, decided_us, deliver_after_us)
         values ($1, $2, $3, $4, $5, $6) on conflict (tenant_id, request_id) do update set
           decision_id = excluded.decision_id, body_hash = excluded.body_hash, decided_us = excluded.decided_us,
           deliver_after_us = excluded.deliver_after_us
         where request.decided_us <= $7 or request.deliver_after_us <= $8"
        )
        .bind(tenant)
        .bind(request_id)
        .bind(decision_id)
        .bind(body_hash)
        .bind(decided_us)
        .bind(deliver_after_us)
        .bind(now_us - RequestRow::KEPT_US)
        .bind(now_us)
    )?;
    if done.rows > 0 {
        return Ok(None);
    }
    let stored: RequestColumns = within!(transaction, connection => sqlx::query_as(
        "select request_id, decision_id, body_hash, decided_us, deliver_after_us from request
         where tenant_id = $1 and request_id = $2").bind(tenant).bind(request_id).fetch_one(connection))?;
    Ok(Some(request_row(stored)))
}

type RequestColumns = (String, String, Vec<u8>, i64, Option<i64>);
type ArmColumns = (String, bool, i32, i64, Option<i64>);

fn request_row(
    (request_id, decision_id, body_hash, decided_us, deliver_after_us): RequestColumns,
) -> RequestRow {
    RequestRow { request_id, decision_id, body_hash, decided_us, deliver_after_us, now_us: 0 }
}

fn arm((experiment_id, is_holdout, epoch, assigned_us, exposed_us): ArmColumns) -> Arm {
    Arm { experiment_id, is_holdout, epoch, assigned_us, exposed_us }
}

fn decision_row((decision_id, decided_us, record): (String, i64, Vec<u8>)) -> DecisionRow {
    DecisionRow { decision_id, decided_us, record }
}
