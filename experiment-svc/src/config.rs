//! Flags and environment variables of the process.

use std::net::SocketAddr;

/// Settings of experiment-svc.
#[derive(Clone, Debug, clap::Args)]
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
    #[arg(long, env = "PROFFER_EXPERIMENT_DECISION_URL", default_value = "http://127.0.0.1:7103")]
    pub decision_url: String,
    /// The database.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// Logs and reflection.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}
