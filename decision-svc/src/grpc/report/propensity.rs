//! The card of an online model of propensity.

use proffer_proto::decision::v1 as proto;
use tonic::Status;

use crate::{
    domain::online_learner::{BINS, Bin},
    online_learning,
    reporting::read::Reports,
};

/// What the model of a flow has learned.
pub(super) async fn card(
    reports: &Reports,
    tenant: &str,
    flow: &str,
) -> Result<proto::PropensityCard, Status> {
    let flow_id = reports.flows.past_id(tenant, flow).await?;
    let row = reports.store.online_state(tenant, &flow_id).await;
    let Some(row) = row.map_err(|error| serve::store_status(&error))? else {
        return Ok(proto::PropensityCard { flow_id, ..Default::default() });
    };
    let state = online_learning::state(&row).map_err(|error| serve::internal(&error))?;
    let of = state.validation;
    let mean = |sum: f64, count: u64| if count == 0 { 0.0 } else { sum / count as f64 };
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let instant = |us: i64| history::timestamp(serve::from_micros(us));
    let bin = |(place, bin): (usize, &Bin)| proto::CalibrationBin {
        from: place as f64 / BINS as f64,
        contacts: count(bin.contacts),
        positives: count(bin.positives),
        predicted: mean(bin.predicted, bin.contacts),
    };
    let bins = of.bins.iter().enumerate().filter(|(_, bin)| bin.contacts > 0);
    Ok(proto::PropensityCard {
        flow_id,
        version: row.version,
        published_at: (row.version > 0).then(|| instant(row.published_us)),
        contacts: count(of.contacts),
        positives: count(of.positives),
        since: Some(instant(row.since_us)),
        log_loss: mean(of.loss, of.contacts),
        shrinkage_log_loss: mean(of.loss_of_shrinkage, of.contacts),
        bins: bins.map(bin).collect(),
    })
}
