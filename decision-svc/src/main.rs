//! The `decision-svc` command: decision-svc in its own process.

use decision_svc::{
    App, Config, Deps, EXPERIMENTS_SILENCE_MAX, names::Logs, neighbours::Neighbours,
};
use serve::{Clock, Process};

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let Some(config) = serve::settings::<Config>(std::env::args_os())? else { return Ok(()) };
    let telemetry = config.process.start_telemetry("decision-svc")?;
    let neighbours =
        Neighbours::remote(&config.catalog_url, &config.policy_url, &config.experiment_url)?;
    let deps = Deps {
        clock: Clock::system(),
        neighbours,
        snapshot_wait_max: config.snapshot.wait_max(),
        experiments_silence_max: EXPERIMENTS_SILENCE_MAX,
    };
    let app = App::build(&config.store.location(), deps).await?.with_retention(config.retention);
    let app = app.with_flows(config.flows);
    app.follow(Logs::remote(&config.catalog_url, &config.policy_url, &config.experiment_url)?);
    let process = Process {
        name: "decision-svc",
        listen: config.listen,
        admin_listen: config.admin_listen,
        routes: app.routes(),
        front: None,
        services: App::SERVICES,
        tasks: app.tasks(),
        readiness: app.readiness(),
        stores: vec![app.database()],
    };
    serve::run(process, &config.process, telemetry).await
}
