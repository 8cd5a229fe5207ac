//! Reads experiments out: as figures and as a picture.

mod grouping;
mod print;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use drawing::SVG;
use history::{ServiceContext as _, timestamp};
use proffer_proto::{experiment::v1 as proto, values::v1::TextBody};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{
    Context, past,
    recompute::{self, Wanted},
    resource,
};
use crate::domain::{
    analysis::{self, Design, More, ReadOut},
    measure::{Guardrail, Metric},
    picture,
    tally::Plan,
};

/// Why a secondary metric or a guardrail is not shown.
const COUNTING: &str = "is being counted: it is shown when every customer is";

/// Reads an experiment out by one metric.
pub async fn get(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::GetResultsRequest,
) -> Result<proto::GetResultsResponse, Status> {
    let asked = (request.metric.as_str(), request.breakdown.as_str());
    if let Some(fault) = recompute::breakdown_fault(&request.breakdown) {
        return Err(Problem::invalid_field("breakdown", fault).into());
    }
    let Asked { stored, read_out, more, sums_at, counting } =
        read(context, metadata, &request.id, asked).await?;
    let mut results = print::results(read_out, &more, &request.breakdown);
    if let Some(at) = sums_at {
        results.computed_at = Some(timestamp(at));
    }
    results.absent.extend(counting);
    results.counted_through = more.counted_through.map(timestamp);
    results.picture = format!("/api/v1/experiments/{}/results.svg", stored.id);
    if results.metric != stored.primary_metric {
        results.picture = format!("{}?metric={}", results.picture, results.metric);
    }
    Ok(proto::GetResultsResponse { results: Some(results) })
}

/// Draws a read-out.
pub async fn picture(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::GetResultsPictureRequest,
) -> Result<proto::GetResultsPictureResponse, Status> {
    let asked = (request.metric.as_str(), "");
    let Asked { stored, read_out, more, .. } = read(context, metadata, &request.id, asked).await?;
    let text = picture::svg(&stored.name, &read_out, &more.past.days);
    let text = text.map_err(|fault| serve::internal(&fault))?;
    let picture = Some(TextBody { content_type: SVG.to_owned(), text });
    Ok(proto::GetResultsPictureResponse { picture })
}

/// A read-out and what it was made of.
struct Asked {
    stored: proto::Experiment,
    read_out: ReadOut,
    more: More,
    /// Of which instant the sums are, while they are computed again.
    sums_at: Option<DateTime<Utc>>,
    /// Metrics that are being counted and not shown yet, and why.
    counting: BTreeMap<String, String>,
}

async fn read(
    context: &Context,
    metadata: &MetadataMap,
    id: &str,
    (metric, breakdown): (&str, &str),
) -> Result<Asked, Status> {
    let tenant = metadata::tenant(metadata)?;
    let stored: proto::Experiment = context.stored().get(&tenant, id).await?;
    let experiment = resource::stored(&stored)?;
    let metric = match metric {
        "" => experiment.metrics.primary.clone(),
        name => Metric::parse(name).map_err(|fault| Problem::invalid_field("metric", fault))?,
    };
    let (design, plan) = (Design::of(&experiment), Plan::of(&stored.id, &experiment));
    let read = async |metric: Metric| {
        let read = context.store.read(&tenant, &plan, metric).await;
        read.map_err(|error| serve::store_status(&error))
    };
    let is_primary = metric == experiment.metrics.primary;
    let found = read(metric.clone()).await?;
    let customers = found.assigned.iter().map(|(_, _, n)| n).sum();
    let wanted = Wanted {
        tenant: tenant.clone(),
        experiment_id: stored.id.clone(),
        metric: metric.name,
        breakdown: breakdown.to_owned(),
    };
    let recomputed = recompute::of(context, &wanted, customers).await?;
    if let Some(found) = &recomputed {
        grouping::check(context, (&tenant, &plan), &found.figures.breakdowns, customers).await?;
    }
    let mut more = More {
        counted_through: found.counted_through,
        past: past::past(context, &tenant, &stored).await?,
        contacts: recomputed.as_ref().and_then(|recomputed| recomputed.contacts),
        recomputed: recomputed.map(|recomputed| recomputed.figures),
        ..More::default()
    };
    let mut counting = BTreeMap::new();
    if is_primary {
        // A metric that is not in the sums yet would be read from every customer's rows.
        let mut is_shown = async |metric: &Metric| {
            let is_counting = context.store.is_counting(&tenant, &plan, metric).await;
            let is_counting = is_counting.map_err(|error| serve::store_status(&error))?;
            if is_counting {
                counting.insert(metric.name.clone(), COUNTING.to_owned());
            }
            Ok::<_, Status>(!is_counting)
        };
        for metric in &experiment.metrics.secondary {
            if is_shown(metric).await? {
                more.secondary.push(read(metric.clone()).await?.counts);
            }
        }
        for Guardrail { metric, harm } in &experiment.metrics.guardrails {
            if is_shown(metric).await? {
                more.guardrails.push((*harm, read(metric.clone()).await?.counts));
            }
        }
    }
    let read_out = analysis::read_out(&design, &found.counts, &more, context.clock.now());
    Ok(Asked { stored, read_out, more, sums_at: found.computed_at, counting })
}
