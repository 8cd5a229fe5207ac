//! `proffer restore`: makes a data folder from a backup.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::Context as _;

use super::{empty_folder, faults, manifest::Manifest, sync_folder};

/// Settings of `proffer restore`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// The data folder.
    #[command(flatten)]
    pub place: serve::PlaceSettings,
    /// Folder of the backup.
    #[arg(long, env = "PROFFER_BACKUP_FROM", value_name = "FOLDER")]
    pub from: PathBuf,
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

/// Copies the backup into the data folder, and says to which instant everything was taken back.
pub fn run(settings: &Settings) -> anyhow::Result<()> {
    let (from, data) = (&settings.from, &settings.place.data);
    // Nothing is written before the whole backup has been found sound.
    let manifest = Manifest::read(from)?;
    empty_folder(
        data,
        "stop what uses it and move it away, so that nothing of it is mixed with the backup, or \
         name a new folder with --data",
    )?;
    let mut names = Vec::new();
    for entry in &manifest.files {
        let name = database::file_name(&entry.service);
        // An interrupted restore leaves no file that a service would open.
        let (part, whole) = (data.join(format!("{name}.part")), data.join(&name));
        let copied = fs::copy(from.join(&name), &part)
            .and_then(|_| File::open(&part))
            .and_then(|file| file.sync_all());
        copied.with_context(|| format!("cannot write {}", part.display()))?;
        names.push((part, whole));
    }
    for (part, whole) in names {
        fs::rename(&part, &whole).with_context(|| format!("cannot write {}", whole.display()))?;
    }
    sync_folder(data)?;
    let services: Vec<_> = manifest.files.iter().map(|file| file.service.as_str()).collect();
    println!("{}: {}", data.display(), services.join(", "));
    println!("{}", warning(&manifest));
    Ok(())
}

/// What people must know after a restore.
fn warning(manifest: &Manifest) -> String {
    let taken_at = &manifest.taken_at;
    format!(
        "everything was taken back to {taken_at}\n\
         What was acknowledged before that instant is there. What was acknowledged after it is \
         gone: configuration, records, decisions, contacts, outcomes and withdrawn consent. Before \
         anybody is contacted, report again the withdrawals since then, and the contacts since \
         then, which caps count."
    )
}
