//! Wires the service: opens the store, builds the gRPC services, names them for reflection.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use database::{Database, Location};
use history::{History, Log, LogServer};
use proffer_proto::catalog::v1 as proto;
use serve::{Clock, Readiness, Task, follow_store};
use tonic::service::Routes;

use crate::{
    LimitSettings,
    grpc::{self, Context, Lookups},
    names::KnownNames,
    store::{self, Records},
    telemetry,
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
    database: Database,
}

impl App {
    /// Names of the services, for reflection.
    pub const SERVICES: &'static [&'static str] = &[
        "proffer.catalog.v1.SchemaService",
        "proffer.catalog.v1.RecordService",
        "proffer.catalog.v1.CategoryService",
        "proffer.catalog.v1.OfferService",
        "proffer.catalog.v1.OutcomeTypeService",
        "proffer.catalog.v1.BehavioralMetricService",
        "proffer.catalog.v1.CreativeService",
        "proffer.catalog.v1.PlacementService",
        "proffer.internal.catalog.v1.LookupService",
        history::LOG_SERVICE,
    ];

    /// Opens and migrates the store.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let database = store::schema().open(location).await.context("open the store")?;
        telemetry::describe();
        let history = History::new(database.clone());
        let known = KnownNames::new(grpc::log(&history));
        let records = Records::new(database.clone());
        let (clock, import_idle_max) = (deps.clock, grpc::IMPORT_IDLE_MAX);
        let import_turns = crate::import::Turns::default();
        let limits = LimitSettings::default();
        let context =
            Context { records, history, known, clock, import_idle_max, limits, import_turns };
        let readiness = Readiness::default();
        readiness.set(true);
        Ok(Self { context, readiness, database })
    }

    /// With another longest wait for the next piece of a file; 30 s by default.
    #[must_use]
    pub fn with_import_idle_max(mut self, idle_max: Duration) -> Self {
        self.context.import_idle_max = idle_max;
        self
    }

    /// With other limits on what a tenant may configure.
    #[must_use]
    pub fn with_limits(mut self, limits: LimitSettings) -> Self {
        self.context.limits = limits;
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

    /// Its log, for services in the same process.
    pub fn log(&self) -> LogServer {
        grpc::log(&self.context.history)
    }

    /// Follows the log of policy-svc from now on, for the channels in it.
    pub fn follow(&self, policy: Arc<Log>) {
        self.context.known.connect(policy);
    }

    /// The store, to be closed when the process ends.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Work beside the services: binding references to what has appeared, and readiness.
    pub fn tasks(&self) -> Vec<Task> {
        let store = follow_store(self.readiness.clone(), self.database.presence());
        let bind = history::keep_bound!(
            self.context.clone(),
            proto::Offer,
            proto::Creative,
            proto::Placement,
            proto::BehavioralMetric,
        );
        vec![Box::pin(bind), store]
    }

    /// Whether the service may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
