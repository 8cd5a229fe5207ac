//! Spans within a traced call. A call that is not traced makes none, so it costs nothing.

use tracing::Span;

use super::context::TARGET;
use crate::Call;

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
