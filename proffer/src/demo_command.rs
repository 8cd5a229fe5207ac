//! `proffer demo`: starts the suite with a demo clock in a new folder, and plays the winback
//! campaign on it.

use std::{io::Write as _, net::SocketAddr};

use anyhow::Context as _;
use chrono::{DateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Europe::London;
use clap::builder::BoolishValueParser;
use database::Location;
use proffer::suite::{Addresses, Suite};
use serve::{
    Clock, shutdown_on_signal,
    telemetry::{LogSettings, OtlpSettings, Telemetry},
};

use crate::demo;

/// Settings of `proffer demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Address of REST and gRPC.
    #[arg(long, env = "PROFFER_LISTEN", default_value = "127.0.0.1:8080",
        value_parser = serve::address)]
    pub listen: SocketAddr,
    /// Address of health checks and metrics.
    #[arg(long, env = "PROFFER_ADMIN_LISTEN", default_value = "127.0.0.1:9090",
        value_parser = serve::address)]
    pub admin_listen: SocketAddr,
    /// Simulate many customers instead, whose reaction to contact is known, and learn it.
    #[arg(long)]
    pub large: bool,
    /// Customers of `--large`, 1,000 to 99,999; 60,000 when left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1_000..100_000))]
    pub customers: Option<u32>,
    /// Exit after the report instead of serving.
    #[arg(long)]
    pub once: bool,
    /// Who may call, and how often.
    #[command(flatten)]
    pub door: gateway::DoorSettings,
    /// Turn gRPC reflection off.
    #[arg(long = "no-reflection", env = "PROFFER_NO_REFLECTION",
        value_parser = BoolishValueParser::new())]
    pub no_reflection: bool,
    /// The settings file.
    #[command(flatten)]
    pub source: serve::SourceSettings,
}

impl Settings {
    /// What is wrong with settings that are right one by one.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = self.door.faults(self.listen);
        if self.customers.is_some() && !self.large {
            faults.push("--customers is only for --large".to_owned());
        }
        faults
    }
}

/// Plays the campaign, then serves until SIGTERM or SIGINT.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    // Slow calls are no news here: the demo asks for much at once, and quotes a failed call itself.
    let log = LogSettings { filter: "warn,proffer::call=error,sqlx::query=error", is_json: false };
    let Telemetry { figures, .. } = Telemetry::start("proffer", log, &OtlpSettings::default())?;
    let doors = settings.door.config(settings.listen, !settings.no_reflection)?;
    let shutdown = shutdown_on_signal()?;
    let start = ten_in_london(Clock::system().now());
    let clock = Clock::starting_at(start);
    let today = start.with_timezone(&London).format("%Y-%m-%d");
    println!("On the demo's clock it is {today} 10:00 in London, when most customers are awake.");
    let folder = tempfile::Builder::new()
        .prefix("proffer-demo-")
        .tempdir()
        .context("create a data folder")?;
    let location = Location::Folder(folder.path().to_owned());
    let addresses = Addresses { listen: settings.listen, admin_listen: settings.admin_listen };
    let suite = Suite::start(
        &location,
        addresses,
        doors,
        decision_svc::SnapshotSettings::default().wait_max(),
        clock.clone(),
        figures,
        &shutdown,
    )
    .await?;
    tokio::select! {
        () = suite.ready() => {}
        () = shutdown.cancelled() => return suite.finish().await,
    }
    let base = format!("http://{}", suite.address);
    let mut out = std::io::stdout();
    let customers = settings.customers.unwrap_or(demo::large::CUSTOMERS);
    let playing = async {
        match settings.large {
            true => demo::large::run(&base, &clock, customers, &mut out).await,
            false => demo::run(&base, || clock.now(), &mut out).await,
        }
    };
    tokio::select! {
        played = playing => played?,
        () = shutdown.cancelled() => return suite.finish().await,
    }
    if settings.once {
        shutdown.cancel();
    } else {
        println!("\nServing on {base}; data in {} until Ctrl-C.", folder.path().display());
    }
    std::io::stdout().flush()?;
    suite.finish().await
}

/// 10:00 in London on the London day of `now`.
fn ten_in_london(now: DateTime<Utc>) -> DateTime<Utc> {
    let ten = NaiveTime::from_hms_opt(10, 0, 0).unwrap_or_default();
    let day = now.with_timezone(&London).date_naive();
    // London changes its clocks at night, so 10:00 exists exactly once on every day.
    let exact = London.from_local_datetime(&day.and_time(ten)).single();
    exact.map_or(now, |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_london_follows_the_clock_changes() {
        let check = |now: &str, expected: &str| {
            let now = DateTime::parse_from_rfc3339(now).unwrap().to_utc();
            assert_eq!(ten_in_london(now).to_rfc3339(), expected);
        };
        check("2026-11-24T23:30:00Z", "2026-11-24T10:00:00+00:00");
        check("2026-07-01T23:30:00Z", "2026-07-02T09:00:00+00:00");
        check("2026-03-29T00:30:00Z", "2026-03-29T09:00:00+00:00");
    }
}
