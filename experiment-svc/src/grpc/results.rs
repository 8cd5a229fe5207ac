//! Reads experiments out: as figures and as a picture.

mod print;

use history::{ServiceContext as _, timestamp};
use proffer_proto::{experiment::v1 as proto, values::v1::TextBody};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::{Context, resource};
use crate::{
    domain::{
        analysis::{self, Design, More, ReadOut, Recomputed},
        measure::{Guardrail, Metric},
        picture,
    },
    store::Read,
};

/// Media type of the picture.
const SVG: &str = "image/svg+xml";

/// Reads an experiment out by one metric.
pub async fn get(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::GetResultsRequest,
) -> Result<proto::GetResultsResponse, Status> {
    let Asked { stored, read_out, more } =
        read(context, metadata, &request.id, &request.metric).await?;
    let mut results = print::results(read_out, &more, &request.breakdown);
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
    let Asked { stored, read_out, more } =
        read(context, metadata, &request.id, &request.metric).await?;
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
}

async fn read(
    context: &Context,
    metadata: &MetadataMap,
    id: &str,
    metric: &str,
) -> Result<Asked, Status> {
    let tenant = metadata::tenant(metadata)?;
    let stored: proto::Experiment = context.stored().get(&tenant, id).await?;
    let experiment = resource::stored(&stored)?;
    let metric = match metric {
        "" => experiment.primary_metric.clone(),
        name => Metric::parse(name).map_err(|fault| Problem::invalid_field("metric", fault))?,
    };
    let (design, window) = (Design::of(&experiment), analysis::window(&experiment));
    let read = async |metric: Metric| {
        let read = context.store.read(&tenant, &stored.id, metric, window).await;
        read.map_err(|error| serve::store_status(&error))
    };
    let is_primary = metric == experiment.primary_metric;
    let Read { counts, counted_through } = read(metric).await?;
    let now = context.clock.now();
    let recomputed = Some(Recomputed::of(&counts, Vec::new(), now));
    let mut more = More { counted_through, recomputed, ..More::default() };
    if is_primary {
        for guardrail in
            Guardrail::DEFAULT.into_iter().filter_map(|text| Guardrail::parse(text).ok())
        {
            more.guardrails.push((guardrail.harm, read(guardrail.metric).await?.counts));
        }
    }
    let read_out = analysis::read_out(&design, &counts, &more, now);
    Ok(Asked { stored, read_out, more })
}
