//! Copies the SQLite files of several services as they were at one instant, while they are in use.
//!
//! For a moment all files are locked against writes, and a read transaction begins on each. The
//! transaction sees the file as it was at that moment, and the copy is made from it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::private;
use rusqlite::{
    Connection, ErrorCode, OpenFlags,
    backup::{Backup, StepResult},
};

/// How long the files wait for each other's writers. So long at most does a backup delay a write.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often all files are asked for again when one has a long write.
const ATTEMPTS_MAX: usize = 40;
/// Pages copied between two looks at the result.
const PAGES: std::ffi::c_int = 4_096;

/// Why files were not copied.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// No moment was found in which nothing was written.
    #[error("{0} was being written to all the time; try again when there is less to do")]
    Busy(PathBuf),
    /// The file cannot be read, or the copy cannot be written.
    #[error("{file}: {error}")]
    File {
        /// Which.
        file: PathBuf,
        /// What SQLite says.
        error: rusqlite::Error,
    },
    /// The copy cannot be created.
    #[error("{file}: {error}")]
    Create {
        /// The copy.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The copy does not hold together.
    #[error("the copy {file} is damaged: {finding}")]
    Damaged {
        /// The copy.
        file: PathBuf,
        /// The first finding of SQLite's check.
        finding: String,
    },
}

/// Files of a folder as they were at one instant. Services may go on writing; the write-ahead logs
/// grow until this is dropped.
#[derive(Debug)]
pub struct Snapshots(Vec<Snapshot>);

#[derive(Debug)]
struct Snapshot {
    file: PathBuf,
    reader: Connection,
}

/// Name of a service's file in the data folder.
pub fn file_name(service: &str) -> String {
    format!("{service}.sqlite")
}

impl Snapshots {
    /// The files of `services` in `folder` as they are at one instant, and what `now` said at that
    /// instant: every transaction that ended before it is in them, and none that began after it.
    /// Blocks for 10 s at most.
    pub fn take<T>(
        folder: &Path,
        services: &[&str],
        now: impl Fn() -> T,
    ) -> Result<(Self, T), BackupError> {
        let files: Vec<_> =
            services.iter().map(|service| folder.join(file_name(service))).collect();
        let mut busy = PathBuf::new();
        for _ in 0..ATTEMPTS_MAX {
            match Self::attempt(&files, &now) {
                Err(BackupError::Busy(file)) => busy = file,
                done => return done,
            }
        }
        Err(BackupError::Busy(busy))
    }

    fn attempt<T>(files: &[PathBuf], now: impl Fn() -> T) -> Result<(Self, T), BackupError> {
        // Writers of one file never wait for another file, so no two can wait for each other. The
        // locks are given up when they are dropped.
        let locked: Result<Vec<_>, _> = files.iter().map(|file| lock(file)).collect();
        let _locked = locked?;
        let snapshots: Result<_, _> = files.iter().map(|file| Snapshot::begin(file)).collect();
        Ok((Self(snapshots?), now()))
    }

    /// Copies each file into `folder` under its own name and checks the copy. Blocks.
    pub fn copy_to(&self, folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
        self.0.iter().map(|snapshot| snapshot.copy_to(folder)).collect()
    }
}

/// A connection that keeps others from writing.
fn lock(file: &Path) -> Result<Connection, BackupError> {
    let begun = open(file).and_then(|connection| {
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch("begin immediate")?;
        Ok(connection)
    });
    begun.map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            BackupError::Busy(file.to_owned())
        }
        _ => BackupError::File { file: file.to_owned(), error },
    })
}

fn open(file: &Path) -> Result<Connection, rusqlite::Error> {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

impl Snapshot {
    fn begin(file: &Path) -> Result<Self, BackupError> {
        let begun = open(file).and_then(|reader| {
            // The transaction sees the file as it is at its first read.
            reader.execute_batch("begin; select count(*) from sqlite_schema")?;
            Ok(reader)
        });
        let reader = begun.map_err(|error| BackupError::File { file: file.to_owned(), error })?;
        Ok(Self { file: file.to_owned(), reader })
    }

    fn copy_to(&self, folder: &Path) -> Result<PathBuf, BackupError> {
        let copy = folder.join(self.file.file_name().unwrap_or_default());
        private::create_file(&copy)
            .map_err(|error| BackupError::Create { file: copy.clone(), error })?;
        let finding = self.copy_and_check(&copy);
        match finding.map_err(|error| BackupError::File { file: copy.clone(), error })? {
            finding if finding == "ok" => Ok(copy),
            finding => Err(BackupError::Damaged { file: copy, finding }),
        }
    }

    /// What SQLite says of the copy; `ok` when nothing is wrong.
    fn copy_and_check(&self, copy: &Path) -> Result<String, rusqlite::Error> {
        let mut target = Connection::open(copy)?;
        let backup = Backup::new(&self.reader, &mut target)?;
        // The open transaction keeps the source as it was, so copying never starts again.
        while backup.step(PAGES)? != StepResult::Done {}
        drop(backup);
        target.query_row("pragma quick_check(1)", [], |row| row.get(0))
    }
}
