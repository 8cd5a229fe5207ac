//! Wires the five services together in one process. They call each other directly, without sockets;
//! the calls of a decision also skip the serialization of messages.

use anyhow::Context as _;
use database::{Database, Location};
use serve::{
    Clock, Limits, Listener, Neighbour, Readiness, RetentionSettings, Shutdown, Task, admin,
    show_readiness, spawn_until, telemetry::Figures,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tonic::service::Routes;

/// All five services, listening.
pub struct Suite {
    /// Address of REST and gRPC.
    pub address: SocketAddr,
    running: Vec<JoinHandle<()>>,
    serving: JoinHandle<anyhow::Result<()>>,
    readiness: Readiness,
    stores: Vec<Database>,
}

/// The addresses of a suite.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Of REST and gRPC.
    pub listen: SocketAddr,
    /// Of health checks and metrics.
    pub admin_listen: SocketAddr,
}

/// What an operator may tune.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// How long a decision waits for newer configuration.
    pub snapshot_wait_max: Duration,
    /// How long rows are kept.
    pub retention: RetentionSettings,
    /// Limits of the listeners.
    pub limits: Limits,
    /// How many offers and categories a tenant may have.
    pub catalog: catalog_svc::LimitSettings,
    /// How many flows a tenant may have.
    pub flows: decision_svc::FlowSettings,
}

impl From<Duration> for Tuning {
    /// Decisions wait so long for newer configuration; rows are kept for ever.
    fn from(snapshot_wait_max: Duration) -> Self {
        let (retention, limits) = (RetentionSettings::default(), Limits::default());
        let (catalog, flows) = Default::default();
        Self { snapshot_wait_max, retention, limits, catalog, flows }
    }
}

impl Suite {
    /// Opens the stores, wires the services and starts listening. `figures` are shown at the admin
    /// address.
    pub async fn start(
        location: &Location,
        addresses: Addresses,
        doors: gateway::Config,
        tuning: impl Into<Tuning>,
        clock: Clock,
        figures: Figures,
        shutdown: &Shutdown,
    ) -> anyhow::Result<Self> {
        // Binding comes first, so that an address in use fails before anything is written.
        let Addresses { listen, admin_listen } = addresses;
        let Tuning { snapshot_wait_max, retention, limits, catalog: configurable, flows } =
            tuning.into();
        let public = Limits { is_public: true, ..limits.clone() };
        let listener = Listener::bind_for("--listen", listen, public).await?;
        let admin_listener = Listener::bind_for("--admin-listen", admin_listen, limits).await?;
        let catalog = catalog_svc::App::build(location, catalog_svc::Deps { clock: clock.clone() })
            .await?
            .with_limits(configurable);
        let policy = policy_svc::App::build(location, policy_svc::Deps { clock: clock.clone() })
            .await?
            .with_retention(retention.clone());
        let experiment =
            experiment_svc::App::build(location, experiment_svc::Deps { clock: clock.clone() })
                .await?
                .with_retention(retention.clone())
                .with_policy(Neighbour::local(policy.routes()));
        let neighbours = decision_svc::neighbours::Neighbours {
            catalog: Arc::new(catalog.lookups()),
            gate: Arc::new(policy.gate()),
            channels: Arc::new(policy.channels()),
            experiment: Arc::new(experiment.ledger()),
        };
        let experiments_silence_max = decision_svc::EXPERIMENTS_SILENCE_MAX;
        let deps =
            decision_svc::Deps { clock, neighbours, snapshot_wait_max, experiments_silence_max };
        let decision = decision_svc::App::build(location, deps).await?.with_flows(flows);
        let decision = decision.with_retention(retention);
        catalog.follow(Arc::new(policy.log()));
        policy.follow(Arc::new(catalog.log()));
        decision.follow(decision_svc::names::Logs {
            catalog: Arc::new(catalog.log()),
            policy: Arc::new(policy.log()),
            experiment: Arc::new(experiment.log()),
        });
        experiment.follow(Arc::new(decision.log()));
        let behind = gateway::Neighbours {
            catalog: Neighbour::local(catalog.routes()),
            policy: Neighbour::local(policy.routes()),
            decision: Neighbour::local(decision.routes()),
            experiment: Neighbour::local(experiment.routes()),
        };
        let hosts = doors.hosts();
        let gateway = gateway::Gateway::build(doors, behind)?;

        let stores =
            vec![catalog.database(), policy.database(), experiment.database(), decision.database()];
        let tasks = [catalog.tasks(), policy.tasks(), experiment.tasks(), decision.tasks()];
        let mut tasks: Vec<Task> = tasks.into_iter().flatten().collect();
        let readiness = Readiness::default();
        let parts = [
            ("catalog-svc", catalog.readiness()),
            ("policy-svc", policy.readiness()),
            ("decision-svc", decision.readiness()),
            ("experiment-svc", experiment.readiness()),
        ];
        tasks.extend(parts.map(|(name, part)| readiness.include(name, &part)));
        readiness.set(true);
        tasks.push(show_readiness(&readiness));
        let router = gateway.router(&readiness)?;
        let mut running: Vec<_> =
            tasks.into_iter().map(|task| spawn_until(task, shutdown.clone())).collect();
        let health = admin_listener
            .unobserved()
            .serve(Routes::from(admin(readiness.clone(), figures, Some(hosts))), shutdown.clone());
        running.push(tokio::spawn(async move { drop(health.await) }));
        let address = listener.address()?;
        let serving = tokio::spawn(listener.serve(Routes::from(router), shutdown.clone()));
        Ok(Self { address, running, serving, readiness, stores })
    }

    /// Waits until every service is ready.
    pub async fn ready(&self) {
        self.readiness.ready().await;
    }

    /// Whether it may be sent work: while every service is ready.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Serves until the shutdown, then waits for every task to end.
    pub async fn finish(self) -> anyhow::Result<()> {
        let served = self.serving.await.context("the listener panicked")?;
        for task in self.running {
            drop(task.await);
        }
        serve::close_all(&self.stores).await;
        served
    }
}
