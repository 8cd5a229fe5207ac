//! A read that lasts, as another program might keep one open.

use std::path::Path;

use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

/// A transaction that has read one SQLite file, and lasts until it is dropped.
#[derive(Debug)]
pub struct OpenRead {
    _connection: SqliteConnection,
}

impl OpenRead {
    /// Begins to read a file.
    pub async fn begin(file: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let begin = "begin; select count(*) from sqlite_master";
        sqlx::raw_sql(begin).execute(&mut connection).await?;
        Ok(Self { _connection: connection })
    }
}
