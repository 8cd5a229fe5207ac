//! Flags and environment variables of the process.

use std::net::SocketAddr;

/// Settings of policy-svc.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Address of the gRPC services.
    #[arg(long, env = "PROFFER_POLICY_LISTEN", default_value = "127.0.0.1:7102",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_POLICY_ADMIN_LISTEN", default_value = "127.0.0.1:8102",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// URL of catalog-svc, whose names contact policies refer to.
    #[arg(long, env = "PROFFER_POLICY_CATALOG_URL", default_value = "http://127.0.0.1:7101")]
    pub catalog_url: String,
    /// The database.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// Logs and reflection.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}
