//! Ends streams when the process stops. Without this an idle stream would keep its connection, and
//! the process, until the drain timeout.
//!
//! A stream of answers ends with UNAVAILABLE. A stream of requests is read no further: its service
//! answers what it has read, and then the stream ends with UNAVAILABLE too. An upload of a file is
//! left alone, because its service ends it and says how much it kept.

use std::{
    pin::Pin,
    sync::{
        Arc,
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

use crate::{Shutdown, door, method};

/// The answer to `request`. A stream ends when `shutdown` is cancelled.
pub async fn with_the_process(shutdown: Shutdown, request: Request, next: Next) -> Response {
    let is_grpc = door::is_grpc(request.headers());
    let method = method::at(request.uri().path()).filter(|_| is_grpc);
    let Some(method) = method.filter(|method| method.gives_stream) else {
        return next.run(request).await;
    };
    let is_cut = Arc::<AtomicBool>::default();
    let request = if method.takes_stream {
        let (stop, is_cut) = (stop(shutdown.clone()), is_cut.clone());
        request.map(|body| Body::new(Requests { body, stop, is_cut }))
    } else {
        request
    };
    let response = next.run(request).await;
    let stop = (!method.takes_stream).then(|| stop(shutdown));
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
