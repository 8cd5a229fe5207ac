//! Settings of the process.

use std::net::SocketAddr;

/// Decides which offer a customer should get now, or that they should get none.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "decision-svc", version)]
pub struct Config {
    /// Address the service answers on.
    #[arg(long, env = "PROFFER_DECISION_LISTEN", default_value = "127.0.0.1:7103")]
    pub listen: SocketAddr,
    /// Address of health.
    #[arg(long, env = "PROFFER_DECISION_ADMIN_LISTEN", default_value = "127.0.0.1:8103")]
    pub admin_listen: SocketAddr,
    /// Where catalog-svc answers.
    #[arg(long, env = "PROFFER_DECISION_CATALOG_URL", default_value = "http://127.0.0.1:7101")]
    pub catalog_url: String,
    /// Where policy-svc answers.
    #[arg(long, env = "PROFFER_DECISION_POLICY_URL", default_value = "http://127.0.0.1:7102")]
    pub policy_url: String,
    /// Where experiment-svc answers.
    #[arg(long, env = "PROFFER_DECISION_EXPERIMENT_URL", default_value = "http://127.0.0.1:7104")]
    pub experiment_url: String,
    /// Where data are kept.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// Logs and reflection.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}
