//! The `gateway` command: the gateway in its own process.

use gateway::{Gateway, Neighbours, Settings};
use serve::{Neighbour, Process, Readiness, Task};
use tonic::service::Routes;

fn main() -> std::process::ExitCode {
    serve::main(run())
}

async fn run() -> anyhow::Result<()> {
    let Some(settings) = serve::settings::<Settings>(std::env::args_os())? else { return Ok(()) };
    let telemetry = settings.process.start_telemetry("gateway")?;
    let neighbours = Neighbours {
        catalog: Neighbour::remote(&settings.catalog_url)?,
        policy: Neighbour::remote(&settings.policy_url)?,
        decision: Neighbour::remote(&settings.decision_url)?,
        experiment: Neighbour::remote(&settings.experiment_url)?,
    };
    let config = settings.config()?;
    let hosts = config.hosts();
    let gateway = Gateway::build(config, neighbours)?;
    let readiness = Readiness::default();
    let ready = readiness.clone();
    // Tasks start once the sockets are bound.
    let listening: Task = Box::pin(async move { ready.set(true) });
    let process = Process {
        name: "gateway",
        listen: settings.listen,
        admin_listen: settings.admin_listen,
        routes: Routes::from(gateway.doors()),
        front: Some((gateway.doors(), hosts)),
        services: Gateway::services(),
        tasks: vec![listening],
        readiness,
        stores: Vec::new(),
    };
    serve::run(process, &settings.process, telemetry).await
}
