//! Flags and environment variables of the process.

use std::net::SocketAddr;

/// Keeps customer records and what may be offered.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "catalog-svc", version)]
pub struct Config {
    /// Address of the gRPC services.
    #[arg(long, env = "PROFFER_CATALOG_LISTEN", default_value = "127.0.0.1:7101",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_CATALOG_ADMIN_LISTEN", default_value = "127.0.0.1:8101",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// URL of policy-svc, whose channels creatives and placements refer to.
    #[arg(long, env = "PROFFER_CATALOG_POLICY_URL", default_value = "http://127.0.0.1:7102",
        value_parser = serve::neighbour_url)]
    pub policy_url: String,
    /// How much a tenant may configure.
    #[command(flatten)]
    pub limits: crate::LimitSettings,
    /// The database.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// Logs, reflection and the settings file.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}

impl serve::Checked for Config {}
