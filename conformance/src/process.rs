//! The built programs as child processes.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};

/// How often an ended process is looked for, and how many times.
const POLL: Duration = Duration::from_millis(20);
const POLLS_MAX: u32 = 1_500;
/// Characters of a program's log shown with a failure.
const LOG_SHOWN: usize = 4_000;

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: Arc<Mutex<String>>,
    lines: Arc<Mutex<Vec<String>>>,
}

/// The file of a built program: beside the own program, or beside a test's own folder.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder =
        own.parent().and_then(std::path::Path::parent).context("a test lies in target/…/deps")?;
    let beside = own.with_file_name(name);
    let path = if beside.exists() { beside } else { folder.join(name) };
    if !path.exists() {
        bail!(
            "{name} is not built: run the tests with `cargo xtask test`, or `cargo build \
             --workspace --bins` first"
        );
    }
    Ok(path)
}

impl Process {
    /// Starts a program and keeps what it prints.
    pub fn start(
        name: &str,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        Self::start_at(&program(name)?, arguments, environment)
    }

    /// The same for a program of any place.
    pub fn start_at(
        program: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let name = program.display().to_string();
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {name}"))?;
        let (log, lines) = (Arc::<Mutex<String>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let kept = lines.clone();
        std::thread::spawn(move || {
            for line in output
                .into_iter()
                .flat_map(|output| BufReader::new(output).lines())
                .map_while(Result::ok)
            {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let kept = log.clone();
        std::thread::spawn(move || {
            let Some(mut errors) = errors else { return };
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = errors.read(&mut bytes) {
                let text =
                    String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned();
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        Ok(Self { child, name, log, lines })
    }

    /// Waits for a line of standard output that `finds` something, and returns what it found.
    pub async fn line<T>(&mut self, finds: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        for _ in 0..POLLS_MAX {
            let found = self.output().iter().find_map(|line| finds(line));
            if let Some(found) = found {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}) before it was ready:\n{}", self.name, self.log());
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("{} did not become ready:\n{}", self.name, self.log())
    }

    /// Waits until it ends by itself; tells its exit code and its log.
    pub async fn ended(self) -> anyhow::Result<(Option<i32>, String)> {
        self.ended_with_output().await.map(|(code, log, _)| (code, log))
    }

    /// The same, with the lines of its standard output.
    pub async fn ended_with_output(mut self) -> anyhow::Result<(Option<i32>, String, Vec<String>)> {
        for _ in 0..POLLS_MAX {
            if let Some(status) = self.child.try_wait()? {
                // What it said last may still be on its way through the pipe.
                tokio::time::sleep(POLL).await;
                return Ok((status.code(), self.log(), self.output()));
            }
            tokio::time::sleep(POLL).await;
        }
        bail!("{} did not end", self.name)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True until it has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal, for example `TERM`.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status()?;
        anyhow::ensure!(status.success(), "kill -s {name} {pid} failed");
        Ok(())
    }

    /// Kills it at once, as the machine's end would: SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Lines printed so far.
    pub fn output(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that it logged.
    pub fn whole_log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The end of what it logged.
    pub fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let from = log.char_indices().rev().nth(LOG_SHOWN).map_or(0, |(at, _)| at);
        log.get(from..).unwrap_or_default().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
