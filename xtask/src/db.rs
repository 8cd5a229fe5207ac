//! `cargo xtask db`: a server for running single tests by hand.

use std::process::Command;

/// Starts a private server and keeps it until this process is ended; the server ends with it,
/// however that happens.
pub fn run() -> anyhow::Result<()> {
    crate::tool::find_or_install()?;
    let server = testkit::Postgres::start()?;
    println!("PostgreSQL is ready at {}", server.url);
    println!("export {}={}", testkit::SERVER_VARIABLE, server.url);
    println!("Ctrl-C stops it and removes its data.");
    crate::command::run(Command::new("sleep").arg("infinity"))
}
