//! Chooses which of the traces that begin in this process are exported: each whose cause is
//! exported, and of the others those that another sampler takes.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SamplingResult, SpanKind, TraceId},
};
use opentelemetry_sdk::trace::{Sampler, ShouldSample};

/// Exports a trace that has an exported trace as its cause. Of the others the sampler within
/// chooses.
#[derive(Clone, Debug)]
pub(super) struct FollowCauses(pub Sampler);

impl ShouldSample for FollowCauses {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_caused = links.iter().any(|link| link.span_context.is_sampled());
        let sampler = if is_caused { &Sampler::AlwaysOn } else { &self.0 };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}
