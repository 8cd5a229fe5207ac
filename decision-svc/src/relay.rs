//! Ships the outbox: at least once, in order per customer. Policy and experiment-svc take each message once.

use std::time::Duration;

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
    loop {
        let waiting = context.store.tenants_waiting().await.unwrap_or_default();
        let mut delivered_any = false;
        for tenant in waiting {
            for target in [Target::Policy, Target::Experiment] {
                delivered_any |= deliver(&context, &tenant, target).await;
            }
        }
        if !delivered_any {
            drop(tokio::time::timeout(LOOK_INTERVAL, context.bell.notified()).await);
        }
    }
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
    match ship(context, tenant, target, &rows, counted_through_us).await {
        Ok(()) => context.store.delivered(tenant, target, &rows).await.is_ok(),
        Err(status) if status.code() == Code::InvalidArgument => one_by_one(context, tenant, target, &rows).await,
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
        match ship(context, tenant, target, one, oldest(rows) - 1).await {
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

async fn ship(
    context: &Context,
    tenant: &str,
    target: Target,
    rows: &[OutboxRow],
    counted_through_us: i64,
) -> Result<(), Status> {
    let payloads: Vec<&[u8]> = rows.iter().map(|row| row.payload.as_slice()).collect();
    match target {
        Target::Policy => policy::deliver(&context.neighbours.policy, tenant, &payloads).await,
        Target::Experiment => {
            experiment::deliver(&context.neighbours.experiment, tenant, &payloads, counted_through_us).await
        }
    }
}
