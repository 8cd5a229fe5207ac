//! Keeps the sums of experiments up to date beside the deliveries.

use std::time::Duration;

use history::ServiceContext as _;
use proffer_proto::experiment::v1::Experiment;
use serve::{Clock, Stopwatch};
use tonic::Status;

use super::{Context, past, recompute, resource};
use crate::store::closed_hour;

/// How often it is looked for something to count again.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often experiments that outcomes cannot change any more are looked for.
const CLOSE_INTERVAL: Duration = Duration::from_secs(60);
/// When customers are counted again for the first time after the start: by then no process of an
/// earlier version, which does not write sums, delivers any more.
const FIRST_RECOUNT: Duration = Duration::from_secs(10 * 60);
/// How often they are counted again after that.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Writes what every experiment counts, where an earlier version of this service has written
/// something else or nothing; the customers are then counted by [`count_again`].
pub async fn adopt(context: &Context) -> Result<(), Status> {
    let now = context.clock.now();
    for tenant in context.history.tenants().await? {
        for stored in context.stored::<Experiment>().all(&tenant).await? {
            let plan = resource::plan_of(&stored)?;
            let written = context.store.plan(&tenant, &plan, now).await;
            written.map_err(|error| serve::store_status(&error))?;
        }
    }
    Ok(())
}

/// Counts the customers of experiments again that count something else than before; returns how
/// many experiments.
pub async fn count_again(context: &Context) -> Result<usize, Status> {
    context.store.rebuild().await.map_err(|error| serve::store_status(&error))
}

/// Folds the sums of the windows that have closed.
pub async fn fold(context: &Context) -> Result<u64, Status> {
    let (status, mut folded) = (|error| serve::store_status(&error), 0);
    for open in context.store.open_experiments().await.map_err(status)? {
        let has_windows = open.plan.as_ref().is_some_and(|plan| plan.window_us.is_some());
        let Some(hour) = closed_hour(open.counted_through).filter(|_| has_windows) else {
            continue;
        };
        let done = context.store.fold(&open.tenant, &open.experiment_id, hour).await;
        folded += done.map_err(status)?;
    }
    Ok(folded)
}

/// Closes the experiments that no outcome can change any more: deliveries do not count their
/// customers again.
pub async fn close(context: &Context) -> Result<(), Status> {
    let status = |error| serve::store_status(&error);
    for open in context.store.open_experiments().await.map_err(status)? {
        let through = open.counted_through.map(|through| through.timestamp_micros());
        let Some(plan) = open.plan else { continue };
        if plan.closed_us().zip(through).is_some_and(|(closed, through)| closed < through) {
            context.store.close(&open.tenant, &plan).await.map_err(status)?;
        }
    }
    Ok(())
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
    let status = |error| serve::store_status(&error);
    for open in context.store.open_experiments().await.map_err(status)? {
        context.store.recount(&open.tenant, &open.experiment_id).await.map_err(status)?;
    }
    Ok(())
}

/// All of it, for ever.
pub async fn run(context: Context) {
    let (mut is_adopted, mut recounted) = (false, None::<Stopwatch>);
    let started = Clock::system().stopwatch();
    let mut closed = Clock::system().stopwatch();
    let mut tick = tokio::time::interval(LOOK_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !is_adopted {
            is_adopted = said("adopted", adopt(&context).await);
        }
        said("counted again", count_again(&context).await.map(drop));
        said("computed again", recompute(&context).await.map(drop));
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

/// True when it went well; else it is logged and tried again.
fn said(what: &str, done: Result<(), Status>) -> bool {
    if let Err(error) = &done {
        tracing::warn!(code = ?error.code(), "experiments were not {what}");
    }
    done.is_ok()
}
