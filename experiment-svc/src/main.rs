//! The `experiment-svc` command: experiment-svc in its own process.

use clap::Parser as _;
use experiment_svc::{App, Config, Deps};

#[derive(clap::Parser)]
#[command(
    name = "experiment-svc",
    version,
    about = "Keeps experiments and assignments, and computes results"
)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let config = Arguments::parse().config;
    let telemetry = config.process.start_telemetry("experiment-svc")?;
    let app = App::build(&config.store.location(), Deps { clock: serve::Clock::system() }).await?;
    app.follow(history::remote_log(&config.decision_url)?);
    let process = serve::Process {
        name: "experiment",
        listen: config.listen,
        admin_listen: config.admin_listen,
        routes: app.routes(),
        front: None,
        services: App::SERVICES,
        tasks: app.tasks(),
        readiness: app.readiness(),
    };
    serve::run(process, &config.process, telemetry).await
}
