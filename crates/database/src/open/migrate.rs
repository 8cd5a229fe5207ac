//! Migrating a store, and refusing one that another version wrote.

use anyhow::{Context as _, bail};
use sqlx::migrate::{Migration, Migrator};

use super::{Database, Location};

/// The same steps in both dialects.
#[derive(Debug)]
pub struct Migrations {
    /// For SQLite.
    pub sqlite: &'static Migrator,
    /// For PostgreSQL.
    pub postgres: &'static Migrator,
}

/// An applied step: its number and the checksum of its text.
type Applied = (i64, Vec<u8>);

const APPLIED: &str = "select version, checksum from _sqlx_migrations";

impl Database {
    /// Applies the steps that are missing. A store with steps that are none of these is refused.
    pub(crate) async fn migrate(
        &self,
        location: &Location,
        service: &str,
        migrations: &[Migrations],
    ) -> anyhow::Result<()> {
        let steps = migrations.iter().map(|one| match self {
            Self::Sqlite { .. } => one.sqlite,
            Self::Postgres(_) => one.postgres,
        });
        let known: Vec<&Migration> = steps.clone().flat_map(|steps| steps.iter()).collect();
        if known.is_empty() {
            return Ok(());
        }
        let is_known = |(number, checksum): &Applied| {
            known.iter().any(|step| step.version == *number && *step.checksum == **checksum)
        };
        let while_migrating = || format!("migrate the store of {service}");
        let applied = self.applied().await.with_context(while_migrating)?;
        if !applied.iter().all(is_known) {
            bail!(refusal(location, service));
        }
        for steps in steps {
            // Two crates share the table of applied steps, each with numbers of its own.
            let mut steps = Migrator { migrations: steps.migrations.clone(), ..Migrator::DEFAULT };
            let steps = steps.set_ignore_missing(true);
            match self {
                Self::Sqlite { writer, .. } => steps.run(writer).await,
                Self::Postgres(link) => steps.run(link.direct()).await,
            }
            .with_context(while_migrating)?;
        }
        Ok(())
    }

    async fn applied(&self) -> sqlx::Result<Vec<Applied>> {
        let exists: bool = match self {
            Self::Sqlite { writer, .. } => {
                let select = "select exists (
                    select 1 from sqlite_master where name = '_sqlx_migrations')";
                sqlx::query_scalar(select).fetch_one(writer).await?
            }
            Self::Postgres(link) => {
                let select = "select to_regclass('_sqlx_migrations') is not null";
                sqlx::query_scalar(select).fetch_one(link.direct()).await?
            }
        };
        match self {
            _ if !exists => Ok(Vec::new()),
            Self::Sqlite { writer, .. } => sqlx::query_as(APPLIED).fetch_all(writer).await,
            Self::Postgres(link) => sqlx::query_as(APPLIED).fetch_all(link.direct()).await,
        }
    }
}

/// What to do with a store of another version.
fn refusal(location: &Location, service: &str) -> String {
    let (store, remedy) = match location {
        Location::Folder(folder) => {
            let file = folder.join(format!("{service}.sqlite"));
            let remedy = format!(
                "remove the folder {}, or choose another one with --data",
                folder.display()
            );
            (format!("the file {}", file.display()), remedy)
        }
        Location::Url(_) => (
            format!("the schema proffer_{service}"),
            "drop every schema whose name begins with proffer_ (`drop schema … cascade`), or \
             choose another database with --database-url"
                .to_owned(),
        ),
    };
    format!(
        "{store} was written by another version of Proffer, and this version cannot read it. \
         Stop all services, {remedy}, and start again; what is stored is lost with it."
    )
}
