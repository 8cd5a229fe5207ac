//! The admin address of a process: readiness and metrics.

use std::collections::BTreeSet;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::process::Process;

/// How often a starting service is asked whether it is ready, and how many times.
const POLL: std::time::Duration = std::time::Duration::from_millis(20);
const POLLS_MAX: usize = 1_500;

/// Waits until the process behind this admin address may be sent work.
pub async fn ready(admin: &str, process: &mut Process) -> anyhow::Result<()> {
    for _ in 0..POLLS_MAX {
        anyhow::ensure!(process.is_running(), "a service ended at start:\n{}", process.log());
        if is_ready(admin).await {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    anyhow::bail!("a service did not become ready:\n{}", process.log())
}

async fn is_ready(admin: &str) -> bool {
    readyz(admin).await.is_ok_and(|(status, _)| status == 200)
}

/// Status and text of `/readyz` at an admin address.
pub async fn readyz(admin: &str) -> anyhow::Result<(u16, String)> {
    get(admin, "/readyz").await
}

/// The names of the metrics at an admin address that are not 0.
pub async fn moved(admin: &str) -> anyhow::Result<BTreeSet<String>> {
    let (_, text) = get(admin, "/metrics").await?;
    let of_line = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let name = series.split('{').next()?;
        let is_moved = value.parse::<f64>().is_ok_and(|value| value != 0.0);
        is_moved.then(|| {
            name.trim_end_matches("_bucket")
                .trim_end_matches("_sum")
                .trim_end_matches("_count")
                .to_owned()
        })
    };
    Ok(text.lines().filter(|line| !line.starts_with('#')).filter_map(of_line).collect())
}

/// The reasons by which the process at an admin address counts its decisions.
pub async fn reasons(admin: &str) -> anyhow::Result<BTreeSet<String>> {
    let (_, text) = get(admin, "/metrics").await?;
    let of_line = |line: &str| {
        let labels = line.strip_prefix("proffer_decisions_total{")?;
        let (reason, _) = labels.split_once("reason=\"")?.1.split_once('"')?;
        Some(reason.to_owned())
    };
    Ok(text.lines().filter_map(of_line).collect())
}

/// Answers are plain text, so the JSON client does not read them.
async fn get(admin: &str, path: &str) -> anyhow::Result<(u16, String)> {
    let mut socket = tokio::net::TcpStream::connect(admin).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    let (head, text) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    let status = head.split(' ').nth(1).context("an answer has a status")?.parse()?;
    Ok((status, text.trim().to_owned()))
}
