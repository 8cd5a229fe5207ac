//! Takes the bytes of a call from the budget of the process: of its body while it arrives, and of
//! its answer until it is sent.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
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
use http_body::{Frame, SizeHint};
use tonic::Status;

use crate::{
    byte_budget::{ByteBudget, HeldShare},
    door,
    frames::Frames,
    line::{InFlight, Line, Unread},
    method, window,
};

/// What a call holds besides its body and its answer, in bytes: headers and small buffers.
pub const CALL_BYTES: u64 = 4 << 10;
/// Bytes of an answer that are handed over together. A reader that takes less than this within
/// [`crate::line::STALL_MAX`] loses its connection.
const PIECE_BYTES: usize = 64 << 10;

/// The bytes that one call holds. Cheap to clone; they are given back when the answer has gone.
#[derive(Clone, Debug)]
pub struct CallBytes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    held: Mutex<HeldShare>,
    /// The call itself is counted.
    has_begun: AtomicBool,
    /// The body is passed on in pieces and not collected.
    passes_on: AtomicBool,
    call_bytes: u64,
}

impl CallBytes {
    fn new(held: HeldShare, takes_stream: bool) -> Self {
        // What arrives on a stream before its service reads it.
        let window = if takes_stream { u64::from(window::STREAM_BYTES) } else { 0 };
        Self(Arc::new(Inner {
            held: Mutex::new(held),
            has_begun: AtomicBool::new(false),
            passes_on: AtomicBool::new(false),
            call_bytes: CALL_BYTES + window,
        }))
    }

    /// Counts the call itself. RESOURCE_EXHAUSTED when there is no room within a second.
    pub async fn begin(&self) -> Result<(), Status> {
        if let Some(more) = self.beginning() {
            let more = more.await?;
            self.lock().absorb(more);
        }
        Ok(())
    }

    /// A share of its own in the same budget, for what waits beside the body.
    pub fn beside(&self) -> HeldShare {
        self.lock().beside()
    }

    /// From now on a piece of the body counts until the next one is read.
    pub fn pass_on(&self) {
        self.0.passes_on.store(true, Ordering::SeqCst);
    }

    /// The bytes to wait for before the call begins, if there are not enough now.
    fn beginning(&self) -> Option<impl Future<Output = Result<HeldShare, Status>> + use<>> {
        if self.0.has_begun.swap(true, Ordering::SeqCst) {
            return None;
        }
        self.missing(self.0.call_bytes)
    }

