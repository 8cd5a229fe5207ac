//! The trace that a call belongs to: read from its headers or begun, and passed on.
//!
//! The trace of a caller goes on (W3C Trace Context), and so does its choice whether it is
//! exported. A call without one begins a trace, of which a given ratio is exported. The services
//! behind see the choice and follow it.

use std::collections::BTreeSet;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::{
    Context,
    propagation::{Injector, TextMapPropagator as _},
    trace::{SpanContext, TraceContextExt as _},
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that names a trace and the span that calls.
const TRACEPARENT: &str = "traceparent";

/// Target of all spans.
pub(super) const TARGET: &str = "proffer::trace";

/// True for the spans of traces.
pub(super) fn is_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == TARGET
}

/// The trace of a caller; not valid when the headers name none.
pub(crate) fn incoming(headers: &HeaderMap) -> SpanContext {
    if !headers.contains_key(TRACEPARENT) {
        return SpanContext::NONE;
    }
    let context = TraceContextPropagator::new()
        .extract_with_context(&Context::new(), &HeaderExtractor(headers));
    context.span().span_context().clone()
}

/// Writes a trace into the headers of a call to another service: below the current span, if there
/// is one.
pub(crate) fn inject(trace: &SpanContext, headers: &mut dyn Injector) {
    let span = Span::current();
    let mut context = if span.is_none() { Context::new() } else { span.context() };
    if !context.span().span_context().is_valid() {
        if !trace.is_valid() {
            return;
        }
        context = Context::new().with_remote_span_context(trace.clone());
    }
    TraceContextPropagator::new().inject_context(&context, headers);
}

/// The span of a call that arrived, and the trace that its work belongs to. There is no span when
/// the trace is not exported.
pub(super) fn arrived(headers: &HeaderMap, name: &str) -> (Span, SpanContext) {
    let caller = incoming(headers);
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "call",
        otel.name = name,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        rpc.response.status_code = tracing::field::Empty,
        rpc.system.name = "grpc",
        rpc.method = name,
    );
    if span.is_disabled() {
        return (Span::none(), caller);
    }
    if caller.is_valid() {
        // An error would say that the span has begun, which it has not.
        drop(span.set_parent(Context::new().with_remote_span_context(caller)));
    }
    let trace = span.context().span().span_context().clone();
    if trace.is_sampled() { (span, trace) } else { (Span::none(), trace) }
}

/// The current span as the header `traceparent` writes it; none without one.
pub(super) fn current() -> Option<String> {
    let mut headers = HeaderMap::new();
    inject(&SpanContext::NONE, &mut HeaderInjector(&mut headers));
    headers.get(TRACEPARENT)?.to_str().ok().map(str::to_owned)
}

/// Most causes that a span names: what the exporter keeps of them.
const LINKS_MAX: usize = 128;

/// The spans that these values of `traceparent` name, each once.
pub(super) fn links<'a>(causes: impl IntoIterator<Item = &'a str>) -> Vec<SpanContext> {
    let distinct: BTreeSet<&str> = causes.into_iter().collect();
    let read = |text| {
        let text = HeaderValue::from_str(text).ok()?;
        let name = HeaderName::from_static(TRACEPARENT);
        Some(incoming(&HeaderMap::from_iter([(name, text)]))).filter(SpanContext::is_valid)
    };
    distinct.into_iter().filter_map(read).take(LINKS_MAX).collect()
}

/// The trace that `span` begins, which follows from `causes`; none when it is not exported.
pub(super) fn begin_after(span: &Span, causes: Vec<SpanContext>) -> Option<SpanContext> {
    for cause in causes {
        span.add_link(cause);
    }
    let trace = span.context().span().span_context().clone();
    trace.is_sampled().then_some(trace)
}

/// Names the span of a call whose path did not name a method.
pub(crate) fn rename(span: &Span, method: &str) {
    if !span.is_none() {
        // The field `otel.name` is read only until the span begins.
        span.context().span().update_name(method.to_owned());
        span.record("rpc.method", method);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_as_the_standard_writes_it() {
        let trace = |text: &'static str| {
            let name = http::HeaderName::from_static("traceparent");
            incoming(&HeaderMap::from_iter([(name, http::HeaderValue::from_static(text))]))
        };
        let sampled = trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        assert!(sampled.is_valid() && sampled.is_sampled());
        assert_eq!(sampled.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        let left_out = trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
        assert!(left_out.is_valid() && !left_out.is_sampled());
        for odd in [
            "",
            "nonsense",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(!trace(odd).is_valid(), "{odd}");
        }
        assert!(!incoming(&HeaderMap::new()).is_valid());
    }
}
