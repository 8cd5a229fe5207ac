//! Flags and environment variables of the process.

use std::net::SocketAddr;

/// Decides who may be contacted, when and how often.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "policy-svc", version)]
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
    #[arg(long, env = "PROFFER_POLICY_CATALOG_URL", default_value = "http://127.0.0.1:7101",
        value_parser = serve::neighbour_url)]
    pub catalog_url: String,
    /// How long contacts and outcomes are kept.
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