    /// Takes bytes; what is to be waited for when there are not enough now.
    fn missing(
        &self,
        bytes: u64,
    ) -> Option<impl Future<Output = Result<HeldShare, Status>> + use<>> {
        let mut held = self.lock();
        (!held.try_grow(bytes)).then(|| held.more(bytes))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HeldShare> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to `request`, with the bytes of both counted.
pub async fn counted(budget: ByteBudget, mut request: Request, next: Next) -> Response {
    let line = request.extensions().get::<Line>().cloned().unwrap_or_else(|| Line::new(None));
    let in_flight = line.begin();
    let is_grpc = door::is_grpc(request.headers());
    let method = method::at(request.uri().path()).filter(|_| is_grpc);
    let takes_stream = method.is_some_and(|method| method.takes_stream);
    let bytes = CallBytes::new(budget.holding(line.peer()), takes_stream);
    request.extensions_mut().insert(bytes.clone());
    let frames = takes_stream.then(Frames::default);
    let request = request.map(|body| {
        Body::new(Arriving { body: Some(body), bytes: bytes.clone(), frames, waiting: None })
    });
    let response = next.run(request).await;
    let unread = line.answer();
    response.map(|body| {
        Body::new(Answer { body, rest: Bytes::new(), bytes, unread, _in_flight: in_flight })
    })
}

/// A frame for which bytes are awaited, or the beginning of the call.
type Waiting = (Option<Frame<Bytes>>, BoxFuture<'static, Result<HeldShare, Status>>);

/// The body of a request. A piece is handed over once its bytes are counted.
struct Arriving {
    body: Option<Body>,
    bytes: CallBytes,
    /// Where the messages of a stream end: those that were read whole are given back.
    frames: Option<Frames>,
    waiting: Option<Waiting>,
}

impl Arriving {
    /// What the service has read is no longer held here.
    fn give_back(&self) {
        let inner = &self.bytes.0;
        let passed = inner.passes_on.load(Ordering::SeqCst).then_some(0);
        let left = self.frames.as_ref().map(Frames::unfinished_bytes).or(passed);
        if let Some(left) = left {
            self.bytes.lock().shrink_to(inner.call_bytes + left);
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(more) = this.bytes.beginning() {
            this.waiting = Some((None, Box::pin(more)));
        }
        loop {
            if let Some((_, more)) = &mut this.waiting {
                let more = ready!(more.as_mut().poll(context));
                let frame = this.waiting.take().and_then(|(frame, _)| frame);
                match more {
                    Ok(more) => this.bytes.lock().absorb(more),
                    Err(status) => {
                        this.body = None;
                        return Poll::Ready(Some(Err(axum::Error::new(status))));
                    }
                }
                if let Some(frame) = frame {
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
            this.give_back();
            let Some(body) = &mut this.body else { return Poll::Ready(None) };
            let frame = ready!(Pin::new(body).poll_frame(context));
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
            let Some(data) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
            if let Some(frames) = &mut this.frames {
                frames.read(data);
            }
            match this.bytes.missing(data.len() as u64) {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(more) => this.waiting = Some((Some(frame), Box::pin(more))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

/// The body of an answer. What was handed over counts until it is sent.
struct Answer {
    body: Body,
    /// What is left of a piece.
    rest: Bytes,
    bytes: CallBytes,
    unread: Arc<Unread>,
    _in_flight: InFlight,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
            match frame.into_data() {
                Ok(data) if data.is_empty() => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(data) => this.rest = Bytes::from_owner(Sending::new(this, data)),
                Err(other) => return Poll::Ready(Some(Ok(other))),
            }
        }
        this.unread.touch();
        let piece = this.rest.split_to(this.rest.len().min(PIECE_BYTES));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(inner.lower() + rest);
        hint
    }
}

/// Bytes of an answer, counted until the connection drops them.
struct Sending {
    data: Bytes,
    unread: Arc<Unread>,
    _held: HeldShare,
}

impl Sending {
    fn new(answer: &Answer, data: Bytes) -> Self {
        answer.unread.sending();
        let held = answer.bytes.lock().answer(data.len() as u64);
        Self { data, unread: answer.unread.clone(), _held: held }
    }
}

impl AsRef<[u8]> for Sending {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.unread.sent();
    }
}

/// The refusal for lack of bytes, if `error` is one.
pub fn refusal_in(error: &(dyn std::error::Error + 'static)) -> Option<Status> {
    let mut error = Some(error);
    while let Some(found) = error {
        if let Some(status) = found.downcast_ref::<Status>() {
            return Some(status.clone());
        }
        error = found.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use http_body_util::BodyExt as _;
    use tonic::Code;

    use super::*;
    use crate::byte_budget::BYTES_MIN;

    fn arriving(budget: &ByteBudget, pieces: Vec<Vec<u8>>, frames: Option<Frames>) -> Arriving {
        let bytes = CallBytes::new(budget.holding(None), frames.is_some());
        let pieces = pieces.into_iter().map(|piece| Ok::<_, Status>(Bytes::from(piece)));
        let body = Some(Body::from_stream(futures::stream::iter(pieces)));
        Arriving { body, bytes, frames, waiting: None }
    }

    #[tokio::test]
    async fn a_collected_body_is_held_until_its_call_ends() {
        let budget = ByteBudget::new(BYTES_MIN);
        let body = arriving(&budget, vec![vec![0; 1000]; 10], None);
        let bytes = body.bytes.clone();
        let collected = body.collect().await.unwrap().to_bytes();
        assert_eq!(budget.held(), CALL_BYTES + 10_000);
        drop(collected);
        assert_eq!(budget.held(), CALL_BYTES + 10_000);
        drop(bytes);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn a_body_that_is_passed_on_holds_one_piece() {
        let budget = ByteBudget::new(BYTES_MIN);
        let mut body = arriving(&budget, vec![vec![0; 1000]; 10], None);
        body.bytes.pass_on();
        body.bytes.begin().await.unwrap();
        while let Some(piece) = body.frame().await {
            assert_eq!(piece.unwrap().into_data().unwrap().len(), 1000);
            assert_eq!(budget.held(), CALL_BYTES + 1000);
        }
    }

    #[tokio::test]
    async fn a_stream_holds_its_window_and_the_message_that_is_not_whole_yet() {
        let budget = ByteBudget::new(BYTES_MIN);
        let message = [vec![0, 0, 0, 4, 0], vec![7; 1024]].concat();
        let pieces = message.chunks(500).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let mut body =
            arriving(&budget, [pieces.clone(), pieces].concat(), Some(Frames::default()));
        let call = CALL_BYTES + u64::from(window::STREAM_BYTES);
        let mut seen = Vec::new();
        while let Some(piece) = body.frame().await {
            drop(piece.unwrap());
            seen.push(budget.held() - call);
        }
        assert_eq!(seen, [500, 1000, 1029, 500, 1000, 1029]);
        assert_eq!(budget.held(), call);
    }

    #[tokio::test]
    async fn a_body_without_room_is_refused_and_the_refusal_is_found() {
        let budget = ByteBudget::with_wait(BYTES_MIN, std::time::Duration::from_millis(5));
        let answer = budget.holding(None).answer(BYTES_MIN);
        let mut body = arriving(&budget, vec![vec![0; 10]], None);
        assert!(body.frame().now_or_never().is_none());
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(refusal_in(&error).unwrap().code(), Code::ResourceExhausted);
        assert!(body.frame().await.is_none());
        drop(answer);
        assert_eq!(budget.held(), 0);
    }

    #[tokio::test]
    async fn an_answer_counts_until_its_last_piece_is_dropped() {
        let budget = ByteBudget::new(BYTES_MIN);
        let line = Line::new(None);
        let size = 2 * PIECE_BYTES + 1;
        let mut answer = Answer {
            body: Body::from(vec![1; size]),
            rest: Bytes::new(),
            bytes: CallBytes::new(budget.holding(None), false),
            unread: line.answer(),
            _in_flight: line.begin(),
        };
        let mut pieces = Vec::new();
        assert_eq!(answer.size_hint().exact(), Some(size as u64));
        while let Some(frame) = answer.frame().await {
            pieces.push(frame.unwrap().into_data().unwrap());
            assert_eq!(budget.held(), size as u64);
        }
        let lengths: Vec<_> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [PIECE_BYTES, PIECE_BYTES, 1]);
        assert!(answer.is_end_stream());
        drop(answer);
        assert_eq!(budget.held(), size as u64);
        drop(pieces);
        assert_eq!(budget.held(), 0);
    }
}
