//! Migrating a store, and refusing one that this version cannot use.

use anyhow::{Context as _, bail};
use sqlx::{AssertSqlSafe, migrate::Migration};

use super::{
    Database, Location, PoolSizes,
    patience::{self, Patience},
    step::{Applied, Demand, FIRST_TABLE, LATER_TABLE, Migrations, migrators, spoken},
};

/// The store of one service: its name, and the steps that make its tables.
#[derive(Debug)]
pub struct Schema {
    /// The name: that of the SQLite file, and with `proffer_` before it that of the PostgreSQL
    /// schema.
    pub service: &'static str,
    /// The steps, in the order in which they are applied.
    pub steps: Vec<Migrations>,
}

impl Schema {
    /// Opens the store and migrates it, unless others do.
    pub async fn open(&self, location: &Location) -> anyhow::Result<Database> {
        Database::open(location, self.service, PoolSizes::default(), &self.steps).await
    }

    /// Applies what is missing and returns the names of these steps. Any number of processes may do
    /// so at once: one applies the steps, the others wait for it.
    pub async fn migrate(&self, location: &Location) -> anyhow::Result<Vec<String>> {
        self.migrate_with(location, &Patience::default()).await
    }

    /// The same with other waits for locks.
    pub async fn migrate_with(
        &self,
        location: &Location,
        patience: &Patience,
    ) -> anyhow::Result<Vec<String>> {
        let database = Database::connect(location, self.service, PoolSizes::default()).await?;
        let migrated = async {
            let store = Store { database: &database, location, service: self.service };
            let known = store.known(&self.steps);
            let missing = store.missing(&known).await?;
            store.apply(&known, patience).await?;
            Ok(missing)
        };
        let migrated = migrated.await;
        database.close().await;
        migrated
    }
}

impl Database {
    /// Brings the store to the steps of `migrations`, or refuses it if they are missing and
    /// `location` is migrated by others.
    pub(crate) async fn migrate(
        &self,
        location: &Location,
        service: &str,
        migrations: &[Migrations],
    ) -> anyhow::Result<()> {
        let store = Store { database: self, location, service };
        let known = store.known(migrations);
        if known.is_empty() {
            return store.create().await;
        }
        let missing = store.missing(&known).await?;
        let Some(first) = missing.first() else { return Ok(()) };
        if matches!(location, Location::Migrated(_)) {
            bail!("{} {}", store.too_old(first), store.run_migrate());
        }
        let applied = store.apply(&known, &Patience::default()).await;
        applied.map_err(|error| {
            if is_forbidden(&error) {
                error.context(format!(
                    "{} The role of --database-url may not change it. {}",
                    store.too_old(first),
                    store.run_migrate()
                ))
            } else {
                error
            }
        })
    }
}

/// A store that is being opened.
struct Store<'a> {
    database: &'a Database,
    location: &'a Location,
    service: &'a str,
}

