//! The gRPC services: each parses a request, calls the domain or the store, and prints the answer.
//! This file has the context that they share and the limits of message sizes.

mod assignment;
pub mod effect_model;
pub mod experiment;
mod failures;
mod import;
pub mod leak;
pub mod ledger;
mod past;
mod plan;
mod recompute;
mod resource;
mod results;
pub mod sample_ratio;
pub mod training;
pub mod upkeep;

use history::{History, ServiceContext};
pub use resource::plan_of;
use serve::Clock;
use wire::{instant::parse as instant, text::id_fault};

use crate::{names::KnownNames, store::Store};

/// Bytes of a request.
pub const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a delivery.
pub const DELIVERY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What every service here works with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The ledger, and which experiment runs on a flow.
    pub store: Store,
    /// The log of the experiments.
    pub history: History,
    /// What references are resolved against.
    pub(crate) known: KnownNames,
    /// Every instant the service writes comes from it.
    pub clock: Clock,
    /// Figures that need the customers one by one.
    pub(crate) recomputes: recompute::Recomputes,
    /// How many effect models are learned at once.
    pub(crate) trainings: effect_model::Trainings,
}

impl ServiceContext for Context {
    fn history(&self) -> &History {
        &self.history
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}
