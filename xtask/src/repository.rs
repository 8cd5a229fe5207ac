//! The repository's files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// Folders that hold no source; `.git` is a file in a linked worktree.
const SKIPPED: [&str; 4] = ["target", "proffer-data", "node_modules", ".git"];
/// Files larger than this are data.
const SOURCE_BYTES_MAX: u64 = 1 << 20;

/// The folder of the workspace.
pub fn root() -> anyhow::Result<PathBuf> {
    // Cargo says at run time where the package lies; a copied target folder may hold a binary built
    // elsewhere.
    let own =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Ok(Path::new(&own).parent().context("xtask lies in the workspace")?.to_owned())
}

/// A file that is UTF-8.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path from the root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Every text file below `root`, by path.
pub fn source_files(root: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    collect(root, root, &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if kind.is_file() && entry.metadata()?.len() <= SOURCE_BYTES_MAX {
            // A file that is not UTF-8 is data.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            files.push(SourceFile { path, text });
        }
    }
    Ok(())
}
