//! Settings of the process.

use std::net::SocketAddr;

/// Settings of experiment-svc.
#[derive(Clone, Debug, clap::Args)]
pub struct Config {
    /// Where the services answer.
    #[arg(long, env = "PROFFER_EXPERIMENT_LISTEN", default_value = "127.0.0.1:7104")]
    pub listen: SocketAddr,
    /// Where health answers.
    #[arg(long, env = "PROFFER_EXPERIMENT_ADMIN_LISTEN", default_value = "127.0.0.1:8104")]
    pub admin_listen: SocketAddr,
    /// Where data are kept.
    #[command(flatten)]
    pub store: serve::StoreSettings,
    /// What every process has.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}
