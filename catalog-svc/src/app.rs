//! Wires the service: opens the store, builds the gRPC services, names them for reflection.

use std::time::Duration;

use anyhow::Context as _;
use database::{Database, Location, PoolSizes};
use history::History;
use serve::{Clock, Readiness, Task};
use tonic::service::Routes;

use crate::{
    grpc::{self, Context, Lookups},
    store::{self, Records},
};

/// What the service needs from outside.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where instants come from.
    pub clock: Clock,
}

/// The service, bound to nothing.
#[derive(Clone, Debug)]
pub struct App {
    context: Context,
    readiness: Readiness,
}

impl App {
    /// Names of the services, for reflection.
    pub const SERVICES: &'static [&'static str] = grpc::SERVICES;

    /// Opens and migrates the store.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let steps = [history::migrations(), store::migrations()];
        let database = Database::open(location, "catalog", PoolSizes::default(), &steps)
            .await
            .context("open the store")?;
        let history = History::new(database.clone());
        let context = Context {
            records: Records::new(database),
            history,
            clock: deps.clock,
            import_idle_max: grpc::IMPORT_IDLE_MAX,
        };
        let readiness = Readiness::default();
        readiness.set(true);
        Ok(Self { context, readiness })
    }

    /// With another longest wait for the next piece of a file; 30 s by default.
    #[must_use]
    pub fn with_import_idle_max(mut self, idle_max: Duration) -> Self {
        self.context.import_idle_max = idle_max;
        self
    }

    /// The services.
    pub fn routes(&self) -> Routes {
        grpc::routes(&self.context)
    }

    /// The lookups that decisions need, for a decision-svc in the same process.
    pub fn lookups(&self) -> Lookups {
        Lookups::new(self.context.clone())
    }

    /// Work beside the services: none.
    pub fn tasks(&self) -> Vec<Task> {
        Vec::new()
    }

    /// Whether the service may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
