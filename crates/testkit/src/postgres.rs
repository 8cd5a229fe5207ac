//! A private PostgreSQL server: started once by `cargo xtask test`, thrown away with its starter.

use std::{
    fs,
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};

/// Names the server that tests use, for example `postgres://postgres@127.0.0.1:5433/postgres`.
pub const SERVER_VARIABLE: &str = "PROFFER_TEST_POSTGRES_URL";

/// How often the server is asked whether it has started, and how many times.
const POLL: Duration = Duration::from_millis(50);
const POLLS_MAX: u32 = 600;
/// Looks at a crashed server between two attempts to start it.
const STARTS_APART: u32 = 10;

/// Runs the server until standard input ends, then stops it and removes its folder. The pipe ends
/// with the starter, however that dies, so no server is left behind, nor one that is paused: it
/// stops at once, and kills what does not follow. A process group of its own keeps Ctrl-C for the
/// starter. `crash` kills the server at once; `start` starts it again unless
/// it runs (an ended process has no program any more).
const KEEPER: &str = r#"
launch() {
  "$1" -D "$2/data" -p "$3" -k "$2" -c listen_addresses=127.0.0.1 -c max_connections=400 \
    >>"$2/log" 2>&1 </dev/null &
  server=$!
}
launch "$@"
while read -r word; do
  case "$word" in
    crash) kill -KILL "$server"; wait "$server" 2>/dev/null ;;
    start) [ -e "/proc/$server/exe" ] || launch "$@" ;;
  esac
done
kill -QUIT "$server"
kill -CONT "$server"
wait "$server"
cd /
rm -rf "$2"
"#;

/// A running private server; stopped when dropped, or when the process that started it ends in any
/// way.
#[derive(Debug)]
pub struct Postgres {
    keeper: Child,
    lifeline: Option<ChildStdin>,
    folder: PathBuf,
    binaries: PathBuf,
    /// Its address, for `psql` and for the tests.
    pub url: String,
}

impl Postgres {
    /// Starts a server in a temporary folder on a free port, as user `postgres` when run by root.
    pub fn start() -> anyhow::Result<Self> {
        let binaries = find_binaries().context(
            "PostgreSQL's server binaries are missing: install Debian's `postgresql` \
             (apt-get install postgresql)",
        )?;
        let folder = tempfile::Builder::new().prefix("proffer-postgres-").tempdir()?;
        let is_root = fs::metadata("/proc/self")
            .is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if is_root && !Command::new("chown").arg("postgres").arg(folder.path()).status()?.success()
        {
            bail!("root cannot run PostgreSQL and there is no user `postgres`");
        }
        let as_server_user = |program: &Path| {
            let mut command = if is_root {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                    .arg(program);
                command
            } else {
                Command::new(program)
            };
            command.current_dir(folder.path()).stdin(Stdio::null());
            command
        };
        let data = folder.path().join("data");
        let made = as_server_user(&binaries.join("initdb"))
            .arg("-D")
            .arg(data)
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .output()?;
        if !made.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = free_port()?.to_string();
        let mut keeper = as_server_user(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "sh"])
            .arg(binaries.join("postgres"))
            .arg(folder.path())
            .arg(&port)
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let server =
            Self { lifeline: keeper.stdin.take(), keeper, folder: folder.keep(), binaries, url };
        for _ in 0..POLLS_MAX {
            if server.is_ready()? {
                return Ok(server);
            }
            std::thread::sleep(POLL);
        }
        Err(server.not_ready())
    }

    /// Kills the server at once, `kill -9` of its first process; what it had not made durable is
    /// gone. The machine and its page cache stay, so this proves nothing about fsync.
    pub fn crash(&mut self) -> anyhow::Result<()> {
        self.tell("crash")
    }

    /// Stops every process of the server, `kill -STOP`: it takes connections and answers
    /// nothing until [`Self::resume`].
    pub fn pause(&self) -> anyhow::Result<()> {
        let first = self.first_process()?;
        // Without it no further process comes.
        signal("STOP", &[first])?;
        signal("STOP", &children(first)?)
    }

    /// Lets a paused server go on.
    pub fn resume(&self) -> anyhow::Result<()> {
        let first = self.first_process()?;
        signal("CONT", &children(first)?)?;
        signal("CONT", &[first])
    }

    fn first_process(&self) -> anyhow::Result<u32> {
        let text = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        let line = text.lines().next().context("the server names its first process")?;
        Ok(line.trim().parse()?)
    }

    /// Starts a crashed server again on the same data and waits until it answers.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        for poll in 0..POLLS_MAX {
            // It refuses to start while processes of the crashed one still end: it is asked again.
            if poll % STARTS_APART == 0 {
                self.tell("start")?;
            }
            std::thread::sleep(POLL);
            if self.is_ready()? {
                return Ok(());
            }
        }
        Err(self.not_ready())
    }

    fn tell(&mut self, word: &str) -> anyhow::Result<()> {
        let lifeline = self.lifeline.as_mut().context("the server is being stopped")?;
        writeln!(lifeline, "{word}").context("the server's keeper has ended")
    }

    fn is_ready(&self) -> anyhow::Result<bool> {
        let url = &self.url;
        Ok(Command::new(self.binaries.join("pg_isready"))
            .args(["-q", "-d", url])
            .status()?
            .success())
    }

    fn not_ready(&self) -> anyhow::Error {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        anyhow::anyhow!("the private PostgreSQL server did not become ready; its log:\n{log}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        drop(self.keeper.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The newest folder that holds `initdb` and `postgres`.
pub fn find_binaries() -> Option<PathBuf> {
    let holds = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let version = |folder: &PathBuf| -> u32 {
        let name = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        name.and_then(|name| name.parse().ok()).unwrap_or_default()
    };
    let folders =
        fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin"));
    folders.filter(|folder| holds(folder)).max_by_key(version)
}

/// The processes that `parent` has started.
fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // It may have ended since.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // Number, name in parentheses, state, parent.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        if after_name.split_whitespace().nth(1) == Some(parent.to_string().as_str()) {
            found.push(process);
        }
    }
    Ok(found)
}

