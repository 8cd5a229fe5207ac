//! Judgments that write nothing: of one customer, of many, and of recorded facts.

use std::sync::Arc;

use super::{Basis, Call, Gate, GateError, newest::usable_channel};
use crate::{
    domain::{configuration::Configuration, facts::Facts, question::Question, verdict::Judgment},
    store::Known,
};

impl Gate {
    /// Judges like [`Gate::reserve`] and writes nothing.
    pub async fn check(
        &self,
        tenant: &str,
        question: Arc<Question>,
    ) -> Result<(Judgment, Basis), GateError> {
        let work = async |call: Call| {
            let known = self.store.known(&call.wanted("")).await?;
            check(&call, known)
        };
        self.by_newest(tenant, question, work).await
    }

    /// Judges several questions of one tenant, each like [`Gate::check`]. Their customers are read
    /// together, and so are the budgets. One answer per question, in their order.
    pub async fn check_all(
        &self,
        tenant: &str,
        questions: Vec<Arc<Question>>,
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
        questions: &[Arc<Question>],
    ) -> Result<Vec<Option<(Judgment, Basis)>>, GateError> {
        let is_usable =
            |question: &&Arc<Question>| usable_channel(&configuration, &question.channel).is_ok();
        let call = |question: &Arc<Question>| Call {
            tenant: tenant.to_owned(),
            configuration: configuration.clone(),
            is_newest_wanted: true,
            question: question.clone(),
        };
        let calls: Vec<_> = questions.iter().filter(is_usable).map(call).collect();
        let wanted: Vec<_> = calls.iter().map(|call| call.wanted("")).collect();
        let known = self.store.known_of_all(&wanted).await?;
        let mut judged = calls.iter().zip(known).map(|(call, known)| check(call, known).ok());
        let answer = |question: &Arc<Question>| {
            if is_usable(&question) { judged.next().flatten() } else { None }
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

fn check(call: &Call, known: Known) -> Result<(Judgment, Basis), GateError> {
    let (_, facts) = call.open(known)?;
    let judgment = call.evaluate(&facts, None);
    Ok((judgment, call.basis(facts)))
}
