//! The `catalog-svc` command: catalog-svc in its own process.

use catalog_svc::{App, Config, Deps};

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let Some(config) = serve::settings::<Config>(std::env::args_os())? else { return Ok(()) };
    let telemetry = config.process.start_telemetry("catalog-svc")?;
    let deps = Deps { clock: serve::Clock::system() };
    let app = App::build(&config.store.location(), deps).await?.with_limits(config.limits);
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
        stores: vec![app.database()],
    };
    serve::run(process, &config.process, telemetry).await
}
