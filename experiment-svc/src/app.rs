//! Wires the service: opens the store, builds the gRPC services, names them for reflection.

use anyhow::Context as _;
use database::{Database, Location, PoolSizes};
use history::History;
use proffer_proto::experiment::v1::{
    experiment_service_server::ExperimentServiceServer, ledger_service_server::LedgerServiceServer,
};
use serve::{Clock, Readiness, Task};
use tonic::service::Routes;

use crate::{
    grpc::{
        ANSWER_BYTES_MAX, Context, DELIVERY_BYTES_MAX, REQUEST_BYTES_MAX, experiment::Experiments,
        ledger::Ledger,
    },
    store::{self, Store},
};

/// What the service needs from its process.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Every instant the service writes comes from it.
    pub clock: Clock,
}

/// The whole service; cheap to clone.
#[derive(Clone)]
pub struct App {
    context: Context,
    readiness: Readiness,
}

impl App {
    /// Full names of its services.
    pub const SERVICES: &'static [&'static str] = &[
        "proffer.experiment.v1.ExperimentService",
        "proffer.internal.experiment.v1.LedgerService",
    ];

    /// Opens and migrates the store and puts the service together.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let migrations = [history::migrations(), store::migrations()];
        let database = Database::open(location, "experiment", PoolSizes::default(), &migrations)
            .await
            .context("open the store of experiment-svc")?;
        let history = History::new(database.clone());
        let context = Context { store: Store::new(database), history, clock: deps.clock };
        let readiness = Readiness::default();
        readiness.set(true);
        Ok(Self { context, readiness })
    }

    /// Its gRPC services.
    pub fn routes(&self) -> Routes {
        let experiments = ExperimentServiceServer::new(Experiments(self.context.clone()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let ledger = LedgerServiceServer::new(Ledger(self.context.clone()))
            .max_decoding_message_size(DELIVERY_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        Routes::builder().routes().add_service(experiments).add_service(ledger)
    }

    /// The ledger, for callers in the same process.
    pub fn ledger(&self) -> Ledger {
        Ledger(self.context.clone())
    }

    /// Work beside the listener: none, every answer is computed when it is asked for.
    pub fn tasks(&self) -> Vec<Task> {
        Vec::new()
    }

    /// Whether it may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
