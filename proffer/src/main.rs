//! The `proffer` command: all five services in one process, the demo, and what an operator needs.

mod backup;
mod demo;
mod demo_command;
mod migrate_command;
mod serve_command;
#[cfg(test)]
mod settings_page;

use std::{env, ffi::OsString};

use clap::{Parser, Subcommand};

/// Decides which offer a customer should get now, or that they should get none.
#[derive(Debug, Parser)]
#[command(name = "proffer", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the winback campaign on real customers, prints what it decided and why, then serves.
    /// This is the default.
    Demo(demo_command::Settings),
    /// Serves REST and gRPC on one port, on your own data.
    Serve(serve_command::Settings),
    /// Brings the tables of all services up to date, in SQLite or PostgreSQL, and exits.
    Migrate(migrate_command::Settings),
    /// Copies a data folder as it is at one instant. Services may go on meanwhile.
    Backup(backup::save_command::Settings),
    /// Makes a data folder from a backup, and says to which instant everything was taken back.
    Restore(backup::restore_command::Settings),
    /// Checks the settings of `serve`, prints every fault, and exits; nothing is started.
    CheckConfig(serve_command::Settings),
}

impl serve::Checked for Arguments {
    fn faults(&self) -> Vec<String> {
        match &self.command {
            Command::Demo(settings) => settings.faults(),
            Command::Serve(settings) | Command::CheckConfig(settings) => settings.faults(),
            Command::Migrate(settings) => settings.faults(),
            Command::Backup(settings) => settings.faults(),
            Command::Restore(settings) => settings.faults(),
        }
    }
}

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let mut arguments: Vec<OsString> = env::args_os().collect();
    if arguments.len() <= 1 {
        arguments.push("demo".into());
    }
    match serve::settings::<Arguments>(arguments)?.map(|arguments| arguments.command) {
        Some(Command::Serve(settings)) => serve_command::run(settings).await,
        Some(Command::Demo(settings)) => demo_command::run(settings).await,
        Some(Command::Migrate(settings)) => migrate_command::run(settings).await,
        Some(Command::Backup(settings)) => backup::save_command::run(&settings),
        Some(Command::Restore(settings)) => backup::restore_command::run(&settings),
        Some(Command::CheckConfig(_)) => {
            println!("{}", serve::RIGHT);
            Ok(())
        }
        None => Ok(()),
    }
}
