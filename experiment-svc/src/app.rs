//! Wires the service: opens the store, builds the gRPC services, names them for reflection.

use std::sync::Arc;

use anyhow::Context as _;
use chrono::TimeDelta;
use database::{Database, DatabaseError, Location};
use history::{History, Log, LogServer};
use proffer_proto::experiment::v1::{
    self as proto, effect_model_service_server::EffectModelServiceServer,
    experiment_service_server::ExperimentServiceServer, ledger_service_server::LedgerServiceServer,
};
use serve::{Clock, Deleted, Neighbour, Pace, Readiness, RetentionSettings, Task, follow_store};
use tonic::service::Routes;

use crate::{
    grpc::{
        ANSWER_BYTES_MAX, Context, DELIVERY_BYTES_MAX, REQUEST_BYTES_MAX,
        effect_model::{EffectModels, retrain},
        experiment::Experiments,
        ledger::Ledger,
        upkeep,
    },
    names::KnownNames,
    neighbours::contact,
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
    database: Database,
    retention: RetentionSettings,
    policy: Option<Neighbour>,
}

impl App {
    /// Full names of its services.
    pub const SERVICES: &'static [&'static str] = &[
        "proffer.experiment.v1.EffectModelService",
        "proffer.experiment.v1.ExperimentService",
        "proffer.internal.experiment.v1.LedgerService",
        history::LOG_SERVICE,
    ];

    /// Opens and migrates the store and puts the service together.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let database =
            store::schema().open(location).await.context("open the store of experiment-svc")?;
        let history = History::new(database.clone());
        let known = KnownNames::new(&history);
        let store_of = Store::new(database.clone());
        let clock = deps.clock;
        let (recomputes, trainings) = Default::default();
        let context = Context { store: store_of, history, known, clock, recomputes, trainings };
        let readiness = Readiness::default();
        readiness.set(true);
        Ok(Self {
            context,
            readiness,
            database,
            retention: RetentionSettings::default(),
            policy: None,
        })
    }

    /// With policy-svc, whose contacts are followed.
    #[must_use]
    pub fn with_policy(mut self, policy: Neighbour) -> Self {
        self.policy = Some(policy);
        self
    }

    /// With limits on how long outcomes are kept; by default they stay for ever.
    #[must_use]
    pub fn with_retention(mut self, settings: RetentionSettings) -> Self {
        self.retention = settings;
        self
    }

    /// Deletes outcomes and contacts that are past their limit and that no experiment counts;
    /// returns how many rows of each table. [`Self::tasks`] repeats it.
    pub async fn delete_old_rows(&self, pace: Pace) -> anyhow::Result<Deleted> {
        let (mut deleted, mut failed) = (Deleted::new(), None);
        for tenant in self.context.store.tenants().await? {
            // What fails for one tenant keeps no other from it.
            if let Err(error) = self.delete_rows_of(&tenant, pace, &mut deleted).await {
                tracing::warn!(tenant, %error, "old rows were not deleted");
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(deleted), |error| Err(error.into()))
    }

    async fn delete_rows_of(
        &self,
        tenant: &str,
        pace: Pace,
        deleted: &mut Deleted,
    ) -> Result<(), DatabaseError> {
        let (store, now) = (&self.context.store, self.context.clock.now());
        let before_us = |kind: &str| {
            let days = self.retention.days(tenant, kind)?;
            let before = now.checked_sub_signed(TimeDelta::days(days.into()))?;
            Some(before.timestamp_micros())
        };
        if let Some(before_us) = before_us("outcomes") {
            let delete = || store.delete_outcomes(tenant, before_us);
            pace.sweep("outcome", deleted, delete).await?;
        }
        if let Some(before_us) = before_us("contacts") {
            let delete = || store.delete_contacts(tenant, before_us);
            pace.sweep("contact", deleted, delete).await?;
        }
        Ok(())
    }

    /// Writes what experiments count that a process of another version has written; `adopted` says
    /// what was looked at already. [`Self::tasks`] repeats it each 10 seconds.
    pub async fn adopt(&self, adopted: &mut upkeep::Adopted) -> Result<(), tonic::Status> {
        upkeep::adopt(&self.context, adopted).await
    }

    /// Counts the customers of experiments again whose rules have changed or that an earlier
    /// version of this service left; [`Self::tasks`] repeats it each second.
    pub async fn count_again(&self) -> Result<usize, tonic::Status> {
        upkeep::adopt(&self.context, &mut upkeep::Adopted::new()).await?;
        upkeep::close(&self.context).await?;
        upkeep::count_again(&self.context).await
    }

    /// Folds the sums of windows that have closed; returns how many rows went. [`Self::tasks`]
    /// repeats it each minute.
    pub async fn fold(&self) -> Result<u64, tonic::Status> {
        upkeep::fold(&self.context).await
    }

    /// Computes the figures of large experiments that were asked for; returns how many.
    /// [`Self::tasks`] repeats it each second.
    pub async fn recompute(&self) -> Result<usize, tonic::Status> {
        upkeep::recompute(&self.context).await
    }

    /// Takes the snapshots of the day; [`Self::tasks`] repeats it each minute.
    pub async fn take_snapshots(&self) -> Result<(), tonic::Status> {
        upkeep::snapshot(&self.context).await
    }

    /// Learns effect models again whose flows say so; returns how many new versions there are.
    /// [`Self::tasks`] repeats it each minute.
    pub async fn retrain(&self, tried: &mut retrain::Tried) -> Result<usize, tonic::Status> {
        retrain::retrain(&self.context, tried).await
    }

    /// Counts every customer of every open experiment again; [`Self::tasks`] repeats it each day.
    pub async fn recount(&self) -> Result<(), tonic::Status> {
        upkeep::recount(&self.context).await
    }

    /// Where everything is kept.
    pub fn store(&self) -> &Store {
        &self.context.store
    }

    /// Its gRPC services.
    pub fn routes(&self) -> Routes {
        let experiments = ExperimentServiceServer::new(Experiments(self.context.clone()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let effect_models = EffectModelServiceServer::new(EffectModels(self.context.clone()))
            .max_decoding_message_size(REQUEST_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let ledger = LedgerServiceServer::new(Ledger(self.context.clone()))
            .max_decoding_message_size(DELIVERY_BYTES_MAX)
            .max_encoding_message_size(ANSWER_BYTES_MAX);
        let log = self.log().served();
        Routes::builder()
            .routes()
            .add_service(experiments)
            .add_service(effect_models)
            .add_service(ledger)
            .add_service(log)
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

    /// The store, to be closed when the process ends.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Work beside the listener: binding experiments to flows that have appeared, counting
    /// customers again where that is needed, following contacts, deleting old rows, readiness
    /// and metrics.
    pub fn tasks(&self) -> Vec<Task> {
        let app = self.clone();
        let retention = serve::retention_task("experiment", move |pace| {
            let app = app.clone();
            async move { app.delete_old_rows(pace).await }
        });
        let store = follow_store(self.readiness.clone(), self.database.presence());
        let bound =
            history::keep_bound!(self.context.clone(), proto::Experiment, proto::EffectModel);
        let report = telemetry::report(self.context.clone());
        let upkeep = upkeep::run(self.context.clone());
        let recompute = upkeep::run_recompute(self.context.clone());
        let retrain = retrain::run(self.context.clone());
        let contacts = self.policy.clone().map(|policy| {
            let followed: Task = Box::pin(contact::follow(self.context.clone(), policy));
            followed
        });
        let mut tasks: Vec<Task> = vec![
            Box::pin(bound),
            retention,
            store,
            Box::pin(report),
            Box::pin(upkeep),
            Box::pin(recompute),
            Box::pin(retrain),
        ];
        tasks.extend(contacts);
        tasks
    }

    /// Whether it may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}
