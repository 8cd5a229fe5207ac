//! The `policy-svc` command: policy-svc in its own process.

use policy_svc::{App, Config, Deps};

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let Some(config) = serve::settings::<Config>(std::env::args_os())? else { return Ok(()) };
    let telemetry = config.process.start_telemetry("policy-svc")?;
    let app = App::build(&config.store.location(), Deps { clock: serve::Clock::system() })
        .await?
        .with_retention(config.retention);
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
        stores: vec![app.database()],
    };
    serve::run(process, &config.process, telemetry).await
}
