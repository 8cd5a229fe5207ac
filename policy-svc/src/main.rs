//! The `policy-svc` command: policy-svc in its own process.

use clap::Parser as _;
use policy_svc::{App, Config, Deps};

#[derive(clap::Parser)]
#[command(name = "policy-svc", version, about = "Decides who may be contacted, when and how often")]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let config = Arguments::parse().config;
    let telemetry = config.process.start_telemetry("policy-svc")?;
    let app = App::build(&config.store.location(), Deps { clock: serve::Clock::system() }).await?;
    app.follow(history::remote_log(&config.catalog_url)?);
    let process = serve::Process {
        name: "policy",
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
