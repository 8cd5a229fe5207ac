//! Where a service keeps its data.

use std::path::PathBuf;

use clap::{ArgAction, builder::BoolishValueParser};
use database::Location;

use super::{parser::database_url, secret::Secret};

/// Where data are kept: a folder unless a database is named.
#[derive(Clone, Debug, clap::Args)]
pub struct PlaceSettings {
    /// Folder of the SQLite databases.
    #[arg(long, env = "PROFFER_DATA", default_value = "./proffer-data")]
    pub data: PathBuf,
    /// PostgreSQL 15 or newer to use instead of SQLite:
    /// `postgres://user:password@host:5432/database`.
    #[arg(long, env = "PROFFER_DATABASE_URL", hide_env_values = true, value_parser = database_url)]
    pub database_url: Option<Secret>,
}

impl PlaceSettings {
    /// The place these settings name.
    pub fn location(&self) -> Location {
        match &self.database_url {
            Some(url) => Location::Url(url.expose().to_owned()),
            None => Location::Folder(self.data.clone()),
        }
    }
}

/// Where a service keeps its data, and whether it makes its tables itself.
#[derive(Clone, Debug, clap::Args)]
pub struct StoreSettings {
    /// The folder or the database.
    #[command(flatten)]
    pub place: PlaceSettings,
    /// Whether a starting service brings its tables up to date, `on` or `off`. With `off` it
    /// refuses to start until `proffer migrate` has done so; choose that for several replicas.
    #[arg(long, env = "PROFFER_MIGRATE", default_value = "on", value_name = "on|off",
        action = ArgAction::Set, value_parser = BoolishValueParser::new(),
        hide_possible_values = true)]
    pub migrate: bool,
}

impl StoreSettings {
    /// The place these settings name.
    pub fn location(&self) -> Location {
        let location = self.place.location();
        if self.migrate { location } else { Location::Migrated(Box::new(location)) }
    }
}
