//! Policy processes and the store they share, each killable and started again.

use std::{net::TcpListener, time::Duration};

use database::{Database, Location, PoolSizes};
use tempfile::TempDir;
use testkit::Postgres;
use tonic::transport::{Channel, Endpoint};

use crate::{admin::ready, process::Process, suite::Store};

/// Longest wait for an answer; a caller that gives up before knows nothing.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Replicas on PostgreSQL. SQLite is one process's.
pub const REPLICAS: usize = 2;

/// One policy process at a fixed address.
#[derive(Debug)]
struct Replica {
    listen: String,
    admin: String,
    process: Option<Process>,
}

/// Policy on its store.
#[derive(Debug)]
pub struct Place {
    replicas: Vec<Replica>,
    postgres: Option<Postgres>,
    folder: TempDir,
}

impl Place {
    /// Starts a private server when there is to be one, and the policy processes.
    pub async fn start(store: Store) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("proffer-drill-").tempdir()?;
        let (postgres, count) = match store {
            Store::Sqlite => (None, 1),
            Store::Postgres => (Some(Postgres::start()?), REPLICAS),
        };
        let sockets: Vec<_> =
            (0..count * 2).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let addresses: Vec<_> = sockets
            .iter()
            .map(|socket| Ok(socket.local_addr()?.to_string()))
            .collect::<anyhow::Result<_>>()?;
        drop(sockets);
        let replica = |pair: &[String]| Replica {
            listen: pair[0].clone(),
            admin: pair[1].clone(),
            process: None,
        };
        let replicas = addresses.chunks_exact(2).map(replica).collect();
        let mut place = Self { replicas, postgres, folder };
        for replica in 0..count {
            place.start_replica(replica).await?;
        }
        Ok(place)
    }

    /// Processes of policy.
    pub fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// Address of the private server.
    pub fn postgres_url(&self) -> Option<&str> {
        self.postgres.as_ref().map(|server| server.url.as_str())
    }

    /// A connection to each replica that is made anew whenever it breaks.
    pub fn channels(&self) -> anyhow::Result<Vec<Channel>> {
        let channel = |replica: &Replica| {
            let endpoint = Endpoint::from_shared(format!("http://{}", replica.listen))?;
            Ok(endpoint.connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).connect_lazy())
        };
        self.replicas.iter().map(channel).collect()
    }

    /// Starts a replica and waits until it may be sent work.
    pub async fn start_replica(&mut self, index: usize) -> anyhow::Result<()> {
        let data = self.folder.path().join("data").display().to_string();
        let place = match &self.postgres {
            Some(server) => ["--database-url".to_owned(), server.url.clone()],
            None => ["--data".to_owned(), data],
        };
        let replica = &mut self.replicas[index];
        let mut arguments =
            vec!["--listen", &replica.listen, "--admin-listen", &replica.admin, "--log", "error"];
        arguments.extend(place.iter().map(String::as_str));
        let process = replica.process.insert(Process::start("policy-svc", &arguments, &[])?);
        ready(&replica.admin, process).await
    }

    /// `kill -9` of a replica.
    pub fn kill_replica(&mut self, index: usize) -> anyhow::Result<()> {
        match self.replicas[index].process.take() {
            Some(mut process) => process.kill(),
            None => Ok(()),
        }
    }

    /// `kill -9` of the database server.
    pub fn crash_postgres(&mut self) -> anyhow::Result<()> {
        self.postgres.as_mut().map_or(Ok(()), Postgres::crash)
    }

    /// Starts the server again on the same data.
    pub fn start_postgres(&mut self) -> anyhow::Result<()> {
        self.postgres.as_mut().map_or(Ok(()), Postgres::start_again)
    }

    /// What a replica that ended by itself said; none while all run.
    pub fn ended(&mut self) -> Option<String> {
        let processes = self.replicas.iter_mut().filter_map(|replica| replica.process.as_mut());
        let mut ended =
            processes.filter_map(|process| (!process.is_running()).then(|| process.log()));
        ended.next()
    }

    /// Opens policy's own store, past policy. On SQLite its process must be stopped before.
    pub async fn open_store(&self) -> anyhow::Result<Database> {
        let location = match &self.postgres {
            Some(server) => Location::Url(server.url.clone()),
            None => Location::Folder(self.folder.path().join("data")),
        };
        Database::open(&location, "policy", PoolSizes::default(), &[]).await
    }

    /// Does something to the store while no process of policy has it open on SQLite; on PostgreSQL
    /// they stay.
    pub async fn with_store<T>(
        &mut self,
        does: impl AsyncFnOnce(&Database) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let is_sqlite = self.postgres.is_none();
        if is_sqlite {
            self.kill_replica(0)?;
        }
        let database = self.open_store().await?;
        let done = does(&database).await?;
        database.close().await;
        drop(database);
        if is_sqlite {
            self.start_replica(0).await?;
        }
        Ok(done)
    }
}