impl Store<'_> {
    fn known<'m>(&self, migrations: &'m [Migrations]) -> Vec<&'m Migration> {
        let of_dialect = |one: &'m Migrations| match self.database {
            Database::Sqlite { .. } => one.sqlite.iter(),
            Database::Postgres(_) => one.postgres.iter(),
        };
        migrations.iter().flat_map(of_dialect).collect()
    }

    /// The steps that are not applied yet. An error if others were applied that this version must
    /// not run beside.
    async fn missing(&self, known: &[&Migration]) -> anyhow::Result<Vec<String>> {
        let mut applied = Vec::new();
        for table in [FIRST_TABLE, LATER_TABLE] {
            let rows = self.applied(table).await;
            applied.extend(rows.with_context(|| format!("read the steps of {}", self.place()))?);
        }
        for step in &applied {
            match known.iter().find(|known| known.version == step.number) {
                Some(same) if *same.checksum == *step.checksum => {}
                Some(_) => bail!(self.of_another_version()),
                None => match Demand::of(&step.name) {
                    Demand::First => bail!(self.of_another_version()),
                    demand if demand.admits(known) => {}
                    _ => bail!(self.too_new(step)),
                },
            }
        }
        let is_missing = |step: &&&Migration| !applied.iter().any(|row| row.number == step.version);
        let missing = known.iter().filter(is_missing);
        Ok(missing.map(|step| spoken(step.version, &step.description)).collect())
    }

    async fn applied(&self, table: &str) -> sqlx::Result<Vec<Applied>> {
        let rows = format!("select version, description, checksum from {table} order by version");
        match self.database {
            Database::Sqlite { writer, .. } => {
                let exists = "select exists (select 1 from sqlite_master where name = $1)";
                let exists: bool = sqlx::query_scalar(exists).bind(table).fetch_one(writer).await?;
                if !exists {
                    return Ok(Vec::new());
                }
                sqlx::query_as(AssertSqlSafe(rows)).fetch_all(writer).await
            }
            Database::Postgres(link) => {
                let pool = link.direct();
                let exists = "select to_regclass($1) is not null";
                let exists: bool = sqlx::query_scalar(exists)
                    .bind(format!("proffer_{}.{table}", self.service))
                    .fetch_one(pool)
                    .await?;
                if !exists {
                    return Ok(Vec::new());
                }
                sqlx::query_as(AssertSqlSafe(rows)).fetch_all(pool).await
            }
        }
    }

    /// Creates what is missing so that the steps can be run.
    async fn create(&self) -> anyhow::Result<()> {
        let (Database::Postgres(link), false) =
            (self.database, matches!(self.location, Location::Migrated(_)))
        else {
            return Ok(());
        };
        let pool = link.direct();
        let schema = format!("proffer_{}", self.service);
        let exists = async || -> sqlx::Result<bool> {
            sqlx::query_scalar("select exists (select 1 from pg_namespace where nspname = $1)")
                .bind(&schema)
                .fetch_one(pool)
                .await
        };
        // Asked first: a role that may not create schemas may not say `if not exists` either.
        if exists().await? {
            return Ok(());
        }
        let create = format!("create schema if not exists {schema}");
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(create)).execute(pool).await {
            // Two processes that start together may both try; the loser finds the schema in place.
            if !exists().await? {
                return Err(error).context("create the schema");
            }
        }
        Ok(())
    }

    async fn apply(&self, known: &[&Migration], patience: &Patience) -> anyhow::Result<()> {
        self.create().await?;
        let migrators = migrators(known);
        match self.database {
            Database::Sqlite { writer, .. } => {
                for migrator in &migrators {
                    let run = migrator.run(writer).await;
                    run.with_context(|| format!("migrate {}", self.place()))?;
                }
                Ok(())
            }
            Database::Postgres(link) => {
                let schema = format!("proffer_{}", self.service);
                patience::run(link.direct(), &schema, &migrators, patience).await
            }
        }
    }

    fn place(&self) -> String {
        match self.location.place() {
            Location::Folder(folder) => {
                format!("the file {}", folder.join(crate::file_name(self.service)).display())
            }
            _ => format!("the schema proffer_{}", self.service),
        }
    }

    fn too_old(&self, missing: &str) -> String {
        let place = self.place();
        format!("{place} is older than this version of Proffer needs: step `{missing}` is missing.")
    }

    fn run_migrate(&self) -> String {
        let command = match self.location.place() {
            Location::Folder(folder) => format!("proffer migrate --data {}", folder.display()),
            _ => "proffer migrate".to_owned(),
        };
        let role = match self.location.place() {
            Location::Folder(_) => "",
            _ => " with the database URL of the schema's owner",
        };
        format!("Run `{command}`{role}, then start again.")
    }

    fn too_new(&self, step: &Applied) -> String {
        format!(
            "{} is newer than this version of Proffer can use: step `{}` took away what this \
             version reads. Start a newer version.",
            self.place(),
            spoken(step.number, &step.name)
        )
    }

    /// What to do with a store of another version.
    fn of_another_version(&self) -> String {
        let remedy = match self.location.place() {
            Location::Folder(folder) => {
                format!("remove the folder {}, or choose another one with --data", folder.display())
            }
            _ => "drop every schema whose name begins with proffer_ (`drop schema … cascade`), or \
                  choose another database with --database-url"
                .to_owned(),
        };
        format!(
            "{} was written by another version of Proffer, and this version cannot read it. \
             Stop all services, {remedy}, and start again; what is stored is lost with it.",
            self.place()
        )
    }
}

/// True when PostgreSQL says that the role may not do this.
fn is_forbidden(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<sqlx::Error>()).any(|cause| {
        let sqlx::Error::Database(error) = cause else { return false };
        // insufficient_privilege
        error.code().as_deref() == Some("42501")
    })
}
