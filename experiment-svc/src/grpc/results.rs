//! Prints the results of an experiment as a proto message.

use chrono::{DateTime, Utc};
use history::{ServiceContext as _, timestamp};
use proffer_proto::experiment::v1 as proto;
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{Context, resource};
use crate::domain::{
    analysis::{self, Effect, Estimate, Interval, Method, Pair, ReadOut, Sample, Verdict},
    measure::Metric,
    tally::Plan,
};

/// Reads an experiment out by one metric.
pub async fn get(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::GetResultsRequest,
) -> Result<proto::GetResultsResponse, Status> {
    let tenant = metadata::tenant(metadata)?;
    let stored: proto::Experiment = context.stored().get(&tenant, &request.id).await?;
    let experiment = resource::stored(&stored)?;
    let metric = match request.metric.as_str() {
        "" => experiment.metrics.primary.clone(),
        name => Metric::parse(name).map_err(|fault| Problem::invalid_field("metric", fault))?,
    };
    let plan = Plan::of(&stored.id, &experiment);
    let read = context.store.read(&tenant, &plan, metric).await;
    let read = read.map_err(|error| serve::store_status(&error))?;
    let read_out = analysis::read_out(&experiment, &read.counts, context.clock.now());
    let results = Some(into_proto(read_out, read.counted_through));
    Ok(proto::GetResultsResponse { results })
}

/// The read-out, and the instant up to which every outcome is counted.
fn into_proto(read_out: ReadOut, counted_through: Option<DateTime<Utc>>) -> proto::Results {
    let (effect, units) = (read_out.effect.as_ref(), read_out.metric.units);
    let (test, lift) = (effect.and_then(|effect| effect.test), relative_lift(effect));
    let total = read_out.incremental_total;
    proto::Results {
        arms: arms(&read_out.assigned, units),
        difference: effect.map(|effect| effect.difference),
        ci95: bounds(effect.and_then(|effect| effect.interval)),
        statistic: test.map(|test| test.statistic),
        p: test.map(|test| test.p),
        estimates: effect.map(estimates).unwrap_or_default(),
        relative_lift: Some(lift),
        incremental_total: Some(proto::IncrementalTotal {
            value: total.map(|(value, _)| value),
            ci95: bounds(total.and_then(|(_, interval)| interval)),
        }),
        srm: Some(proto::SampleRatio {
            chi_square: read_out.srm.chi_square,
            degrees_of_freedom: i32::try_from(read_out.srm.degrees_of_freedom).unwrap_or(i32::MAX),
            p: read_out.srm.p,
        }),
        verdict: verdict(read_out.verdict).into(),
        withheld: read_out.withheld,
        methods: read_out
            .methods
            .into_iter()
            .map(|(figure, method)| (figure.to_owned(), method))
            .collect(),
        counted_through: counted_through.map(timestamp),
        ghost_matched: Some(matched(&read_out.matched, read_out.matched_effect.as_ref(), units)),
        metric: read_out.metric.name,
    }
}

fn verdict(verdict: Verdict) -> proto::ResultVerdict {
    match verdict {
        Verdict::Gain => proto::ResultVerdict::Gain,
        Verdict::Loss => proto::ResultVerdict::Loss,
        Verdict::Inconclusive => proto::ResultVerdict::Inconclusive,
        Verdict::Withheld => proto::ResultVerdict::Withheld,
    }
}

fn estimates(effect: &Effect) -> Vec<proto::Estimate> {
    let estimate = |(method, estimate): &(&Method, Estimate)| proto::Estimate {
        method: method.name.to_owned(),
        description: method.description.to_owned(),
        difference: Some(estimate.difference),
        ci95: bounds(estimate.interval),
        statistic: estimate.test.map(|test| test.statistic),
        p: estimate.test.map(|test| test.p),
    };
    effect.estimates.iter().map(estimate).collect()
}

fn relative_lift(effect: Option<&Effect>) -> proto::RelativeLift {
    let lift = effect.map(|effect| effect.relative_lift).unwrap_or_default();
    proto::RelativeLift { value: lift.value, ci95: bounds(lift.interval), g: lift.g }
}

fn matched(pair: &Pair, effect: Option<&Effect>, units: f64) -> proto::GhostMatched {
    proto::GhostMatched {
        arms: arms(pair, units),
        difference: effect.map(|effect| effect.difference),
        ci95: bounds(effect.and_then(|effect| effect.interval)),
    }
}

fn arms(pair: &Pair, units: f64) -> Vec<proto::ArmResult> {
    let result = |arm: proto::Arm, sample: &Sample| proto::ArmResult {
        arm: arm.into(),
        n: count(sample.n),
        mean: sample.mean(units).unwrap_or_default(),
        variance: sample.variance(units),
        events: count(sample.events),
        total: sample.total(units).unwrap_or_default(),
    };
    vec![result(proto::Arm::Treatment, &pair.treatment), result(proto::Arm::Holdout, &pair.holdout)]
}

fn bounds(interval: Option<Interval>) -> Vec<f64> {
    interval.map(Vec::from).unwrap_or_default()
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
