//! What a backup holds: the instant it was taken at, and its files with their checksums.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Name of the manifest. It is written last: a folder without one is not a backup.
pub const NAME: &str = "backup.json";
/// The only format so far.
const FORMAT: u32 = 1;

/// A backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// What was acknowledged before this instant is in the backup, what began after it is not. RFC
    /// 3339, to the microsecond.
    pub taken_at: String,
    /// The version of Proffer that took it.
    pub version: String,
    /// The files, by name.
    pub files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The service it belongs to, such as `policy`.
    pub service: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
}

impl Manifest {
    /// Of files that lie in `folder`.
    pub fn of(folder: &Path, services: &[&str], taken_at: DateTime<Utc>) -> anyhow::Result<Self> {
        let files = services.iter().map(|service| Entry::of(folder, service));
        Ok(Self {
            format: FORMAT,
            taken_at: taken_at.to_rfc3339_opts(SecondsFormat::Micros, true),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            files: files.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Writes it into `folder` durably.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(NAME);
        let written = database::private::create_file(&path).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// That of the backup in `folder`; each file must be what it says.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "{} is not a backup, or one that was not finished: {NAME} cannot be read",
                folder.display()
            )
        })?;
        let manifest: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a manifest of a backup", path.display()))?;
        anyhow::ensure!(
            manifest.format == FORMAT,
            "{} has format {}, and this version reads format {FORMAT}; use the version that took \
             it: {}",
            path.display(),
            manifest.format,
            manifest.version
        );
        for entry in &manifest.files {
            let found = Entry::of(folder, &entry.service)?;
            anyhow::ensure!(
                found == *entry,
                "{} is not the file that was backed up: its content differs from {NAME}; use \
                 another copy of this backup",
                folder.join(database::file_name(&entry.service)).display()
            );
        }
        Ok(manifest)
    }
}

impl Entry {
    fn of(folder: &Path, service: &str) -> anyhow::Result<Self> {
        let path = folder.join(database::file_name(service));
        let read = digest(&path).with_context(|| format!("cannot read {}", path.display()));
        let (bytes, sha256) = read?;
        Ok(Self { service: service.to_owned(), bytes, sha256 })
    }
}

/// The length of a file and the SHA-256 of its content.
fn digest(path: &Path) -> io::Result<(u64, String)> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let (mut bytes, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(buffer.get(..count).unwrap_or_default());
        bytes += count as u64;
    }
    Ok((bytes, hex::encode(hasher.finalize())))
}
