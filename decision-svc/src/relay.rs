//! Ships the outbox: at least once, in order per customer. Policy and experiment-svc take each
//! message once.

use std::{collections::BTreeSet, time::Duration};

use tonic::{Code, Status};

use crate::{
    grpc::Context,
    neighbours::{experiment, policy},
    store::{OutboxRow, Target},
};

/// Rows of one delivery.
const BATCH_MAX: i64 = 500;
/// How often the outbox is looked at without being called.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Delivers for ever.
pub async fn relay(context: Context) {
    // Tenants whose outcomes were delivered, and who are still to be told that nothing followed.
    let mut unsettled = BTreeSet::new();
    loop {
        let waiting = context.store.tenants_waiting().await.unwrap_or_default();
        let mut delivered_any = false;
        for tenant in waiting {
            delivered_any |= deliver(&context, &tenant, Target::Policy).await;
            if deliver(&context, &tenant, Target::Experiment).await {
                unsettled.insert(tenant);
                delivered_any = true;
            }
        }
        if delivered_any {
            continue;
        }
        let is_called = tokio::time::timeout(LOOK_INTERVAL, context.bell.notified()).await.is_ok();
        if !is_called {
            settle(&context, &mut unsettled).await;
        }
    }
}

/// Tells experiment-svc, once after the last delivery, up to when nothing more was received.
async fn settle(context: &Context, unsettled: &mut BTreeSet<String>) {
    let mut still = BTreeSet::new();
    for tenant in std::mem::take(unsettled) {
        let settled_us = context.receipts.settled_through().timestamp_micros();
        let waiting = context.store.undelivered(&tenant, Target::Experiment, 1).await;
        let is_told = match waiting {
            Ok(rows) if rows.is_empty() => {
                tell(context, &tenant, Target::Experiment, &[], settled_us).await.is_ok()
            }
            _ => false,
        };
        if !is_told {
            still.insert(tenant);
        }
    }
    *unsettled = still;
}

/// Delivers one batch; true when something moved.
async fn deliver(context: &Context, tenant: &str, target: Target) -> bool {
    // Taken before the rows are read: what is not among them is received later.
    let settled_us = context.receipts.settled_through().timestamp_micros();
    let Ok(rows) = context.store.undelivered(tenant, target, BATCH_MAX).await else { return false };
    if rows.is_empty() {
        return false;
    }
    let is_all = (rows.len() as i64) < BATCH_MAX;
    let counted_through_us = if is_all { settled_us } else { settled_us.min(oldest(&rows) - 1) };
    match tell(context, tenant, target, &rows, counted_through_us).await {
        Ok(()) => context.store.delivered(tenant, target, &rows).await.is_ok(),
        Err(status) if status.code() == Code::InvalidArgument => {
            one_by_one(context, tenant, target, &rows).await
        }
        Err(status) => {
            tracing::debug!(?target, code = ?status.code(), "outbox waits");
            false
        }
    }
}

/// Finds the row that is refused, so that it alone waits and is parked after ten refusals.
async fn one_by_one(context: &Context, tenant: &str, target: Target, rows: &[OutboxRow]) -> bool {
    let mut delivered_any = false;
    let mut stuck: Option<&str> = None;
    for row in rows {
        if stuck == Some(row.customer_id.as_str()) {
            continue;
        }
        let one = std::slice::from_ref(row);
        match tell(context, tenant, target, one, oldest(rows) - 1).await {
            Ok(()) => delivered_any |= context.store.delivered(tenant, target, one).await.is_ok(),
            Err(status) if status.code() == Code::InvalidArgument => {
                tracing::error!(
                    ?target,
                    seq = row.customer_seq,
                    "outbox row was refused; after ten times it is parked"
                );
                drop(context.store.refused(tenant, target, row).await);
                stuck = Some(row.customer_id.as_str());
            }
            Err(_) => return delivered_any,
        }
    }
    delivered_any
}

fn oldest(rows: &[OutboxRow]) -> i64 {
    rows.iter().map(|row| row.created_us).min().unwrap_or_default()
}

/// Ships rows. Only experiment-svc is told up to when all is counted, and what is held back is not.
async fn tell(
    context: &Context,
    tenant: &str,
    target: Target,
    rows: &[OutboxRow],
    counted_through_us: i64,
) -> Result<(), Status> {
    let payloads: Vec<&[u8]> = rows.iter().map(|row| row.payload.as_slice()).collect();
    match target {
        Target::Policy => policy::deliver(&*context.neighbours.gate, tenant, &payloads).await,
        Target::Experiment => {
            let held = context.store.oldest_held_us(tenant, target).await;
            let held = held.map_err(|error| serve::store_status(&error))?;
            let through_us =
                held.map_or(counted_through_us, |held| counted_through_us.min(held - 1));
            experiment::deliver(&*context.neighbours.experiment, tenant, &payloads, through_us)
                .await
        }
    }
}
