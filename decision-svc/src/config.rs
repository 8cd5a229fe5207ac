//! Flags and environment variables of the process.

use std::{net::SocketAddr, time::Duration};

/// Decides which offer a customer should get now, or that they should get none.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "decision-svc", version)]
pub struct Config {
    /// Address of the gRPC services.
    #[arg(long, env = "PROFFER_DECISION_LISTEN", default_value = "127.0.0.1:7103",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_DECISION_ADMIN_LISTEN", default_value = "127.0.0.1:8103",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// URL of catalog-svc.
    #[arg(long, env = "PROFFER_DECISION_CATALOG_URL", default_value = "http://127.0.0.1:7101",
        value_parser = serve::neighbour_url)]
    pub catalog_url: String,
    /// URL of policy-svc.
    #[arg(long, env = "PROFFER_DECISION_POLICY_URL", default_value = "http://127.0.0.1:7102",
        value_parser = serve::neighbour_url)]
    pub policy_url: String,
    /// URL of experiment-svc.
    #[arg(long, env = "PROFFER_DECISION_EXPERIMENT_URL", default_value = "http://127.0.0.1:7104",
        value_parser = serve::neighbour_url)]
    pub experiment_url: String,
    /// How long a decision waits for newer configuration.
    #[command(flatten)]
    pub snapshot: SnapshotSettings,
    /// How many flows a tenant may have.
    #[command(flatten)]
    pub flows: FlowSettings,
    /// How long decisions and outcomes are kept.
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

/// Default of `snapshot_wait_max_ms`.
const SNAPSHOT_WAIT_MAX_MS: u64 = 250;

/// Flows of a tenant, unless it is set.
const FLOWS_MAX: u32 = 1_000;

/// How many flows a tenant may have.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct FlowSettings {
    /// Decision flows of a tenant at most, from 1 to 100,000. Each active one is compiled anew
    /// whenever the catalog changes.
    #[arg(long, env = "PROFFER_MAX_FLOWS", default_value_t = FLOWS_MAX,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_flows: u32,
}

impl Default for FlowSettings {
    fn default() -> Self {
        Self { max_flows: FLOWS_MAX }
    }
}

/// How long a decision waits for newer configuration.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct SnapshotSettings {
    /// Longest wait of a decision for newer configuration, in milliseconds. After that it uses the
    /// configuration it has and reports `degraded: ["snapshot_stale"]`. 0 never waits.
    #[arg(long, env = "PROFFER_SNAPSHOT_WAIT_MAX_MS", default_value_t = SNAPSHOT_WAIT_MAX_MS,
        value_parser = clap::value_parser!(u64).range(..=10_000))]
    pub snapshot_wait_max_ms: u64,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self { snapshot_wait_max_ms: SNAPSHOT_WAIT_MAX_MS }
    }
}

impl SnapshotSettings {
    /// The longest wait as a duration.
    pub fn wait_max(&self) -> Duration {
        Duration::from_millis(self.snapshot_wait_max_ms)
    }
}
