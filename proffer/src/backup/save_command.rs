//! `proffer backup`: copies a data folder as it is at one instant, while it is in use.

use std::{fs::File, path::PathBuf};

use anyhow::Context as _;
use database::Snapshots;

use super::{empty_folder, faults, manifest::Manifest, sync_folder};
use crate::migrate_command::schemas;

/// Settings of `proffer backup`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// The data folder.
    #[command(flatten)]
    pub place: serve::PlaceSettings,
    /// Folder that gets the backup. It must be empty, or not there yet.
    #[arg(long, env = "PROFFER_BACKUP_TO", value_name = "FOLDER")]
    pub to: PathBuf,
    /// The settings file.
    #[command(flatten)]
    pub source: serve::SourceSettings,
}

impl Settings {
    /// What is wrong with settings that are right one by one.
    pub fn faults(&self) -> Vec<String> {
        faults(&self.place)
    }
}

/// Takes the backup, and says of which instant it is. Services may go on meanwhile.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let (data, to) = (&settings.place.data, &settings.to);
    let services = schemas().map(|schema| schema.service);
    let present = |service: &&str| data.join(database::file_name(service)).is_file();
    let (present, absent): (Vec<_>, Vec<_>) = services.into_iter().partition(present);
    anyhow::ensure!(
        !present.is_empty(),
        "{} has no data of Proffer; name the data folder with --data",
        data.display()
    );
    empty_folder(to, "name a new folder with --to")?;
    let clock = serve::Clock::system();
    let (snapshots, taken_at) = Snapshots::take(data, &present, || clock.now())?;
    for copy in snapshots.copy_to(to)? {
        let synced = File::open(&copy).and_then(|file| file.sync_all());
        synced.with_context(|| format!("cannot write {}", copy.display()))?;
    }
    drop(snapshots);
    let manifest = Manifest::of(to, &present, taken_at)?;
    manifest.write(to)?;
    sync_folder(to)?;
    let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    println!(
        "{} as it was at {}: {}; {bytes} bytes in {}",
        data.display(),
        manifest.taken_at,
        present.join(", "),
        to.display()
    );
    if !absent.is_empty() {
        println!("not in {}, and so not in the backup: {}", data.display(), absent.join(", "));
    }
    Ok(())
}
