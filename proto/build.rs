//! Compiles the contracts with protox (no protoc needed) and exports the descriptor set with all
//! options.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut protos = Vec::new();
    collect(Path::new("proffer"), &mut protos)?;
    protos.sort();
    println!("cargo:rerun-if-changed=proffer");
    println!("cargo:rerun-if-changed=google");
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(protos)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("proffer.bin"), compiler.encode_file_descriptor_set())?;
    let mut config = prost_build_config();
    config.btree_map(["."]).enable_type_names();
    tonic_prost_build::configure()
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    Ok(())
}

/// The contracts in a folder and all below it.
fn collect(folder: &Path, protos: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, protos)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            protos.push(path);
        }
    }
    Ok(())
}

fn prost_build_config() -> tonic_prost_build::Config {
    tonic_prost_build::Config::new()
}
