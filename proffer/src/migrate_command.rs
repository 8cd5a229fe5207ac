//! `proffer migrate`: brings the tables of all services up to date.

use anyhow::Context as _;
use database::Schema;
use serve::telemetry::{LogSettings, OtlpSettings, Telemetry};

/// Settings of `proffer migrate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// The database.
    #[command(flatten)]
    pub place: serve::PlaceSettings,
    /// Role of PostgreSQL with which the services connect. It gets what they need: it may read and
    /// write rows, and not create, change or drop tables. This command connects as the owner.
    #[arg(long, env = "PROFFER_APP_ROLE", value_name = "ROLE")]
    pub app_role: Option<String>,
    /// The settings file.
    #[command(flatten)]
    pub source: serve::SourceSettings,
}

impl Settings {
    /// What is wrong with settings that are right one by one.
    pub fn faults(&self) -> Vec<String> {
        let is_lost = self.app_role.is_some() && self.place.database_url.is_none();
        let fault = "--app-role names a role of PostgreSQL: name the database with --database-url";
        is_lost.then(|| fault.to_owned()).into_iter().collect()
    }
}

/// The stores of all services.
pub fn schemas() -> [Schema; 4] {
    [catalog_svc::schema(), policy_svc::schema(), decision_svc::schema(), experiment_svc::schema()]
}

/// Applies the steps that are missing, and says which they were.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let log = LogSettings { filter: "info", is_json: false };
    Telemetry::start("proffer", log, &OtlpSettings::default()).map(drop)?;
    let location = settings.place.location();
    for schema in schemas() {
        let service = schema.service;
        let steps = schema.migrate(&location).await;
        let steps = steps.with_context(|| format!("the store of {service} was not migrated"))?;
        match steps.as_slice() {
            [] => println!("{service}: up to date"),
            steps => println!("{service}: applied {}", steps.join(", ")),
        }
        if let Some(role) = &settings.app_role {
            schema.grant(&location, role).await?;
            println!("{service}: `{role}` may read and write rows");
        }
    }
    Ok(())
}
