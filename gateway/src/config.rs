//! Settings of the gateway and of its process.

use std::{net::SocketAddr, time::Duration};

/// Longest a REST call may take.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Settings of the gateway itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins whose web pages may call, such as `https://console.example.com`.
    pub allowed_origins: Vec<String>,
    /// Longest a REST call may take.
    pub deadline: Duration,
    /// Whether server reflection is offered.
    pub has_reflection: bool,
    /// Calls at once. The services behind take what this door lets in: one that refused by itself
    /// would turn an overload into decisions without offers.
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

/// One door in front of the four services: gRPC and REST on one port.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "gateway", version)]
pub struct Settings {
    /// Address of REST and gRPC.
    #[arg(long, env = "PROFFER_GATEWAY_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Address of health.
    #[arg(long, env = "PROFFER_GATEWAY_ADMIN_LISTEN", default_value = "127.0.0.1:9090")]
    pub admin_listen: SocketAddr,
    /// Where catalog-svc answers.
    #[arg(long, env = "PROFFER_GATEWAY_CATALOG_URL", default_value = "http://127.0.0.1:7101")]
    pub catalog_url: String,
    /// Where policy-svc answers.
    #[arg(long, env = "PROFFER_GATEWAY_POLICY_URL", default_value = "http://127.0.0.1:7102")]
    pub policy_url: String,
    /// Where decision-svc answers.
    #[arg(long, env = "PROFFER_GATEWAY_DECISION_URL", default_value = "http://127.0.0.1:7103")]
    pub decision_url: String,
    /// Where experiment-svc answers.
    #[arg(long, env = "PROFFER_GATEWAY_EXPERIMENT_URL", default_value = "http://127.0.0.1:7104")]
    pub experiment_url: String,
    /// Origin whose web pages may call; give it several times or separate with commas.
    #[arg(long = "allowed-origin", env = "PROFFER_GATEWAY_ALLOWED_ORIGINS", value_delimiter = ',')]
    pub allowed_origins: Vec<String>,
    /// Longest a REST call may take, in milliseconds.
    #[arg(long, env = "PROFFER_GATEWAY_DEADLINE_MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..=55_000))]
    pub deadline_ms: u64,
    /// Calls at once.
    #[command(flatten)]
    pub admission: serve::AdmissionSettings,
    /// Logs and reflection.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}

impl Settings {
    /// What of them is the gateway's own.
    pub fn config(&self) -> Config {
        Config {
            allowed_origins: self.allowed_origins.clone(),
            deadline: Duration::from_millis(self.deadline_ms),
            has_reflection: !self.process.no_reflection,
            admission: self.admission.clone(),
        }
    }
}
