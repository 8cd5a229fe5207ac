//! Backup and restore of a data folder.

pub mod manifest;
pub mod restore_command;
pub mod save_command;

use std::{fs, path::Path};

use anyhow::Context as _;

/// A command that works on files cannot use a database server.
fn faults(place: &serve::PlaceSettings) -> Vec<String> {
    let fault = "backup and restore are for a data folder, and --database-url is set; back \
                 PostgreSQL up with its own tools, as docs/operations.md describes";
    place.database_url.is_some().then(|| fault.to_owned()).into_iter().collect()
}

/// Makes a folder that has nothing in it; one that has something is refused with `remedy`.
fn empty_folder(folder: &Path, remedy: &str) -> anyhow::Result<()> {
    let shown = folder.display();
    database::private::create_folder(folder)
        .with_context(|| format!("cannot create the folder {shown}"))?;
    let mut entries =
        fs::read_dir(folder).with_context(|| format!("cannot read the folder {shown}"))?;
    anyhow::ensure!(entries.next().is_none(), "{shown} is not empty; {remedy}");
    Ok(())
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    let synced = fs::File::open(folder).and_then(|open| open.sync_all());
    synced.with_context(|| format!("cannot write the folder {}", folder.display()))
}
