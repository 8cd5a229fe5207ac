//! Ends streams when the process stops. Without this an idle stream would keep its connection, and
//! the process, until the drain timeout.
//!
//! A stream of answers ends with UNAVAILABLE. A stream of requests is read no further: its service
//! answers what it has read, and then the stream ends with UNAVAILABLE too. An upload of a file is
//! left alone, because its service ends it and says how much it kept.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::Status;

use crate::{Shutdown, door};

/// What a method streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    /// Answers to one request.
    Answers,
    /// Requests and answers.
    Both,
}

/// Methods with a stream of answers, by path.
static STREAMS: LazyLock<HashMap<String, Streams>> = LazyLock::new(|| {
    let methods =
        proffer_proto::POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let streaming = methods.filter(|method| method.is_server_streaming()).map(|method| {
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        (path, if method.is_client_streaming() { Streams::Both } else { Streams::Answers })
    });
    let others = [
        ("/grpc.health.v1.Health/Watch", Streams::Answers),
        ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Streams::Both),
        ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Streams::Both),
    ];
    streaming.chain(others.map(|(path, streams)| (path.to_owned(), streams))).collect()
});

/// The answer to `request`. A stream ends when `shutdown` is cancelled.
pub async fn with_the_process(shutdown: Shutdown, request: Request, next: Next) -> Response {
    let streams = STREAMS.get(request.uri().path()).filter(|_| door::is_grpc(request.headers()));
    let Some(streams) = streams.copied() else { return next.run(request).await };
    let is_cut = Arc::<AtomicBool>::default();
    let request = match streams {
        Streams::Answers => request,
        Streams::Both => {
            let (shutdown, is_cut) = (shutdown.clone(), is_cut.clone());
            request.map(|body| Body::new(Requests { body, stop: stop(shutdown), is_cut }))
        }
    };
    let response = next.run(request).await;
    let stop = (streams == Streams::Answers).then(|| stop(shutdown));
    response.map(|body| Body::new(Answers { body: Some(body), stop, is_cut }))
}

fn stop(shutdown: Shutdown) -> BoxFuture<'static, ()> {
    Box::pin(async move { shutdown.cancelled().await })
}

/// How a stream ends that was ended by the process.
fn trailers() -> HeaderMap {
    let message = "the process is stopping; open the stream again and repeat what has no answer";
    let mut headers = HeaderMap::new();
    // INVARIANT: the message has no character that a header cannot hold.
    drop(Status::unavailable(message).add_header(&mut headers));
    headers
}

/// Requests, read until the process stops.
struct Requests {
    body: Body,
    stop: BoxFuture<'static, ()>,
    is_cut: Arc<AtomicBool>,
}

impl HttpBody for Requests {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.is_cut.load(Ordering::SeqCst) {
            return Poll::Ready(None);
        }
        if self.stop.as_mut().poll(context).is_ready() {
            self.is_cut.store(true, Ordering::SeqCst);
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Answers. With `stop` they end when nothing is to be said at the stop; else they end by
/// themselves, and with UNAVAILABLE if their requests were cut.
struct Answers {
    body: Option<Body>,
    stop: Option<BoxFuture<'static, ()>>,
    is_cut: Arc<AtomicBool>,
}

impl HttpBody for Answers {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if polled.is_pending() {
            let Some(stop) = &mut self.stop else { return Poll::Pending };
            ready!(stop.as_mut().poll(context));
            self.body = None;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers()))));
        }
        let is_cut = self.is_cut.load(Ordering::SeqCst);
        match polled {
            Poll::Ready(Some(Ok(frame))) if is_cut && frame.is_trailers() => {
                self.body = None;
                Poll::Ready(Some(Ok(Frame::trailers(trailers()))))
            }
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_of_answers_is_known_and_no_upload_is() {
        let of = |path: &str| STREAMS.get(path).copied();
        assert_eq!(
            of("/proffer.internal.catalog.v1.LookupService/WatchCatalog"),
            Some(Streams::Answers)
        );
        assert_eq!(of("/proffer.decision.v1.DecisionService/RecommendStream"), Some(Streams::Both));
        assert_eq!(of("/grpc.health.v1.Health/Watch"), Some(Streams::Answers));
        assert_eq!(of("/proffer.catalog.v1.RecordService/ImportRecords"), None);
        assert_eq!(of("/proffer.decision.v1.DecisionService/Recommend"), None);
    }
}
