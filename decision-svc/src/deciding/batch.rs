//! The calls that are decided together, and their answers in order.

use std::sync::Arc;

use proffer_proto::decision::v1::{Decision, RecommendRequest};
use serve::Stopwatch;
use tonic::Status;

use crate::domain::request::Question;

/// A question to be decided.
#[derive(Clone, Debug)]
pub struct Call {
    /// The question.
    pub question: Arc<Question>,
    /// The request it was read from, for the record.
    pub request: RecommendRequest,
    /// Started when the request arrived.
    pub stopwatch: Stopwatch,
}

/// A call that has no answer yet.
#[derive(Clone, Copy)]
pub struct OpenCall<'c> {
    /// Its index in the batch.
    index: usize,
    /// The call.
    pub call: &'c Call,
}

/// Answers in the order of their calls.
pub struct Answers(Vec<Option<Result<Decision, Status>>>);

impl Answers {
    /// No answer yet to `count` calls.
    pub fn new(count: usize) -> Self {
        Self(std::iter::repeat_with(|| None).take(count).collect())
    }

    /// The calls without an answer.
    pub fn open<'c>(&self, calls: &'c [Call]) -> Vec<OpenCall<'c>> {
        let all = calls.iter().enumerate().map(|(index, call)| OpenCall { index, call });
        all.zip(&self.0).filter(|(_, answer)| answer.is_none()).map(|(open, _)| open).collect()
    }

    /// Answers a call.
    pub fn give(&mut self, open: OpenCall<'_>, answer: Result<Decision, Status>) {
        if let Some(slot) = self.0.get_mut(open.index) {
            *slot = Some(answer);
        }
    }

    /// The calls that go on; the others are answered by what stopped them.
    pub fn keep<'c, T>(
        &mut self,
        found: impl IntoIterator<Item = (OpenCall<'c>, Result<T, Status>)>,
    ) -> Vec<(OpenCall<'c>, T)> {
        let found = found.into_iter();
        let mut kept = Vec::with_capacity(found.size_hint().0);
        for (open, found) in found {
            match found {
                Ok(found) => kept.push((open, found)),
                Err(status) => self.give(open, Err(status)),
            }
        }
        kept
    }

    /// Gives all open calls the same answer.
    pub fn fail(&mut self, status: &Status) {
        let open = self.0.iter_mut().filter(|answer| answer.is_none());
        open.for_each(|answer| *answer = Some(Err(status.clone())));
    }

    /// All answers.
    pub fn into_all(self) -> impl Iterator<Item = Result<Decision, Status>> {
        let changing = || Err(serve::unavailable("decision", &"the customer's arm kept changing"));
        self.0.into_iter().map(move |answer| answer.unwrap_or_else(changing))
    }
}
