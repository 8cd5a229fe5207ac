//! The suite in a separate process, so that its CPU time can be measured. The process is this
//! program with a hidden subcommand. It runs the suite of `proffer serve` with a clock that starts
//! at noon in London.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use database::Location;
use serve::{
    Clock, Shutdown,
    telemetry::{LogSettings, OtlpSettings, Telemetry},
};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::{
    disk,
    processor::{self, Side},
};
use proffer::suite::{Addresses, Suite};

/// Name of the hidden subcommand.
const COMMAND: &str = "serve";
/// Start of its clock, outside all quiet hours.
const NOON: &str = "2026-07-03T11:00:00Z";

/// Settings of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Folder of the SQLite databases.
    #[arg(long)]
    data: PathBuf,
    /// How long a decision waits for newer configuration.
    #[command(flatten)]
    snapshot: decision_svc::SnapshotSettings,
    /// How many calls may run and wait; also set by `PROFFER_MAX_IN_FLIGHT` and
    /// `PROFFER_MAX_WAITING`.
    #[command(flatten)]
    admission: serve::AdmissionSettings,
    /// Where traces go; also set by `PROFFER_OTLP_ENDPOINT` and `PROFFER_TRACE_RATIO`.
    #[command(flatten)]
    otlp: OtlpSettings,
}

/// The processors of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Pinned to the server's processor.
    OfItsOwn,
    /// Any processor.
    Anywhere,
}

/// Serves until standard input closes, which happens when the parent process ends.
pub fn serve(settings: &Settings) -> anyhow::Result<()> {
    serve::block_on(async {
        let log = LogSettings { filter: "warn", is_json: false };
        let telemetry = Telemetry::start("proffer", log, &settings.otlp)?;
        let (shutdown, any) = (Shutdown::new(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let addresses = Addresses { listen: any, admin_listen: any };
        let location = Location::Folder(settings.data.clone());
        let doors =
            gateway::Config { admission: settings.admission.clone(), ..gateway::Config::default() };
        let clock = Clock::starting_at(NOON.parse()?);
        let wait = settings.snapshot.wait_max();
        let figures = telemetry.figures.clone();
        let suite = Suite::start(&location, addresses, doors, wait, clock, figures, &shutdown);
        let suite = suite.await?;
        suite.ready().await;
        println!("{}", suite.address);
        std::thread::spawn(move || {
            drop(std::io::stdin().read_to_end(&mut Vec::new()));
            shutdown.cancel();
        });
        let served = suite.finish().await;
        telemetry.stop().await;
        served
    })?
}

/// The server process, as its parent sees it. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Address of REST and gRPC.
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// Starts a server on an empty folder. Its decisions wait up to `snapshot_wait_max_ms` for
    /// newer configuration.
    pub fn start(place: Place, snapshot_wait_max_ms: u64) -> anyhow::Result<Self> {
        let folder = disk::folder()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(COMMAND).arg("--data").arg(folder.path().join("data"));
        command.arg("--snapshot-wait-max-ms").arg(snapshot_wait_max_ms.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut start = move || command.spawn().context("start the server");
        let child =
            if place == Place::OfItsOwn { processor::on(Side::Server, start) } else { start() }?;
        let mut server =
            Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), _folder: folder };
        let output = server.child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        server.address = line.trim().parse().context("the server did not start")?;
        Ok(server)
    }

    /// CPU time used so far, in µs.
    pub fn cpu_us(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may contain anything; the state and the numbers follow it.
        let (_, numbers) = stat.rsplit_once(')').context("/proc has no name of the process")?;
        let ticks: u64 = numbers
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// A new connection.
    pub async fn channel(&self) -> anyhow::Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?.tcp_nodelay(true);
        endpoint.connect().await.context("connect to the server")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
