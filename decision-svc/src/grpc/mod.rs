//! The services: a method reads its request, calls a use case of [`deciding`](crate::deciding) and
//! writes the response.

pub mod batch;
pub mod candidate;
pub mod configuration;
pub mod decision;
pub mod decision_flow;
mod decision_list;
pub mod explain;
pub mod model;
pub mod outcome;
mod outcome_list;
mod range;
pub mod report;
pub mod weight_profile;

use history::{History, ServiceContext};
use serve::Clock;
use tonic::Status;

use crate::{deciding::whole_flow::WholeFlows, names::KnownNames, neighbours::follow::Followers};

/// What the services of flows, weight profiles and models work with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The log these are in.
    pub history: History,
    /// Flows with the weight profile and model that they name.
    pub whole_flows: WholeFlows,
    /// What references are resolved against.
    pub known: KnownNames,
    /// Snapshots, for warnings about the catalog.
    pub followers: Followers,
    /// The time.
    pub clock: Clock,
    /// How many flows a tenant may have.
    pub flows: crate::FlowSettings,
}

impl ServiceContext for Context {
    fn history(&self) -> &History {
        &self.history
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Bytes of a request; bulk reports are larger.
pub const REQUEST_BYTES_MAX: usize = 256 * 1024;
/// Bytes of an answer.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a bulk request.
pub const BULK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Runs `work` in a task of its own, so that it finishes when the caller disconnects.
async fn spawned<T: Send + 'static>(
    work: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    tokio::spawn(serve::carried(work)).await.map_err(|error| serve::internal(&error))?
}
