//! A call to another service: its request, its span and its answer; and what the outbox sends.

use prost::Message;
use serve::{metadata, telemetry::trace::outgoing};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

/// Sends `message` by `send` on behalf of `tenant`, within a span named after the method.
pub(super) async fn call<T, R, F>(
    method: &str,
    tenant: &str,
    message: T,
    send: impl FnOnce(Request<T>) -> F,
) -> Result<R, Status>
where
    F: Future<Output = Result<Response<R>, Status>>,
{
    let span = outgoing(method);
    // Within the span, which becomes the parent of what the other service does.
    let request = span.in_scope(|| metadata::request(tenant, message));
    Ok(send(request).instrument(span).await?.into_inner())
}

/// Messages of the outbox. An unreadable one is refused like one that its receiver refuses: its row
/// waits and is parked.
pub(super) fn messages<M: Message + Default>(payloads: &[&[u8]]) -> Result<Vec<M>, Status> {
    let read = |payload: &&[u8]| {
        M::decode(*payload).map_err(|error| Status::invalid_argument(error.to_string()))
    };
    payloads.iter().map(read).collect()
}
