//! Spans within a traced call. A call that is not traced makes none, so it costs nothing.

use tracing::Span;

use super::context::{self, TARGET};
use crate::{Call, TracedCall};

/// The span of a stage of the current call, such as `plan`; none when it is not traced.
pub fn stage(name: &str) -> Span {
    if !Call::is_traced() {
        return Span::none();
    }
    tracing::info_span!(target: TARGET, "stage", otel.name = name)
}

/// The span of a call to another service, by its method; none when the current call is not traced.
pub fn outgoing(method: &str) -> Span {
    if !Call::is_traced() {
        return Span::none();
    }
    tracing::info_span!(
        target: TARGET,
        "outgoing",
        otel.name = method,
        otel.kind = "client",
        rpc.system.name = "grpc",
        rpc.method = method,
    )
}

/// The current span as the header `traceparent` writes it, for work that follows later; none when
/// the current call is not traced.
pub fn cause() -> Option<String> {
    Call::is_traced().then(context::current).flatten()
}

/// A call of this process that follows from `causes`, each as [`cause`] wrote it. Its span begins a
/// trace and links to theirs, to at most 128. None without a cause that is traced.
pub fn following<'a>(name: &str, causes: impl IntoIterator<Item = &'a str>) -> Option<TracedCall> {
    let causes = context::links(causes);
    if causes.is_empty() {
        return None;
    }
    let span = tracing::info_span!(
        target: TARGET,
        parent: None,
        "following",
        otel.name = name,
        otel.kind = "producer",
    );
    let trace = context::begin_after(&span, causes)?;
    Some(TracedCall::new(trace, span))
}
