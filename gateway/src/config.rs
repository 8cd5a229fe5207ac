//! Settings of the gateway, and the flags and environment variables of its process.

use std::{net::SocketAddr, time::Duration};

use clap::builder::BoolishValueParser;

use crate::origin;

/// Default time limit of a REST call.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Settings of the gateway itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// Origins whose web pages may call, such as `https://console.example.com`.
    pub allowed_origins: Vec<String>,
    /// Names under which the gateway may be called over REST, besides `localhost` and addresses.
    pub allowed_hosts: Vec<String>,
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
            allowed_hosts: Vec::new(),
            deadline: DEADLINE,
            has_reflection: true,
            admission: serve::AdmissionSettings::default(),
        }
    }
}

impl Config {
    /// The hosts under which the process may be called.
    pub fn hosts(&self) -> serve::Hosts {
        serve::Hosts::new(self.allowed_hosts.iter().cloned())
    }
}

/// Who may call the public address, and how often. Each command that has one flattens them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct DoorSettings {
    /// Origin of web pages that may call, such as `https://console.example.com`. Repeat the flag or
    /// separate origins with commas. Pages of Proffer's own origin may always call.
    #[arg(long = "allowed-origin", env = "PROFFER_ALLOWED_ORIGINS", value_delimiter = ',',
        value_parser = origin::parse_origin)]
    pub allowed_origins: Vec<String>,
    /// Host name under which REST may be called, such as `proffer.example.com`. Addresses and
    /// `localhost` need none. Repeat the flag or separate names with commas.
    #[arg(long = "allowed-host", env = "PROFFER_ALLOWED_HOSTS", value_delimiter = ',',
        value_parser = origin::parse_host)]
    pub allowed_hosts: Vec<String>,
    /// Listen on an address that other machines can reach, although callers are not authenticated.
    #[arg(long, env = "PROFFER_INSECURE_NO_AUTH", value_parser = BoolishValueParser::new())]
    pub insecure_no_auth: bool,
    /// How many calls may run and wait.
    #[command(flatten)]
    pub admission: serve::AdmissionSettings,
}

impl DoorSettings {
    /// What is wrong with these settings if the public address is `listen`.
    pub fn faults(&self, listen: SocketAddr) -> Vec<String> {
        let exposed = serve::check_exposure(listen, self.insecure_no_auth).err();
        exposed.iter().map(ToString::to_string).collect()
    }

    /// The settings of the gateway; an error when `listen` needs `--insecure-no-auth`.
    pub fn config(&self, listen: SocketAddr, has_reflection: bool) -> anyhow::Result<Config> {
        serve::check_exposure(listen, self.insecure_no_auth)?;
        Ok(Config {
            allowed_origins: self.allowed_origins.clone(),
            allowed_hosts: self.allowed_hosts.clone(),
            has_reflection,
            admission: self.admission.clone(),
            ..Config::default()
        })
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
    #[arg(long, env = "PROFFER_GATEWAY_CATALOG_URL", default_value = "http://127.0.0.1:7101",
        value_parser = serve::neighbour_url)]
    pub catalog_url: String,
    /// URL of policy-svc.
    #[arg(long, env = "PROFFER_GATEWAY_POLICY_URL", default_value = "http://127.0.0.1:7102",
        value_parser = serve::neighbour_url)]
    pub policy_url: String,
    /// URL of decision-svc.
    #[arg(long, env = "PROFFER_GATEWAY_DECISION_URL", default_value = "http://127.0.0.1:7103",
        value_parser = serve::neighbour_url)]
    pub decision_url: String,
    /// URL of experiment-svc.
    #[arg(long, env = "PROFFER_GATEWAY_EXPERIMENT_URL", default_value = "http://127.0.0.1:7104",
        value_parser = serve::neighbour_url)]
    pub experiment_url: String,
    /// Time limit of a REST call, in milliseconds.
    #[arg(long, env = "PROFFER_GATEWAY_DEADLINE_MS", default_value_t = 30_000,
        value_parser = clap::value_parser!(u64).range(1..=55_000))]
    pub deadline_ms: u64,
    /// Who may call, and how often.
    #[command(flatten)]
    pub door: DoorSettings,
    /// Logs, reflection and the settings file.
    #[command(flatten)]
    pub process: serve::ProcessSettings,
}

impl serve::Checked for Settings {
    fn faults(&self) -> Vec<String> {
        self.door.faults(self.listen)
    }
}

impl Settings {
    /// The part of the settings that the gateway itself uses; an error when the address needs
    /// `--insecure-no-auth`.
    pub fn config(&self) -> anyhow::Result<Config> {
        let config = self.door.config(self.listen, !self.process.no_reflection)?;
        Ok(Config { deadline: Duration::from_millis(self.deadline_ms), ..config })
    }
}
