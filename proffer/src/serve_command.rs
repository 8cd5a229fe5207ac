//! `proffer serve`: all five services on the data of the user.

use std::net::SocketAddr;

use clap::builder::BoolishValueParser;
use proffer::suite::{Addresses, Suite, Tuning};
use serve::{
    Clock, Limits, Shutdown, shutdown_on_signal,
    telemetry::{LogSettings, Telemetry},
};

/// Settings of `proffer serve`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Address of REST and gRPC.
    #[arg(long, env = "PROFFER_LISTEN", default_value = "127.0.0.1:8080",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_ADMIN_LISTEN", default_value = "127.0.0.1:9090",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// Who may call, and how often.
    #[command(flatten)]
    pub door: gateway::DoorSettings,
    /// How long a decision waits for newer configuration.
    #[command(flatten)]
    pub snapshot: decision_svc::SnapshotSettings,
    /// How many offers and categories a tenant may have.
    #[command(flatten)]
    pub catalog: catalog_svc::LimitSettings,
    /// How many flows a tenant may have.
    #[command(flatten)]
    pub flows: decision_svc::FlowSettings,
    /// How long decisions, outcomes and contacts are kept.
    #[command(flatten)]
    pub retention: serve::RetentionSettings,
    /// The database.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// Log filter, for example `info` or `warn,decision_svc=debug`.
    #[arg(long, env = "PROFFER_LOG", default_value = "warn", value_parser = serve::log_filter)]
    pub log: String,
    /// Write logs as JSON, one object per line.
    #[arg(long, env = "PROFFER_LOG_JSON", value_parser = BoolishValueParser::new())]
    pub log_json: bool,
    /// Traces and metrics for a collector.
    #[command(flatten)]
    pub otlp: serve::telemetry::OtlpSettings,
    /// Metrics by tenant.
    #[command(flatten)]
    pub by_tenant: serve::telemetry::TenantSettings,
    /// Bytes and connections.
    #[command(flatten)]
    pub listeners: serve::ListenSettings,
    /// Turn gRPC reflection off.
    #[arg(long = "no-reflection", env = "PROFFER_NO_REFLECTION",
        value_parser = BoolishValueParser::new())]
    pub no_reflection: bool,
    /// How it stops.
    #[command(flatten)]
    pub stop: serve::StopSettings,
    /// The settings file.
    #[command(flatten)]
    pub source: serve::SourceSettings,
}

impl Settings {
    /// What is wrong with settings that are right one by one.
    pub fn faults(&self) -> Vec<String> {
        self.door.faults(self.listen)
    }
}

/// Serves until SIGTERM or SIGINT and the drain delay.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let log = LogSettings { filter: &settings.log, is_json: settings.log_json };
    let telemetry = Telemetry::start("proffer", log, &settings.otlp)?;
    let doors = settings.door.config(settings.listen, !settings.no_reflection)?;
    let (asked, shutdown) = (shutdown_on_signal()?, Shutdown::new());
    let addresses = Addresses { listen: settings.listen, admin_listen: settings.admin_listen };
    let location = settings.store.location();
    let tuning = Tuning {
        snapshot_wait_max: settings.snapshot.wait_max(),
        retention: settings.retention.clone(),
        catalog: settings.catalog.clone(),
        flows: settings.flows,
        limits: Limits { tenants: settings.by_tenant.labels(), ..settings.listeners.limits() },
    };
    let suite = Suite::start(
        &location,
        addresses,
        doors,
        tuning,
        Clock::system(),
        telemetry.figures.clone(),
        &shutdown,
    )
    .await?;
    settings.stop.follow(asked, suite.readiness(), shutdown.clone());
    let place = match &settings.store.place.database_url {
        Some(_) => "PostgreSQL".to_owned(),
        None => settings.store.place.data.display().to_string(),
    };
    let address = suite.address;
    tokio::select! {
        () = suite.ready() => {
            println!("proffer is ready: REST and gRPC on http://{address}, data in {place}");
        }
        () = shutdown.cancelled() => {}
    }
    let served = suite.finish().await;
    telemetry.stop().await;
    served
}
