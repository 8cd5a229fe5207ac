//! A fresh suite: all five services in one process or in five, on either store.

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{cluster::Cluster, http::Client, process::Process};

/// Starts that lost a port to another process before this one is given up.
const STARTS_MAX: usize = 3;

/// How the services are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `proffer serve`.
    AllInOne,
    /// Each service a process of its own, over the network.
    FiveProcesses,
    /// The same with two processes of each service behind the gateway.
    TwoReplicas,
}

/// Where the services keep their data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// SQLite files in a fresh folder.
    Sqlite,
    /// A fresh PostgreSQL database.
    Postgres,
}

/// A running suite; its processes are killed and its folder is removed when dropped.
#[derive(Debug)]
pub struct Suite {
    /// `http://host:port` of REST and gRPC.
    pub base: String,
    /// Its processes, the one with the door last.
    pub processes: Vec<Process>,
    /// Address of health and metrics of each process; none of `proffer serve`, which picks one.
    pub admins: Vec<String>,
    shape: Shape,
    place: StoreArguments,
    /// Of every process, besides what says where the others are.
    environment: Vec<(String, String)>,
    folder: TempDir,
}

/// Arguments that say where data are kept.
#[derive(Clone, Debug)]
struct StoreArguments(Vec<String>);

impl StoreArguments {
    fn arguments(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

impl Suite {
    /// Starts one and waits until it may be sent work.
    pub async fn start(shape: Shape, store: Store) -> anyhow::Result<Self> {
        Self::start_with(shape, store, &[]).await
    }

    /// The same with variables for the environment of every process.
    pub async fn start_with(
        shape: Shape,
        store: Store,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let folder = new_folder()?;
        let place = match store {
            Store::Sqlite => {
                vec!["--data".to_owned(), folder.path().join("data").display().to_string()]
            }
            Store::Postgres => {
                vec!["--database-url".to_owned(), testkit::fresh_database_url().await]
            }
        };
        Self::start_in(folder, shape, place, environment).await
    }

    /// The same with these arguments about the store, such as `--database-url …`.
    pub async fn start_at(shape: Shape, place: Vec<String>) -> anyhow::Result<Self> {
        Self::start_in(new_folder()?, shape, place, &[]).await
    }

    async fn start_in(
        folder: TempDir,
        shape: Shape,
        place: Vec<String>,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        // A variable that is given again comes later, and wins.
        let quiet = [("PROFFER_LOG", "warn")];
        let environment = quiet
            .iter()
            .chain(environment)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let place = StoreArguments(place);
        let mut suite = Self {
            base: String::new(),
            processes: Vec::new(),
            admins: Vec::new(),
            shape,
            place,
            environment,
            folder,
        };
        suite.restart().await?;
        Ok(suite)
    }

    /// Starts it again on the same data, at a new address. What still runs is killed first.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.restart_with(&[]).await
    }

    /// The same with further arguments for the processes that keep data.
    pub async fn restart_with(&mut self, arguments: &[&str]) -> anyhow::Result<()> {
        self.processes.clear();
        let more = arguments.iter().map(|argument| (*argument).to_owned());
        let place = StoreArguments(self.place.0.iter().cloned().chain(more).collect());
        let mut tries = 0;
        loop {
            tries += 1;
            let started = match self.shape {
                Shape::AllInOne => all_in_one(&place, &self.environment).await,
                Shape::FiveProcesses => processes(&place, 1, &self.environment).await,
                Shape::TwoReplicas => processes(&place, 2, &self.environment).await,
            };
            match started {
                Ok((base, processes, admins)) => {
                    (self.base, self.processes, self.admins) = (base, processes, admins);
                    return Ok(());
                }
                Err(error) if tries == STARTS_MAX => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// A client of the door.
    pub fn client(&self) -> Client {
        Client::new(&self.base)
    }

    /// `host:port` of the door.
    pub fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// A folder for the test's own files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Arguments that name the suite's data, for a second process.
    pub fn place(&self) -> Vec<&str> {
        self.place.arguments()
    }

    /// Fails when a process has ended, with its log.
    pub fn is_alive(&mut self) -> anyhow::Result<()> {
        for process in &mut self.processes {
            anyhow::ensure!(process.is_running(), "a process ended:\n{}", process.log());
        }
        Ok(())
    }
}

fn new_folder() -> anyhow::Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("proffer-conformance-").tempdir()?)
}

/// What was started: the door, the processes, and the admin addresses that are known.
type Started = (String, Vec<Process>, Vec<String>);

async fn all_in_one(
    place: &StoreArguments,
    environment: &[(String, String)],
) -> anyhow::Result<Started> {
    let mut arguments = vec!["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    arguments.extend(place.arguments());
    let mut process = Process::start("proffer", &arguments, environment)?;
    let base = process.line(base_in).await?;
    Ok((base, vec![process], Vec::new()))
}

/// The address in a line such as `proffer is ready: REST and gRPC on http://127.0.0.1:8080, data in
/// …`.
pub fn base_in(line: &str) -> Option<String> {
    let at = line.find("http://")?;
    let address = line.get(at..)?;
    let end = address.find([',', ' ', ';']).unwrap_or(address.len());
    address.get(..end).map(|base| base.trim_end_matches('/').to_owned())
}

async fn processes(
    place: &StoreArguments,
    replicas: usize,
    environment: &[(String, String)],
) -> anyhow::Result<Started> {
    let mut cluster = Cluster::new((replicas, 1), &place.0, &[])?.with(environment);
    cluster.start().await?;
    let base = cluster.doors().pop().context("there is a gateway")?;
    let admins = cluster.members.iter().map(|member| member.admin.clone()).collect();
    Ok((base, cluster.into_processes(), admins))
}
