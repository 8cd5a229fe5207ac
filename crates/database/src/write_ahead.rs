//! Bounds the write-ahead log of an SQLite file.
//!
//! SQLite writes the log back by itself, and begins it anew when no read needs it any more. While
//! reads always overlap it cannot, and the log grows. So it is looked at from time to time, and cut
//! when it is too long.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Weak,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::DatabaseError;

/// The longest log that is kept, in bytes.
pub const BYTES_MAX: u64 = 64 << 20;
/// Pages after which the log is written back.
pub const PAGES_MAX: u32 = 1_000;
/// How often its length is looked at.
const INTERVAL: Duration = Duration::from_secs(20);
/// How long cutting waits for reads to end. Writers wait as long.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// The log of a file.
fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The length of the log, in bytes; 0 without one.
pub fn length(file: &Path) -> u64 {
    fs::metadata(log_of(file)).map_or(0, |found| found.len())
}

/// Writes the log back and cuts it to nothing, unless reads need it for longer than a moment.
pub async fn cut(file: PathBuf) -> Result<(), DatabaseError> {
    let cut = tokio::task::spawn_blocking(move || {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(WAIT_MAX)?;
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
    });
    Ok(cut.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
}

/// Cuts the log of `file` whenever it is too long, until `lock` is given up.
pub async fn bound(file: PathBuf, lock: Weak<File>) {
    let mut tick = tokio::time::interval(INTERVAL);
    while lock.strong_count() > 0 {
        tick.tick().await;
        if length(&file) > BYTES_MAX
            && let Err(error) = cut(file.clone()).await
        {
            tracing::warn!(%error, file = %file.display(), "the write-ahead log was not cut");
        }
    }
}
