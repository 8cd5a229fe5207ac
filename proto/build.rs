//! Compiles the contracts with protox (no protoc needed) and exports the descriptor set with all
//! options.

use std::{env, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut protos = Vec::new();
    for package in fs::read_dir("proffer")? {
        for file in fs::read_dir(package?.path().join("v1"))? {
            protos.push(file?.path());
        }
    }
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

fn prost_build_config() -> tonic_prost_build::Config {
    tonic_prost_build::Config::new()
}
