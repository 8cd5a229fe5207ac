//! Flags and environment variables of the process.

use std::net::SocketAddr;

/// Keeps experiments and assignments, and computes results.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "experiment-svc", version)]
pub struct Config {
    /// Address of the gRPC services.
    #[arg(long, env = "PROFFER_EXPERIMENT_LISTEN", default_value = "127.0.0.1:7104",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_EXPERIMENT_ADMIN_LISTEN", default_value = "127.0.0.1:8104",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// URL of decision-svc, whose flows experiments run on.
    #[arg(long, env = "PROFFER_EXPERIMENT_DECISION_URL", default_value = "http://127.0.0.1:7103",
        value_parser = serve::neighbour_url)]
    pub decision_url: String,
    /// URL of policy-svc, whose contacts the audit of leaks counts.
    #[arg(long, env = "PROFFER_EXPERIMENT_POLICY_URL", default_value = "http://127.0.0.1:7102",
        value_parser = serve::neighbour_url)]
    pub policy_url: String,
    /// How long outcomes are kept.
    #[command(flatten)]
    pub retention: serve::RetentionSettings,
    /// The database.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// Logs, reflection and the settings file.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}

impl serve::Checked for Config {}
