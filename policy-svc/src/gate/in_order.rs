//! Answers the questions of one call in their order when the tenant has a budget: each question is
//! judged after what the earlier ones took. So a check answers what a reservation in its place
//! would.

use std::sync::Arc;

use super::{
    Basis, Call, Checking, Gate, GateError, Order, ReserveAnswer,
    check::check,
    newest::{TRIES_MAX, usable_channel},
    reserve::reserve,
};
use crate::{
    domain::{configuration::Configuration, question::Question, verdict::Judgment},
    store::{Entry, Known, Wanted},
};

/// One of several questions.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Holds slots.
    Reserve(Arc<Question>, Order),
    /// Only judges.
    Check(Checking),
}

/// The answer to one of several questions.
#[derive(Clone, Debug)]
pub enum Answered {
    /// What was reserved.
    Reserved(ReserveAnswer),
    /// What was judged.
    Checked(Box<(Judgment, Basis)>),
}

impl Asked {
    /// The question.
    pub fn question(&self) -> &Arc<Question> {
        match self {
            Self::Reserve(question, _) | Self::Check(Checking { question, .. }) => question,
        }
    }

    /// True when it holds slots.
    pub fn is_reserve(&self) -> bool {
        matches!(self, Self::Reserve(..))
    }

    fn refused(&self, error: GateError) -> GateError {
        match self {
            Self::Reserve(_, order) => order.refused(error),
            Self::Check(_) => error,
        }
    }

    /// What is read, judged and written of it.
    fn entry(&self, call: Call) -> Entry<Answered, GateError> {
        match self.clone() {
            Self::Reserve(_, order) => Entry {
                wanted: Wanted { request_key: order.request_key(), ..call.wanted("") },
                is_writing: true,
                judge: Box::new(move |known: Known| {
                    let (change, answer) = reserve(&call, &order, known)?;
                    Ok((change, Answered::Reserved(answer)))
                }),
            },
            Self::Check(Checking { limit, .. }) => Entry {
                wanted: call.wanted(""),
                is_writing: false,
                judge: Box::new(move |known: Known| {
                    Ok((None, Answered::Checked(Box::new(check(&call, limit, known)?))))
                }),
            },
        }
    }
}

impl Gate {
    /// True when what one customer gets may be missing to the next: the tenant has a budget.
    pub async fn has_budgets(&self, tenant: &str) -> Result<bool, GateError> {
        let configuration = match self.configurations.cached(tenant) {
            Some(configuration) => configuration,
            None => self.configurations.newest(tenant).await?,
        };
        Ok(configuration.budgets().next().is_some())
    }

    /// Answers questions about different customers, judged in their order and committed together.
    pub async fn in_order(
        &self,
        tenant: &str,
        asked: &[Asked],
    ) -> Result<Vec<Result<Answered, GateError>>, GateError> {
        let mut answers: Vec<Option<Result<Answered, GateError>>> = Vec::new();
        answers.resize_with(asked.len(), || None);
        let mut cached = self.configurations.cached(tenant);
        for attempt in 1..=TRIES_MAX {
            let configuration = match cached.take() {
                Some(configuration) if are_usable(&configuration, asked) => configuration,
                _ => self.configurations.newest(tenant).await?,
            };
            let open = asked.iter().zip(&mut answers).filter(|(_, answer)| answer.is_none());
            let (mut waiting, mut entries) = (Vec::new(), Vec::new());
            for (asked, answer) in open {
                match usable_channel(&configuration, &asked.question().channel) {
                    Err(error) => *answer = Some(Err(error)),
                    Ok(()) => {
                        let call = Call {
                            tenant: tenant.to_owned(),
                            configuration: configuration.clone(),
                            is_newest_wanted: attempt < TRIES_MAX,
                            question: asked.question().clone(),
                        };
                        entries.push(asked.entry(call));
                        waiting.push((asked, answer));
                    }
                }
            }
            if entries.is_empty() {
                break;
            }
            let written = self.store.write_in_order(entries).await;
            for ((asked, answer), written) in waiting.into_iter().zip(written) {
                // One that was overtaken by new configuration is asked again.
                if !matches!(written, Err(GateError::Stale)) || attempt == TRIES_MAX {
                    *answer = Some(written.map_err(|error| asked.refused(error)));
                }
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Err(GateError::Stale))).collect())
    }
}

fn are_usable(configuration: &Configuration, asked: &[Asked]) -> bool {
    let mut channels = asked.iter().map(|asked| &asked.question().channel);
    channels.all(|channel| usable_channel(configuration, channel).is_ok())
}
