//! Files that only their owner may read: they hold what is known about customers.

use std::{
    fs::{DirBuilder, File},
    io,
    path::Path,
};

/// Creates a folder, and those above it, for its owner alone. One that is there keeps its rights.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file, which is created for its owner alone. One that is there keeps its rights and what
/// it holds.
pub fn create_file(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}
