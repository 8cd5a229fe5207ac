//! Runs one service as a process: reads settings, listens, runs tasks, stops on a signal.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use clap::builder::BoolishValueParser;
use database::Database;
use futures::future::{BoxFuture, join_all};
use tonic::service::Routes;

use crate::{
    Hosts, Limits, Listener, Readiness, Shutdown, StopSettings, Surface, admin, by_protocol,
    show_readiness, shutdown_on_signal,
    telemetry::{self, LogSettings, Telemetry},
};

/// Task polls after which a busy thread polls its sockets and takes tasks woken by other threads.
const LOOK_AFTER: u32 = 7;

/// How long the stop waits for a store to close.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// How long the stop waits for blocking threads.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

/// Runs `work` on the runtime of a process. With tokio's default of 61 polls an overloaded
/// processor sees new calls so late that even a refusal takes a hundred milliseconds.
pub fn block_on<F: Future>(work: F) -> std::io::Result<F::Output> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.enable_all().event_interval(LOOK_AFTER).global_queue_interval(LOOK_AFTER);
    let runtime = threads.build()?;
    let done = runtime.block_on(work);
    // A read of the store may outlive its caller.
    runtime.shutdown_timeout(LEAVE_AFTER);
    Ok(done)
}

/// Runs `work` as the whole of a process. Its error is one line on standard error, without a
/// backtrace: most are wrong settings, or a place that is taken.
pub fn main(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match block_on(work).map_err(anyhow::Error::from).and_then(|done| done) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A background task; ends when the process stops.
pub type Task = BoxFuture<'static, ()>;

/// Settings of every process. Each service flattens them and adds its own.
#[derive(Clone, Debug, clap::Args)]
pub struct ProcessSettings {
    /// Log filter, for example `info` or `warn,decision_svc=debug`.
    #[arg(long, env = "PROFFER_LOG", default_value = "info", value_parser = crate::log_filter)]
    pub log: String,
    /// Write logs as JSON, one object per line.
    #[arg(long, env = "PROFFER_LOG_JSON", value_parser = BoolishValueParser::new())]
    pub log_json: bool,
    /// Traces and metrics for a collector.
    #[command(flatten)]
    pub otlp: telemetry::OtlpSettings,
    /// Metrics by tenant.
    #[command(flatten)]
    pub by_tenant: telemetry::TenantSettings,
    /// Bytes and connections.
    #[command(flatten)]
    pub listeners: crate::ListenSettings,
    /// Turn gRPC reflection off.
    #[arg(long = "no-reflection", env = "PROFFER_NO_REFLECTION",
        value_parser = BoolishValueParser::new())]
    pub no_reflection: bool,
    /// How it stops.
    #[command(flatten)]
    pub stop: StopSettings,
    /// The settings file.
    #[command(flatten)]
    pub source: crate::SourceSettings,
}

/// A service ready to be served.
pub struct Process {
    /// Its name in logs.
    pub name: &'static str,
    /// Address of its gRPC services.
    pub listen: SocketAddr,
    /// Address of health and metrics.
    pub admin_listen: SocketAddr,
    /// Its gRPC services.
    pub routes: Routes,
    /// Answers requests that are not gRPC, and the hosts of the admin address; without it `routes`
    /// answers, and the admin address has any host.
    pub front: Option<(axum::Router, Hosts)>,
    /// Their names, for reflection.
    pub services: &'static [&'static str],
    /// Background tasks.
    pub tasks: Vec<Task>,
    /// Its readiness.
    pub readiness: Readiness,
    /// Its stores, which are closed at the end.
    pub stores: Vec<Database>,
}

/// Serves `process` until SIGTERM or SIGINT and the drain delay.
pub async fn run(
    process: Process,
    settings: &ProcessSettings,
    telemetry: Telemetry,
) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    settings.stop.follow(shutdown_on_signal()?, process.readiness.clone(), shutdown.clone());
    // Only the gateway answers others than services.
    let is_public = process.front.is_some();
    let surface = Surface { has_reflection: !settings.no_reflection };
    let routes = surface.around(process.routes, &process.readiness, process.services)?;
    let (routes, hosts) = match process.front {
        Some((front, hosts)) => (by_protocol(routes, front), Some(hosts)),
        None => (routes, None),
    };
    let tenants = settings.by_tenant.labels();
    let limits = Limits { tenants, is_public, ..settings.listeners.limits() };
    let listener = Listener::bind_for("--listen", process.listen, limits.clone()).await?;
    let admin_listener = Listener::bind_for("--admin-listen", process.admin_listen, limits).await?;
    tracing::info!(service = process.name, address = %listener.address()?, "listening");
    let shown = show_readiness(&process.readiness);
    let tasks = process.tasks.into_iter().chain([shown]);
    let running: Vec<_> = tasks.map(|task| spawn_until(task, shutdown.clone())).collect();
    let figures = telemetry.figures.clone();
    let admin_routes = Routes::from(admin(process.readiness.clone(), figures, hosts));
    let (served, _) = tokio::join!(
        listener.serve(routes, shutdown.clone()),
        admin_listener.unobserved().serve(admin_routes, shutdown.clone())
    );
    shutdown.cancel();
    for task in running {
        drop(task.await);
    }
    close_all(&process.stores).await;
    tracing::info!(service = process.name, "stopped");
    telemetry.stop().await;
    served
}

impl ProcessSettings {
    /// Starts the logs, metrics and traces of `service`.
    pub fn start_telemetry(&self, service: &'static str) -> anyhow::Result<Telemetry> {
        let log = LogSettings { filter: &self.log, is_json: self.log_json };
        Telemetry::start(service, log, &self.otlp)
    }
}

/// Closes stores that nothing uses any more. What is on SQLite is then whole in its one file.
pub async fn close_all(stores: &[Database]) {
    let closed = join_all(stores.iter().map(Database::close));
    if tokio::time::timeout(CLOSE_MAX, closed).await.is_err() {
        tracing::warn!("a store was still in use at the end; nothing is lost");
    }
}

/// Runs `task` until it ends or `shutdown`.
pub fn spawn_until(task: Task, shutdown: Shutdown) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        tokio::select! { () = task => {}, () = shutdown.cancelled() => {} }
    })
}
