//! A private PostgreSQL server: started once by `cargo xtask test`, one new database per test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, bail};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Names the server that tests use, for example `postgres://postgres@127.0.0.1:5433/postgres`.
pub const SERVER_VARIABLE: &str = "PROFFER_TEST_POSTGRES_URL";

/// A new, empty database on the test server.
///
/// # Panics
/// Without a server, with the command that starts one.
pub async fn fresh_database_url() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let server = std::env::var(SERVER_VARIABLE).unwrap_or_else(|_| {
        panic!("{SERVER_VARIABLE} is not set: run the tests with `cargo xtask test`, which starts a private server")
    });
    let name = format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&server).await.expect("the test server answers");
    let create = format!("create database {name} template template0");
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.expect("a new database");
    let base = server.rsplit_once('/').map_or(server.as_str(), |(base, _)| base);
    format!("{base}/{name}")
}

/// A running private server; stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    /// Its address.
    pub url: String,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// Starts a server in a temporary folder on a free port, as user `postgres` when run by root.
    pub fn start() -> anyhow::Result<Self> {
        let binaries = find_binaries().context(
            "PostgreSQL's server binaries are missing: install Debian's `postgresql` (apt-get install postgresql)",
        )?;
        let folder = tempfile::Builder::new().prefix("proffer-postgres-").tempdir()?;
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if is_root && !Command::new("chown").arg("postgres").arg(folder.path()).status()?.success() {
            bail!("root cannot run PostgreSQL and there is no user `postgres`");
        }
        let data = folder.path().join("data");
        let run = |program: &str, arguments: &[&str]| {
            let path = binaries.join(program);
            let mut command = if is_root {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path);
                command
            } else {
                Command::new(path)
            };
            command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
            command
        };
        let data_text = data.to_string_lossy().into_owned();
        let made = run("initdb", &["-D", &data_text, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .stdout(Stdio::null())
            .status()?;
        if !made.success() {
            bail!("initdb failed");
        }
        let port = free_port()?;
        let port_text = port.to_string();
        let socket_folder = folder.path().to_string_lossy().into_owned();
        let settings = ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400", "-c", "fsync=on"];
        let mut arguments = vec!["-D", &data_text, "-p", &port_text, "-k", &socket_folder];
        arguments.extend(settings);
        let log = fs::File::create(folder.path().join("log"))?;
        let child = run("postgres", &arguments).stdout(Stdio::null()).stderr(log).spawn()?;
        let mut server = Self { child, url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), _folder: folder };
        for _ in 0..200 {
            let mut ready = Command::new(binaries.join("pg_isready"));
            if ready.args(["-q", "-h", "127.0.0.1", "-p", &port_text]).status()?.success() {
                return Ok(server);
            }
            if server.child.try_wait()?.is_some() {
                bail!("the private PostgreSQL server ended at once");
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        bail!("the private PostgreSQL server did not become ready")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT asks for a fast shutdown; the folder goes after the server has.
        let asked = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        if asked.is_err() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}

/// The newest folder that holds `initdb` and `postgres`.
pub fn find_binaries() -> Option<PathBuf> {
    let holds = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let mut versions: Vec<_> =
        fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.retain(|folder| holds(folder));
    versions.sort();
    versions.pop()
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
