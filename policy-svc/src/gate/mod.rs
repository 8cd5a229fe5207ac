//! The gate that every contact passes, one use case per file. A use case says what it must know of
//! a customer, judges, and says what to write. The store reads and writes.

mod call;
mod check;
mod commit;
mod consent;
mod in_order;
pub mod kept;
mod newest;
mod outcomes;
mod release;
mod reserve;

use std::sync::Arc;

use database::DatabaseError;
use history::HistoryError;

use crate::{configuration::Configurations, domain::configuration::Configuration, store::Store};

pub use self::{
    call::{Basis, Call},
    check::Checking,
    commit::Committed,
    consent::{NewConsent, PutConsent},
    in_order::{Answered, Asked},
    kept::{Grant, Reserved},
    reserve::{Order, ReserveAnswer},
};

/// The use cases. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    store: Store,
    configurations: Configurations,
}

/// Why the gate does not answer. A refused contact is an answer.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The ledger failed.
    #[error(transparent)]
    Store(#[from] DatabaseError),
    /// The configuration cannot be read.
    #[error(transparent)]
    Configuration(#[from] HistoryError),
    /// There is a newer configuration than the one that was used.
    #[error("the configuration has changed")]
    Stale,
    /// The caller planned with an older configuration than this revision.
    #[error("the policies are at revision {0}, newer than the caller's")]
    CallerBehind(i64),
    /// The log has not reached the revision.
    #[error("policy revision {0} does not exist")]
    UnknownRevision(i64),
    /// There is no channel of this id or name.
    #[error("channel `{0}` does not exist")]
    UnknownChannel(String),
    /// The channel takes no part in decisions.
    #[error("channel `{named}` is {status}")]
    InactiveChannel {
        /// The channel as the question names it.
        named: String,
        /// Its id.
        id: String,
        /// Its status.
        status: &'static str,
    },
    /// The decision reserved before, for another request.
    #[error("decision `{0}` has reserved before")]
    DecisionUsed(String),
    /// The contact of that decision and rank is about another offer or channel.
    #[error("the contact is about offer `{offer_id}` on channel `{channel}`")]
    OtherContact {
        /// Its offer.
        offer_id: String,
        /// Its channel.
        channel: String,
    },
}

impl Gate {
    /// The gate to this ledger.
    pub fn new(store: Store, configurations: Configurations) -> Self {
        Self { store, configurations }
    }
}

/// The configuration when it has budgets; the writer locks them.
fn budgets(configuration: &Arc<Configuration>) -> Option<Arc<Configuration>> {
    configuration.budgets().next().map(|_| configuration.clone())
}
