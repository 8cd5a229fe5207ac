//! The `experiment-svc` command: experiment-svc in its own process.

use experiment_svc::{App, Config, Deps};

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let Some(config) = serve::settings::<Config>(std::env::args_os())? else { return Ok(()) };
    let telemetry = config.process.start_telemetry("experiment-svc")?;
    let app = App::build(&config.store.location(), Deps { clock: serve::Clock::system() })
        .await?
        .with_retention(config.retention)
        .with_policy(serve::Neighbour::remote(&config.policy_url)?);
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
        stores: vec![app.database()],
    };
    serve::run(process, &config.process, telemetry).await
}
