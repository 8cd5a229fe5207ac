//! Turns of streams: each part of a stream waits for one before its service gets it.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use serve::{Admission, Ask, Permit};
use tokio::task::AbortHandle;
use tonic::Status;

/// A turn ends after this time, although its part may still be worked on: the service may wait for
/// a client that reads slowly.
const TURN_MAX: Duration = Duration::from_secs(1);

/// The turn of the part that is worked on.
#[derive(Clone, Debug, Default)]
pub struct PartTurn(Arc<Mutex<Option<(Permit, AbortHandle)>>>);

impl PartTurn {
    /// Ends the turn before, if there is one.
    pub fn end(&self) {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((_, timer)) = held {
            timer.abort();
        }
    }

    /// Waits for the turn of the next part.
    pub async fn begin(self, admission: Admission, ask: Ask) -> Result<(), Status> {
        let permit = admission.admit_part(ask).await?;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.clone();
        let timer = tokio::spawn(async move {
            tokio::time::sleep(TURN_MAX).await;
            turn.end();
        });
        *held = Some((permit, timer.abort_handle()));
        Ok(())
    }
}

/// A part and the wait for its turn.
type Waiting = (Frame<Bytes>, BoxFuture<'static, Result<(), Status>>);

/// The body of a stream whose parts take turns.
pub struct PartTurns {
    body: Body,
    admission: Admission,
    ask: Ask,
    turn: PartTurn,
    waiting: Option<Waiting>,
}

impl PartTurns {
    /// The parts of `body` take turns of `admission`.
    pub fn new(body: Body, admission: Admission, ask: Ask) -> Self {
        Self { body, admission, ask, turn: PartTurn::default(), waiting: None }
    }
}

impl HttpBody for PartTurns {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            // The service asks for more: it has done the part before.
            this.turn.end();
            let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame) };
            if !frame.is_data() {
                return Poll::Ready(Some(Ok(frame)));
            }
            this.turn = PartTurn::default();
            let turn = this.turn.clone().begin(this.admission.clone(), this.ask);
            this.waiting = Some((frame, Box::pin(turn)));
        }
        let Some((_, turn)) = &mut this.waiting else { return Poll::Ready(None) };
        let begun = ready!(turn.as_mut().poll(context));
        let frame = this.waiting.take().map(|(frame, _)| frame);
        Poll::Ready(match begun {
            Ok(()) => frame.map(Ok),
            Err(status) => Some(Err(axum::Error::new(status))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl Drop for PartTurns {
    fn drop(&mut self) {
        self.turn.end();
    }
}
