//! Wires the service: store, gRPC services, background tasks.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use database::{Database, Location};
use history::{History, Log, LogServer};
use proffer_proto::policy::v1 as proto;
use serve::{Clock, Deleted, Pace, Readiness, RetentionSettings, Task, follow_store};
use tonic::service::Routes;

use crate::{
    domain::lapse::lapsed_share,
    grpc,
    retention::Retention,
    store,
    store::{Drift, Store},
    telemetry::{self, LapsedShare, LapsedShares},
};

/// How often answers kept for retries are purged.
const PURGE_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How often budgets are compared with the contacts they count.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// How often lapsed reservations are counted.
const LAPSE_INTERVAL: Duration = Duration::from_secs(60);

/// What the service needs from outside.
#[derive(Clone, Debug)]
pub struct Deps {
    /// Where instants come from.
    pub clock: Clock,
}

/// The service, bound to nothing.
#[derive(Clone, Debug)]
pub struct App {
    context: grpc::Context,
    readiness: Readiness,
    database: Database,
    retention: Retention,
    lapsed: LapsedShares,
}

impl App {
    /// Names of the services, for reflection.
    pub const SERVICES: &'static [&'static str] = &[
        "proffer.policy.v1.ChannelService",
        "proffer.policy.v1.ContactPolicyService",
        "proffer.policy.v1.SettingsService",
        "proffer.policy.v1.ConsentService",
        "proffer.policy.v1.ContactService",
        "proffer.internal.policy.v1.ContactGateService",
        "proffer.internal.policy.v1.ContactLedgerService",
        history::LOG_SERVICE,
    ];

    /// Opens and migrates the store.
    pub async fn build(location: &Location, deps: Deps) -> anyhow::Result<Self> {
        let database = store::schema().open(location).await.context("open the store")?;
        let history = History::new(database.clone());
        let store = Store::new(database.clone(), deps.clock.clone());
        telemetry::describe();
        let readiness = Readiness::default();
        readiness.set(true);
        let context = grpc::Context::new(store.clone(), history.clone(), deps.clock.clone());
        let retention = Retention {
            store,
            history,
            configurations: context.configurations.clone(),
            settings: RetentionSettings::default(),
            clock: deps.clock,
        };
        let lapsed = LapsedShares::default();
        Ok(Self { context, readiness, database, retention, lapsed })
    }

    /// With limits on how long contacts and outcomes are kept; by default they stay for ever.
    #[must_use]
    pub fn with_retention(mut self, settings: RetentionSettings) -> Self {
        self.retention.settings = settings;
        self
    }

    /// Deletes the rows that are due now; returns how many of each table. [`Self::tasks`] repeats
    /// it.
    pub async fn delete_old_rows(&self, pace: Pace) -> anyhow::Result<Deleted> {
        self.retention.once(pace).await
    }

    /// The services.
    pub fn routes(&self) -> Routes {
        grpc::routes(&self.context)
    }

    /// The gate, for services in the same process.
    pub fn gate(&self) -> grpc::GateService {
        grpc::GateService(self.context.clone())
    }

    /// The channels, for services in the same process.
    pub fn channels(&self) -> grpc::Channels {
        grpc::Channels(self.context.clone())
    }

    /// The contacts that happened, for services in the same process.
    pub fn contact_ledger(&self) -> grpc::ContactLedger {
        grpc::ContactLedger(self.context.clone())
    }

    /// Its log, for services in the same process.
    pub fn log(&self) -> LogServer {
        LogServer::new(self.context.history.clone(), Vec::new)
    }

    /// Follows the log of catalog-svc from now on, for the names in it.
    pub fn follow(&self, catalog: Arc<Log>) {
        self.context.known.connect(catalog);
    }

    /// The store, to be closed when the process ends.
    pub fn database(&self) -> Database {
        self.database.clone()
    }

    /// Work beside the services: purging old answers, deleting old rows, reconciling budgets,
    /// binding references to what has appeared, and readiness.
    pub fn tasks(&self) -> Vec<Task> {
        let purge = every(PURGE_INTERVAL, self.clone(), async |app| match app.purge().await {
            Ok(0) => {}
            Ok(purged) => tracing::info!(purged, "old answers purged"),
            Err(error) => tracing::warn!(%error, "old answers were not purged"),
        });
        let reconcile =
            every(RECONCILE_INTERVAL, self.clone(), async |app| match app.reconcile().await {
                Ok(found) => report(found),
                Err(error) => tracing::warn!(%error, "budgets were not reconciled"),
            });
        let lapse = every(LAPSE_INTERVAL, self.clone(), async |app| {
            if let Err(error) = app.report_lapses().await {
                tracing::warn!(%error, "lapsed reservations were not counted");
            }
        });
        let context = self.context.clone();
        let bind = history::keep_bound!(context, proto::ContactPolicy, proto::Channel);
        let store = follow_store(self.readiness.clone(), self.database.presence());
        let rows = self.retention.clone();
        let retention = serve::retention_task("policy", move |pace| {
            let rows = rows.clone();
            async move { rows.once(pace).await }
        });
        let (purge, reconcile) = (Box::pin(purge), Box::pin(reconcile));
        vec![purge, reconcile, Box::pin(lapse), Box::pin(bind), store, retention]
    }

    /// Removes answers that were kept for retries and are too old; returns how many.
    /// [`Self::tasks`] repeats it.
    pub async fn purge(&self) -> Result<u64, database::DatabaseError> {
        self.context.store.purge_requests().await
    }

    /// Compares budgets with the contacts they count and repairs what allows too many; returns what
    /// it found. [`Self::tasks`] repeats it.
    pub async fn reconcile(&self) -> anyhow::Result<Drift> {
        let mut found = Drift::default();
        for tenant in self.context.store.tenants_with_budgets().await? {
            let configuration = self.context.configurations.newest(&tenant).await?;
            found += self.context.store.reconcile(&tenant, &configuration).await?;
        }
        Ok(found)
    }

    /// Sets the metric of lapsed reservations of every policy. [`Self::tasks`] repeats it.
    async fn report_lapses(&self) -> anyhow::Result<()> {
        let mut shares = Vec::new();
        for tenant in self.context.configurations.tenants() {
            let ended = self.context.lapses.ended(&tenant).await?;
            let configuration = self.context.configurations.newest(&tenant).await?;
            for policy in &configuration.policies {
                let share = lapsed_share(&policy.scope, &ended).unwrap_or_default();
                shares.push(LapsedShare {
                    tenant: tenant.clone(),
                    policy: policy.id.clone(),
                    share,
                });
            }
        }
        self.lapsed.set(&shares);
        Ok(())
    }

    /// Whether the service may be sent work.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }
}

/// Does `work` now and after each interval.
async fn every(interval: Duration, app: App, work: impl AsyncFn(&App)) {
    let mut tick = tokio::time::interval(interval);
    loop {
        tick.tick().await;
        work(&app).await;
    }
}

fn report(found: Drift) {
    for (kind, count) in
        [("missing", found.missing), ("surplus", found.surplus), ("totals", found.totals)]
    {
        metrics::counter!("proffer.policy.budget.drift", "kind" => kind).increment(count as u64);
    }
    if found != Drift::default() {
        tracing::warn!(
            found.missing,
            found.surplus,
            found.totals,
            "budgets had drifted from their contacts"
        );
    }
}
