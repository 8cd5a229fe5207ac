//! The body of a request that is read on for a while after its answer.
//!
//! A client over HTTP/1.1 that sends its whole body before it reads would find a closed connection
//! instead of an early refusal.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::StreamExt as _;
use http_body::{Frame, SizeHint};

/// How much is read on, in bytes. A client that sends more finds its connection closed.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long it is read on.
const TIME_MAX: Duration = Duration::from_secs(10);

/// A body; when it is dropped before its end, the rest is read and thrown away.
pub struct Lingering {
    body: Option<Body>,
    /// The client sends `Expect: 100-continue` and waits: a body that the service has not begun to
    /// read is not on its way, so it is not read on.
    waits_to_be_asked: bool,
}

impl Lingering {
    /// Wraps the body of a request that announces it.
    pub fn new(body: Body) -> Self {
        Self { body: Some(body), waits_to_be_asked: false }
    }

    /// The client sends this body only when asked for it.
    #[must_use]
    pub fn when_asked(mut self, waits_to_be_asked: bool) -> Self {
        self.waits_to_be_asked = waits_to_be_asked;
        self
    }
}

impl HttpBody for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.waits_to_be_asked = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if body.is_end_stream() || self.waits_to_be_asked {
            return;
        }
        // Without a runtime the process is ending, and so is the connection.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(tokio::time::timeout(TIME_MAX, read_on(body)));
        }
    }
}

/// Reads to the end, or as far as the limit.
async fn read_on(body: Body) {
    let mut pieces = body.into_data_stream();
    let mut bytes = 0;
    while let Some(Ok(piece)) = pieces.next().await {
        bytes += piece.len();
        if bytes > BYTES_MAX {
            return;
        }
    }
}
