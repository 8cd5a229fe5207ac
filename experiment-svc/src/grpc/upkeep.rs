//! Keeps the sums of experiments up to date beside the deliveries.

use std::{collections::BTreeMap, time::Duration};

use history::ServiceContext as _;
use proffer_proto::experiment::v1::Experiment;
use serve::{Clock, Stopwatch};
use tonic::Status;

use super::{Context, past, recompute, resource};

/// How often it is looked for something to count again.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often experiments that outcomes cannot change any more are looked for.
const CLOSE_INTERVAL: Duration = Duration::from_secs(60);
/// When customers are counted again for the first time after the start: by then no process of an
/// earlier version, which does not write sums, delivers any more.
const FIRST_RECOUNT: Duration = Duration::from_secs(10 * 60);
/// How often they are counted again after that.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How often it is looked for changes by processes of another version.
const ADOPT_INTERVAL: Duration = Duration::from_secs(10);

/// What goes wrong for one experiment or tenant, while the work goes on with the next.
#[derive(Debug, Default)]
pub struct Failures(Option<Status>);

impl Failures {
    /// Notes a failure; the value where there is none.
    pub fn note<T>(&mut self, of: &str, done: Result<T, Status>) -> Option<T> {
        match done {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!(of, code = ?error.code(), error = error.message(), "upkeep failed");
                self.0.get_or_insert(error);
                None
            }
        }
    }

    /// The first failure.
    pub fn first(self) -> Result<(), Status> {
        self.0.map_or(Ok(()), Err)
    }
}

fn status(error: database::DatabaseError) -> Status {
    serve::store_status(&error)
}

/// The revision of each tenant up to which plans were adopted.
pub type Adopted = BTreeMap<String, i64>;

/// Writes what every experiment counts, where a process of another version has written something
/// else or nothing; the customers are then counted by [`count_again`]. Tenants whose log has not
/// moved since are left out.
pub async fn adopt(context: &Context, adopted: &mut Adopted) -> Result<(), Status> {
    let mut failures = Failures::default();
    for tenant in context.history.tenants().await? {
        let Some(head) = failures.note(&tenant, head(context, &tenant).await) else { continue };
        if adopted.get(&tenant) == Some(&head) {
            continue;
        }
        if failures.note(&tenant, adopt_of(context, &tenant).await).is_some() {
            adopted.insert(tenant, head);
        }
    }
    failures.first()
}

async fn head(context: &Context, tenant: &str) -> Result<i64, Status> {
    Ok(context.history.head(tenant).await?)
}

/// An experiment that cannot be read keeps the tenant from being done, and no other from its plan.
async fn adopt_of(context: &Context, tenant: &str) -> Result<(), Status> {
    let now = context.clock.now();
    // Read before the experiments, so that a change between the two is seen.
    let plans = context.store.plans(tenant).await.map_err(status)?;
    let mut failures = Failures::default();
    for stored in context.stored::<Experiment>().all(tenant).await? {
        let Some(plan) = failures.note(&stored.id, resource::plan_of(&stored)) else { continue };
        let written = context.store.adopt(tenant, &plan, plans.get(&plan.id), now).await;
        failures.note(&stored.id, written.map_err(status));
    }
    failures.first()
}

/// Counts the customers of experiments again that count something else than before; returns how
/// many experiments.
pub async fn count_again(context: &Context) -> Result<usize, Status> {
    let pending = context.store.pending().await.map_err(status)?;
    let mut failures = Failures::default();
    for pending in &pending {
        let counted = context.store.rebuild(pending).await.map_err(status);
        failures.note(&pending.experiment_id, counted);
    }
    failures.first().map(|()| pending.len())
}

/// Folds the sums of the windows that have closed.
pub async fn fold(context: &Context) -> Result<u64, Status> {
    let (mut failures, mut folded) = (Failures::default(), 0);
    for open in context.store.open_experiments().await.map_err(status)? {
        let plan = open.plan.filter(|plan| plan.window_us.is_some());
        let Some(hour) = plan.and_then(|plan| plan.closed_hour(open.counted_through)) else {
            continue;
        };
        let done = context.store.fold(&open.tenant, &open.experiment_id, hour).await;
        folded += failures.note(&open.experiment_id, done.map_err(status)).unwrap_or_default();
    }
    failures.first().map(|()| folded)
}

/// Closes the experiments that no outcome can change any more: deliveries do not count their
/// customers again.
pub async fn close(context: &Context) -> Result<(), Status> {
    let mut failures = Failures::default();
    for open in context.store.open_experiments().await.map_err(status)? {
        let through = open.counted_through.map(|through| through.timestamp_micros());
        let Some(plan) = open.plan else { continue };
        if plan.closed_us().zip(through).is_some_and(|(closed, through)| closed < through) {
            let done = context.store.close(&open.tenant, &plan).await;
            failures.note(&plan.id, done.map_err(status));
        }
    }
    failures.first()
}

/// Computes the figures of large experiments that were asked for; returns how many.
pub async fn recompute(context: &Context) -> Result<usize, Status> {
    recompute::run_waiting(context).await
}

/// Takes the snapshots of the day.
pub async fn snapshot(context: &Context) -> Result<(), Status> {
    past::take(context).await
}

/// Counts every customer of every open experiment again. What is right is not written; what a
/// process of an earlier version has left out is added.
pub async fn recount(context: &Context) -> Result<(), Status> {
    let mut failures = Failures::default();
    for open in context.store.open_experiments().await.map_err(status)? {
        let done = context.store.recount(&open.tenant, &open.experiment_id).await;
        failures.note(&open.experiment_id, done.map_err(status));
    }
    failures.first()
}

/// Computes what callers ask for, for ever: beside the rest, which waits for no caller.
pub async fn run_recompute(context: Context) {
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        said("computed again", recompute(&context).await.map(drop));
    }
}

/// All of the rest, for ever.
pub async fn run(context: Context) {
    let (mut adopted, mut recounted) = (Adopted::new(), None::<Stopwatch>);
    let mut looked = None::<Stopwatch>;
    let started = Clock::system().stopwatch();
    let mut closed = Clock::system().stopwatch();
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if looked.as_ref().is_none_or(|last| last.elapsed() >= ADOPT_INTERVAL) {
            looked = Some(Clock::system().stopwatch());
            said("adopted", adopt(&context, &mut adopted).await);
        }
        said("counted again", count_again(&context).await.map(drop));
        if closed.elapsed() >= CLOSE_INTERVAL {
            closed = Clock::system().stopwatch();
            said("folded", fold(&context).await.map(drop));
            said("closed", close(&context).await);
            said("kept for the day", snapshot(&context).await);
        }
        let is_due = match &recounted {
            None => started.elapsed() >= FIRST_RECOUNT,
            Some(last) => last.elapsed() >= RECOUNT_INTERVAL,
        };
        if is_due {
            recounted = Some(Clock::system().stopwatch());
            said("counted again", recount(&context).await);
        }
    }
}

/// Logs a failure; it is tried again.
fn said(what: &str, done: Result<(), Status>) {
    if let Err(error) = &done {
        tracing::warn!(code = ?error.code(), "experiments were not {what}");
    }
}
