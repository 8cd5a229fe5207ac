//! Settings of the gateway, and the flags and environment variables of its process.

use std::{net::SocketAddr, time::Duration};

/// Default time limit of a REST call.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Settings of the gateway itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins whose web pages may call, such as `https://console.example.com`.
    pub allowed_origins: Vec<String>,
    /// Time limit of a REST call.
    pub deadline: Duration,
    /// True when gRPC reflection is on.
    pub has_reflection: bool,
    /// How many calls may run and wait. Only the gateway limits calls. If policy-svc refused calls,
    /// an overload would look like decisions without offers.
    pub admission: serve::AdmissionSettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            allowed_origins: Vec::new(),
            deadline: DEADLINE,
            has_reflection: true,
            admission: serve::AdmissionSettings::default(),
        }
    }
}

/// Serves gRPC and REST on one port, in front of the four services.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "gateway", version)]
pub struct Settings {
    /// Address of REST and gRPC.
    #[arg(long, env = "PROFFER_GATEWAY_LISTEN", default_value = "127.0.0.1:8080",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_GATEWAY_ADMIN_LISTEN", default_value = "127.0.0.1:9090",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// URL of catalog-svc.
    #[arg(long, env = "PROFFER_GATEWAY_CATALOG_URL", default_value = "http://127.0.0.1:7101")]
    pub catalog_url: String,
    /// URL of policy-svc.
    #[arg(long, env = "PROFFER_GATEWAY_POLICY_URL", default_value = "http://127.0.0.1:7102")]
    pub policy_url: String,
    /// URL of decision-svc.
    #[arg(long, env = "PROFFER_GATEWAY_DECISION_URL", default_value = "http://127.0.0.1:7103")]
    pub decision_url: String,
    /// URL of experiment-svc.
    #[arg(long, env = "PROFFER_GATEWAY_EXPERIMENT_URL", default_value = "http://127.0.0.1:7104")]
    pub experiment_url: String,
    /// Origin of web pages that may call. Repeat the flag or separate origins with commas.
    #[arg(long = "allowed-origin", env = "PROFFER_GATEWAY_ALLOWED_ORIGINS", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,
    /// Time limit of a REST call, in milliseconds.
    #[arg(long, env = "PROFFER_GATEWAY_DEADLINE_MS", default_value_t = 30_000,
        value_parser = clap::value_parser!(u64).range(1..=55_000))]
    pub deadline_ms: u64,
    /// How many calls may run and wait.
    #[command(flatten)]
    pub admission: serve::AdmissionSettings,
    /// Logs and reflection.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}

impl Settings {
    /// The part of the settings that the gateway itself uses.
    pub fn config(&self) -> Config {
        Config {
            allowed_origins: self.allowed_origins.clone(),
            deadline: Duration::from_millis(self.deadline_ms),
            has_reflection: !self.process.no_reflection,
            admission: self.admission.clone(),
        }
    }
}
