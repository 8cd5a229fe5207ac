//! The whole suite as a process of its own, so that its CPU time is not its callers': this program
//! again, with a sub-command that people are not shown. It is the suite of `proffer serve`, on a
//! clock that begins at noon in London.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use database::Location;
use serve::{Clock, Shutdown};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::{
    disk,
    processor::{self, Side},
};
use proffer::suite::{Addresses, Suite};

/// Name of the sub-command.
const COMMAND: &str = "serve";
/// When its clock begins: nobody is quiet.
const NOON: &str = "2026-07-03T11:00:00Z";

/// Settings of the process.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Folder of its data.
    #[arg(long)]
    data: PathBuf,
    /// How fresh configuration must be.
    #[command(flatten)]
    snapshot: decision_svc::SnapshotSettings,
    /// How many calls it works on at once; also by `PROFFER_MAX_IN_FLIGHT` and
    /// `PROFFER_MAX_WAITING`.
    #[command(flatten)]
    admission: serve::AdmissionSettings,
}

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On the server's processor.
    OfItsOwn,
    /// On any.
    Anywhere,
}

/// Serves until its standard input ends, which it does with the process that started it.
pub fn serve(settings: &Settings) -> anyhow::Result<()> {
    serve::telemetry::start("warn", false);
    serve::block_on(async {
        let (shutdown, any) = (Shutdown::new(), SocketAddr::from(([127, 0, 0, 1], 0)));
        let addresses = Addresses { listen: any, admin_listen: any };
        let location = Location::Folder(settings.data.clone());
        let doors =
            gateway::Config { admission: settings.admission.clone(), ..gateway::Config::default() };
        let clock = Clock::starting_at(NOON.parse()?);
        let wait = settings.snapshot.wait_max();
        let suite = Suite::start(&location, addresses, doors, wait, clock, &shutdown).await?;
        suite.ready().await;
        println!("{}", suite.address);
        std::thread::spawn(move || {
            drop(std::io::stdin().read_to_end(&mut Vec::new()));
            shutdown.cancel();
        });
        suite.finish().await
    })?
}

/// The process, from its parent's side; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where REST and gRPC answer.
    pub address: SocketAddr,
    _folder: TempDir,
}

impl Server {
    /// Starts one on an empty folder, whose decisions wait so long for newer configuration.
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
        let told = server.child.stdout.take().context("the server's output is not read")?;
        let mut line = String::new();
        BufReader::new(told).read_line(&mut line)?;
        server.address = line.trim().parse().context("the server did not start")?;
        Ok(server)
    }

    /// CPU time it has used, in µs.
    pub fn cpu_us(&self) -> anyhow::Result<f64> {
        let told = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold anything; after it come the state and numbers.
        let (_, numbers) = told.rsplit_once(')').context("/proc tells no name")?;
        let ticks: u64 = numbers
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        Ok(ticks as f64 * 1e6 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// A connection of its own.
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
