//! Writes decisions: those that queue while one commit is in flight share the next.

use database::{Database, DatabaseError, Transaction};
use serve::TracedCall;
use tokio::sync::{mpsc, oneshot};

use super::{
    NewDecision, RequestRow, Store,
    arm::{self, StoredArm},
    customer, decision,
    outbox::{self, Target},
    request,
};
use crate::domain::assignment::Arm;

/// Decisions that may wait for the writer; beyond, callers wait to queue.
pub(super) const QUEUE_MAX: usize = 1_024;
/// Decisions committed together.
const BATCH_MAX: usize = 128;

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

/// A decision waiting for the writer.
#[derive(Debug)]
pub(super) struct Job {
    decision: NewDecision,
    done: oneshot::Sender<Result<Written, DatabaseError>>,
    traced: Option<TracedCall>,
}

impl Store {
    /// Writes one decision; returns once it is durable. A lone caller never waits for others.
    pub async fn write_decision(&self, decision: NewDecision) -> Result<Written, DatabaseError> {
        let (done, answer) = oneshot::channel();
        let gone = || DatabaseError::Unavailable(sqlx::Error::WorkerCrashed);
        let job = Job { decision, done, traced: TracedCall::current() };
        self.writer.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// Commits queued decisions, as many as came while the last commit was in flight.
pub(super) async fn write_queued(database: Database, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut jobs, BATCH_MAX).await > 0 {
        // Customers are locked one by one in the order of their ids, so that two replicas cannot
        // wait for each other.
        jobs.sort_by(|a, b| a.decision.customer_id.cmp(&b.decision.customer_id));
        metrics::histogram!("proffer.commit.batch.size", "store" => "decision")
            .record(jobs.len() as f64);
        // The commit serves many calls; a traced one among them shows its statements.
        let traced = jobs.iter().find_map(|job| job.traced.clone());
        let written = write_all(&database, jobs.iter().map(|job| &job.decision));
        match TracedCall::carry(traced, written).await {
            Ok(written) => {
                for (job, written) in jobs.drain(..).zip(written) {
                    drop(job.done.send(Ok(written)));
                }
            }
            // One bad decision must not spoil the others: each is tried alone.
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

/// Writes decisions in one transaction. A fault of the program refuses them; the writer goes on.
async fn write_all(
    database: &Database,
    decisions: impl Iterator<Item = &NewDecision>,
) -> Result<Vec<Written>, DatabaseError> {
    let written = serve::caught(commit_all(database, decisions)).await;
    written.unwrap_or(Err(DatabaseError::Panicked))
}

async fn commit_all(
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

async fn write(transaction: &mut Transaction, new: &NewDecision) -> Result<Written, DatabaseError> {
    // Each arm has a message about itself and one about the first exposure at most.
    let numbers = 2 * new.arms.len() as i64;
    let first_seq = customer::lock(transaction, &new.tenant, &new.customer_id, numbers).await?;
    let (mut messages, mut other_arm) = (Vec::new(), None);
    for (arm, message) in new.arms.iter().filter_map(|it| Some((&it.arm, it.drawn.as_ref()?))) {
        match arm::store(transaction, new, arm).await? {
            StoredArm::New => messages.push(message.as_slice()),
            StoredArm::Same => {}
            StoredArm::Other(other) => other_arm = Some(other),
        }
    }
    let mut winner = None;
    if let (None, Some(request)) = (&other_arm, &new.request) {
        winner = request::store(transaction, new, request).await?;
    }
    let written = match (other_arm, winner) {
        (Some(other), _) => Written::OtherArm(other),
        (None, Some(winner)) => Written::LostTo(winner),
        (None, None) => {
            decision::insert(transaction, new).await?;
            for (arm, message) in
                new.arms.iter().filter_map(|it| Some((&it.arm, it.exposure.as_ref()?)))
            {
                if arm::expose(transaction, new, arm).await? {
                    messages.push(message.as_slice());
                }
            }
            Written::Stored
        }
    };
    let to = outbox::Queue {
        tenant: &new.tenant,
        customer_id: &new.customer_id,
        target: Target::Experiment,
        cause: new.cause.as_deref(),
    };
    outbox::add(transaction, to, first_seq, new.decided_us, &messages).await?;
    Ok(written)
}
