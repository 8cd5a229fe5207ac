//! Where files of a run are put: beside this program, which lies on a disk. A system's own folder
//! for temporary files may be memory, and flushing that costs nothing.

use anyhow::Context as _;
use tempfile::TempDir;

/// A fresh folder, removed when dropped.
pub fn folder() -> anyhow::Result<TempDir> {
    let program = std::env::current_exe().context("find this program")?;
    let beside = program.parent().context("this program lies nowhere")?;
    tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(beside)
        .context("create a folder for the run")
}
