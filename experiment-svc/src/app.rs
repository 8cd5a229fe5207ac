//! Wires the service: opens the store, builds the gRPC services, names them for reflection.

use std::sync::Arc;

use anyhow::Context as _;
use database::{Database, Location, PoolSizes};
use history::{History, Log, LogServer};
use proffer_proto::experiment::v1::{
    self as proto, experiment_service_server::ExperimentServiceServer,
    ledger_service_server::LedgerServiceServer,
};
use serve::{Clock, Readiness, Task};
use tonic::service::Routes;

use crate::{
    grpc::{
        ANSWER_BYTES_MAX, Context, DELIVERY_BYTES_MAX, REQUEST_BYTES_MAX, experiment::Experiments,
        ledger::Ledger,
    },
    names::KnownNames,
    store::{self, Store},
    telemetry,
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
        history::LOG_SERVICE,
    ];

    /// Opens and migrates the store and puts the service together.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let migrations = [history::migrations(), store::migrations()];
        let database = Database::open(location, "experiment", PoolSizes::default(), &migrations)
            .await
            .context("open the store of experiment-svc")?;
        let history = History::new(database.clone());
        let known = KnownNames::new(&history);
        let context = Context { store: Store::new(database), history, known, clock: deps.clock };
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
        let log = self.log().served();
        Routes::builder().routes().add_service(experiments).add_service(ledger).add_service(log)
    }

    /// The ledger, for callers in the same process.
    pub fn ledger(&self) -> Ledger {
        Ledger(self.context.clone())
    }

    /// Its log, for services in the same process.
    pub fn log(&self) -> LogServer {
        LogServer::new(self.context.history.clone(), Vec::new)
    }

    /// Follows the log of decision-svc from now on, for the flows in it.
    pub fn follow(&self, decision: Arc<Log>) {
        self.context.known.connect(decision);
    }

    /// Work beside the listener: binding experiments to flows that have appeared, and metrics.
    pub fn tasks(&self) -> Vec<Task> {
        let bound = history::keep_bound!(self.context.clone(), proto::Experiment);
        let report = telemetry::report(self.context.clone());
        vec![Box::pin(bound), Box::pin(report)]
    }

    /// Whether it may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
