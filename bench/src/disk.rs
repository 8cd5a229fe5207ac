//! A temporary folder on a real disk, beside this program. The system's temporary folder may be in
//! memory, where a flush costs nothing.

use anyhow::Context as _;
use tempfile::TempDir;

/// A new folder, removed when dropped.
pub fn folder() -> anyhow::Result<TempDir> {
    let program = std::env::current_exe().context("find this program")?;
    let beside = program.parent().context("this program is in no folder")?;
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(beside)
        .context("create a folder for the run")
}
