//! The `proffer` command: all five services in one process, and the demo.

mod demo;
mod demo_command;
mod serve_command;

use clap::{Parser, Subcommand};

/// Decides which offer a customer should get now, or that they should get none.
#[derive(Debug, Parser)]
#[command(name = "proffer", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the winback campaign on real customers, prints what it decided and why, then serves.
    /// This is the default.
    Demo(demo_command::Settings),
    /// Serves REST and gRPC on one port, on your own data.
    Serve(serve_command::Settings),
}

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    // Parsed again, so that `proffer` alone reads the environment as `proffer demo` does.
    let command =
        Arguments::parse().command.or_else(|| Arguments::parse_from(["proffer", "demo"]).command);
    match command {
        Some(Command::Serve(settings)) => serve_command::run(settings).await,
        Some(Command::Demo(settings)) => demo_command::run(settings).await,
        None => Ok(()),
    }
}
