//! The `catalog-svc` command: catalog-svc in its own process.

use catalog_svc::{App, Config, Deps};
use clap::Parser as _;

#[derive(clap::Parser)]
#[command(name = "catalog-svc", version, about = "Keeps customer records and what may be offered")]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let config = Arguments::parse().config;
    let telemetry = config.process.start_telemetry("catalog-svc")?;
    let app = App::build(&config.store.location(), Deps { clock: serve::Clock::system() }).await?;
    app.follow(history::remote_log(&config.policy_url)?);
    let process = serve::Process {
        name: "catalog",
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
