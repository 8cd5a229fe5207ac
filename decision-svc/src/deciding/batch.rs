//! The answers of questions that walk together.

use proffer_proto::decision::v1::Decision;
use tonic::Status;

use super::Run;

/// A question that has no answer yet.
#[derive(Clone, Copy)]
pub struct Asked<'r> {
    /// Its place among those that walk together.
    pub place: usize,
    /// The question.
    pub run: &'r Run,
}

/// Answers by the place of their questions.
pub struct Answers(Vec<Option<Result<Decision, Status>>>);

impl Answers {
    /// None yet.
    pub fn new(count: usize) -> Self {
        Self(std::iter::repeat_with(|| None).take(count).collect())
    }

    /// The questions without an answer, in order.
    pub fn open<'r>(&self, runs: &'r [Run]) -> Vec<Asked<'r>> {
        let asked = runs.iter().enumerate().map(|(place, run)| Asked { place, run });
        asked.zip(&self.0).filter(|(_, answer)| answer.is_none()).map(|(asked, _)| asked).collect()
    }

    /// Answers a question.
    pub fn give(&mut self, asked: Asked<'_>, answer: Result<Decision, Status>) {
        if let Some(place) = self.0.get_mut(asked.place) {
            *place = Some(answer);
        }
    }

    /// Those that go on; the others are answered by what stopped them.
    pub fn keep<'r, T>(
        &mut self,
        found: Vec<(Asked<'r>, Result<T, Status>)>,
    ) -> Vec<(Asked<'r>, T)> {
        let mut kept = Vec::with_capacity(found.len());
        for (asked, found) in found {
            match found {
                Ok(found) => kept.push((asked, found)),
                Err(status) => self.give(asked, Err(status)),
            }
        }
        kept
    }

    /// Answers all that are open alike.
    pub fn fail(&mut self, status: &Status) {
        self.0
            .iter_mut()
            .filter(|answer| answer.is_none())
            .for_each(|answer| *answer = Some(Err(status.clone())));
    }

    /// All, in order.
    pub fn into_all(self) -> impl Iterator<Item = Result<Decision, Status>> {
        let changing = || Err(serve::unavailable("decision", &"the customer's arm kept changing"));
        self.0.into_iter().map(move |answer| answer.unwrap_or_else(changing))
    }
}
