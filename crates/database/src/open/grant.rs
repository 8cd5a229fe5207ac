//! Gives a role without ownership what a service needs: rows, but no tables.

use anyhow::{Context as _, bail};
use sqlx::{AssertSqlSafe, PgPool};

use super::{
    Database, Location, PoolSizes,
    migrate::Schema,
    step::{FIRST_TABLE, LATER_TABLE},
};

impl Schema {
    /// Lets `role` read and write the rows of this schema, and those of every table that later
    /// steps add. It may not create, change or drop a table, and not change which steps were
    /// applied.
    pub async fn grant(&self, location: &Location, role: &str) -> anyhow::Result<()> {
        let database = Database::connect(location, self.service, PoolSizes::default()).await?;
        let granted = match &database {
            Database::Postgres(link) => grant(link.direct(), self.service, role).await,
            Database::Sqlite { .. } => {
                bail!("--app-role names a role of PostgreSQL: add --database-url")
            }
        };
        database.close().await;
        granted
    }
}

async fn grant(pool: &PgPool, service: &str, role: &str) -> anyhow::Result<()> {
    let schema = format!("proffer_{service}");
    // No row: there is no such role. A member of the owner could do all that the owner can.
    let is_owner: Option<bool> = sqlx::query_scalar(
        "select pg_has_role(role.oid, nspowner, 'member')
         from pg_roles role, pg_namespace where rolname = $1 and nspname = $2",
    )
    .bind(role)
    .bind(&schema)
    .fetch_optional(pool)
    .await?;
    match is_owner {
        None => bail!(
            "--app-role `{role}` is no role of this server; create it with \
             `create role {quoted} login password '…'`",
            quoted = quoted(role)
        ),
        Some(true) => bail!(
            "--app-role `{role}` owns the schema {schema}, or is a member of its owner or a \
             superuser; name a role that owns nothing"
        ),
        Some(false) => {}
    }
    let role = quoted(role);
    let rows = "select, insert, update, delete";
    let mut text = format!(
        "grant usage on schema {schema} to {role};
         grant {rows} on all tables in schema {schema} to {role};
         alter default privileges in schema {schema} grant {rows} on tables to {role};"
    );
    for table in [FIRST_TABLE, LATER_TABLE] {
        text.push_str(&format!("revoke insert, update, delete on {schema}.{table} from {role};"));
    }
    let done = sqlx::raw_sql(AssertSqlSafe(text)).execute(pool).await;
    done.map(drop).with_context(|| format!("grant the rows of {schema} to {role}"))
}

/// A name as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
