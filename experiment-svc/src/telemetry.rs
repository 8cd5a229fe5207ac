//! The metrics of this service.

use std::time::Duration;

use serve::telemetry::Labels;
use tonic::Status;

use crate::grpc::{Context, sample_ratio};

/// How often the arms of running experiments are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(60);
/// Experiments that have a label of their own.
const EXPERIMENTS_MAX: usize = 100;

/// Sets the metrics of running experiments for ever.
pub async fn report(context: Context) {
    metrics::describe_gauge!(
        "proffer.experiment.sample.ratio.p",
        "p of the test that the arms of a running experiment have the sizes of its split; below \
         0.001 customers were lost or moved"
    );
    let labels = Labels::new(EXPERIMENTS_MAX);
    let mut tick = tokio::time::interval(COUNT_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = report_once(&context, &labels).await {
            tracing::warn!(code = ?error.code(), "sample ratios of experiments were not counted");
        }
    }
}

async fn report_once(context: &Context, labels: &Labels) -> Result<(), Status> {
    for (name, p) in sample_ratio::of_running(context).await? {
        let experiment = labels.of(&name);
        metrics::gauge!("proffer.experiment.sample.ratio.p", "experiment" => experiment).set(p);
    }
    Ok(())
}
