//! Judgments that write nothing: of one customer, of many, and of recorded facts.

use std::sync::Arc;

use super::{Basis, Call, Gate, GateError, newest::usable_channel};
use crate::{
    domain::{configuration::Configuration, facts::Facts, question::Question, verdict::Judgment},
    store::Known,
};

/// A question that reserves nothing.
#[derive(Clone, Debug)]
pub struct Checking {
    /// The question.
    pub question: Arc<Question>,
    /// Slots that a reservation would be asked for; offers beyond them take none. `None` lets every
    /// offer that passes take one.
    pub limit: Option<usize>,
}

impl Gate {
    /// Judges like [`Gate::reserve`] and writes nothing.
    pub async fn check(
        &self,
        tenant: &str,
        Checking { question, limit }: Checking,
    ) -> Result<(Judgment, Basis), GateError> {
        let work = async |call: Call| {
            let known = self.store.known(&call.wanted("")).await?;
            check(&call, limit, known)
        };
        self.by_newest(tenant, question, work).await
    }

    /// Judges several questions of one tenant, each like [`Gate::check`]. Their customers are read
    /// together, and so are the budgets. One answer per question, in their order.
    pub async fn check_all(
        &self,
        tenant: &str,
        questions: Vec<Checking>,
    ) -> Result<Vec<Result<(Judgment, Basis), GateError>>, GateError> {
        let together = match self.configurations.cached(tenant) {
            Some(configuration) => self.by_cached(tenant, configuration, &questions).await?,
            None => Vec::new(),
        };
        let mut together = together.into_iter();
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            // A stale configuration, or one without the channel, does not answer.
            answers.push(match together.next().flatten() {
                Some(judged) => Ok(judged),
                None => self.check(tenant, question).await,
            });
        }
        Ok(answers)
    }

    /// The answers of a configuration that may be stale; `None` where it does not answer.
    async fn by_cached(
        &self,
        tenant: &str,
        configuration: Arc<Configuration>,
        questions: &[Checking],
    ) -> Result<Vec<Option<(Judgment, Basis)>>, GateError> {
        let is_usable = |checking: &&Checking| {
            usable_channel(&configuration, &checking.question.channel).is_ok()
        };
        let call = |Checking { question, limit }: &Checking| {
            let call = Call {
                tenant: tenant.to_owned(),
                configuration: configuration.clone(),
                is_newest_wanted: true,
                question: question.clone(),
            };
            (call, *limit)
        };
        let calls: Vec<_> = questions.iter().filter(is_usable).map(call).collect();
        let wanted: Vec<_> = calls.iter().map(|(call, _)| call.wanted("")).collect();
        let known = self.store.known_of_all(&wanted).await?;
        let judge = |((call, limit), known): (&(Call, _), _)| check(call, *limit, known).ok();
        let mut judged = calls.iter().zip(known).map(judge);
        let answer = |checking: &Checking| {
            if is_usable(&checking) { judged.next().flatten() } else { None }
        };
        Ok(questions.iter().map(answer).collect())
    }

    /// Judges by recorded facts and the policies at a revision.
    pub async fn replay(
        &self,
        tenant: &str,
        revision: i64,
        question: Arc<Question>,
        facts: &Facts,
        limit: Option<usize>,
    ) -> Result<Judgment, GateError> {
        let found = self.configurations.at(tenant, revision).await?;
        let configuration = found.ok_or(GateError::UnknownRevision(revision))?;
        usable_channel(&configuration, &question.channel)?;
        let tenant = tenant.to_owned();
        let call = Call { tenant, configuration, is_newest_wanted: false, question };
        Ok(call.evaluate(facts, limit))
    }

    /// The facts that policies judge a customer by, whatever the offer. Undelivered outcomes are
    /// not among them.
    pub async fn facts(
        &self,
        tenant: &str,
        configuration: Arc<Configuration>,
        customer_id: &str,
    ) -> Result<Facts, GateError> {
        let call = Call::about(tenant, configuration, customer_id, self.store.now());
        let known = self.store.known(&call.wanted("")).await?;
        Ok(call.open(known)?.1)
    }
}

pub(super) fn check(
    call: &Call,
    limit: Option<usize>,
    known: Known,
) -> Result<(Judgment, Basis), GateError> {
    let (_, facts) = call.open(known)?;
    let judgment = call.evaluate(&facts, limit);
    Ok((judgment, call.basis(facts)))
}