/// Signals those of the processes that still run.
fn signal(name: &str, processes: &[u32]) -> anyhow::Result<()> {
    for process in processes {
        let process = process.to_string();
        let status =
            Command::new("kill").args(["-s", name, &process]).stderr(Stdio::null()).status()?;
        let is_gone = !Path::new("/proc").join(&process).exists();
        anyhow::ensure!(status.success() || is_gone, "kill -s {name} {process} failed");
    }
    Ok(())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crashed_server_comes_back_on_the_same_data() {
        let mut server = Postgres::start().unwrap();
        let sql = |server: &Postgres, text: &str| {
            let mut psql = Command::new(server.binaries.join("psql"));
            let output = psql.args(["-qAt", "-d", &server.url, "-c", text]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        sql(&server, "create table kept (n int); insert into kept values (7)");
        let first = sql(&server, "select pg_postmaster_start_time()");
        server.crash().unwrap();
        server.start_again().unwrap();
        assert_eq!(sql(&server, "select n from kept"), "7");
        assert_ne!(sql(&server, "select pg_postmaster_start_time()"), first);
    }

    /// The statement is sent while nothing answers, and answered when the server goes on.
    #[test]
    fn a_paused_server_answers_nothing_until_it_goes_on() {
        let server = Postgres::start().unwrap();
        server.pause().unwrap();
        let mut psql = Command::new(server.binaries.join("psql"));
        psql.args(["-qAt", "-d", &server.url, "-c", "select 7"]).stdout(Stdio::piped());
        let mut asking = psql.spawn().unwrap();
        // It is not ready: the question of `pg_isready` has a limit of its own.
        assert!(!server.is_ready().unwrap());
        assert!(asking.try_wait().unwrap().is_none(), "an answer of a server that is stopped");
        server.resume().unwrap();
        let output = asking.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "7");
    }

    #[test]
    fn a_dropped_server_is_gone_with_its_folder_though_it_stands_still() {
        let server = Postgres::start().unwrap();
        let folder = server.folder.clone();
        let address = server
            .url
            .trim_start_matches("postgres://postgres@")
            .trim_end_matches("/postgres")
            .to_owned();
        assert!(folder.exists() && std::net::TcpStream::connect(&address).is_ok());
        server.pause().unwrap();
        drop(server);
        assert!(!folder.exists() && std::net::TcpStream::connect(&address).is_err());
    }
}
