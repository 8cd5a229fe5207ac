//! Opens a database, guards it against a second process, and migrates it.

mod grant;
pub(crate) mod migrate;
pub(crate) mod patience;
pub(crate) mod step;

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
    str::FromStr as _,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use sqlx::{
    Connection as _, Executor as _, PgConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use self::step::Migrations;
use crate::{Link, Readers, private, write_ahead};

/// Where a process keeps its data.
#[derive(Clone)]
pub enum Location {
    /// A folder with one SQLite file per service.
    Folder(PathBuf),
    /// A PostgreSQL database with one schema per service: `postgres://user@host/database`.
    Url(String),
    /// One of the others, already migrated: a service that opens it creates and changes no table.
    Migrated(Box<Location>),
}

impl Location {
    /// The folder or the database itself.
    pub fn place(&self) -> &Self {
        match self {
            Self::Migrated(inner) => inner.place(),
            _ => self,
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => f.debug_tuple("Folder").field(folder).finish(),
            // The URL may hold a password.
            Self::Url(_) => f.write_str("Url(…)"),
            Self::Migrated(inner) => f.debug_tuple("Migrated").field(inner).finish(),
        }
    }
}

/// Connections a service may hold. On SQLite short questions have no limit but the threads they are
/// asked on.
#[derive(Clone, Copy, Debug)]
pub struct PoolSizes {
    /// On SQLite, readers that are kept, and questions at once that may take long; on PostgreSQL
    /// all connections.
    pub connections_max: u32,
    /// Longest wait for a free connection.
    pub acquire_timeout: Duration,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self { connections_max: 12, acquire_timeout: Duration::from_secs(5) }
    }
}

/// The store of one service. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Database {
    /// One file; one writer, several readers.
    Sqlite {
        /// A pool of one: SQLite has one writer.
        writer: SqlitePool,
        /// Read-only connections.
        readers: Readers,
        /// Held while the file is open, so that a second process is refused.
        lock: Arc<File>,
    },
    /// One schema.
    Postgres(Link),
}

/// A statement on PostgreSQL that runs longer is cancelled.
const STATEMENT_TIMEOUT: &str = "15s";

/// A connection to PostgreSQL that answered so short a time ago is taken to answer again.
const TRUSTED: Duration = Duration::from_secs(1);

/// Time in which a connection must be clean to return to its pool; beyond it, it is closed.
const RETURN_MAX: Duration = Duration::from_secs(5);

impl Database {
    /// Opens the store of `service` and migrates it, unless others do. A store that this version
    /// cannot use is refused.
    pub async fn open(
        location: &Location,
        service: &str,
        sizes: PoolSizes,
        migrations: &[Migrations],
    ) -> anyhow::Result<Self> {
        let database = Self::connect(location, service, sizes).await?;
        database.migrate(location, service, migrations).await?;
        Ok(database)
    }

    /// Opens the store of `service` as it is.
    async fn connect(location: &Location, service: &str, sizes: PoolSizes) -> anyhow::Result<Self> {
        let mut location = location;
        loop {
            match location {
                Location::Folder(folder) => return Self::open_file(folder, service, sizes).await,
                Location::Url(url) => return Self::open_schema(url, service, sizes).await,
                Location::Migrated(inner) => location = inner,
            }
        }
    }

    async fn open_file(folder: &Path, service: &str, sizes: PoolSizes) -> anyhow::Result<Self> {
        private::create_folder(folder)
            .with_context(|| cannot_write(folder, "create the data folder"))?;
        let lock = private::create_file(&folder.join(format!("{service}.lock")))
            .with_context(|| cannot_write(folder, "write in the data folder"))?;
        if lock.try_lock().is_err() {
            bail!(
                "{} is in use by another process; choose another folder with --data",
                folder.display()
            );
        }
        let path = folder.join(crate::file_name(service));
        // SQLite gives its other files the rights of this one.
        private::create_file(&path).with_context(|| cannot_write(folder, "write in"))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", write_ahead::PAGES_MAX.to_string())
            .pragma("journal_size_limit", write_ahead::BYTES_MAX.to_string())
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(sizes.acquire_timeout)
            // A connection to a file inside this process is there.
            .test_before_acquire(false)
            .after_release(|connection, _| {
                Box::pin(async move {
                    // A future dropped inside `begin` can hand a connection back with its
                    // transaction open; the next borrower's writes would then vanish with it.
                    // Outside a transaction ROLLBACK is an error.
                    if connection.is_in_transaction() {
                        // The connection is closed whatever this answers: the transaction may have
                        // ended meanwhile.
                        drop(sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await);
                        return Ok(false);
                    }
                    Ok(true)
                })
            });
        // The writer creates the file and its journal mode; readers come after it.
        let writer =
            pool.connect_with(options).await.with_context(|| format!("open {}", path.display()))?;
        let (connections, wait) = (sizes.connections_max as usize, sizes.acquire_timeout);
        let readers = Readers::new(path.clone(), connections, wait);
        readers.fill().await.with_context(|| format!("open {}", path.display()))?;
        let lock = Arc::new(lock);
        tokio::spawn(write_ahead::bound(path, Arc::downgrade(&lock)));
        Ok(Self::Sqlite { writer, readers, lock })
    }

    async fn open_schema(url: &str, service: &str, sizes: PoolSizes) -> anyhow::Result<Self> {
        let schema = format!("proffer_{service}");
        let options = options_of(url)?.application_name(&format!("proffer-{service}")).options([
            ("search_path", schema.as_str()),
            ("statement_timeout", STATEMENT_TIMEOUT),
            // Statements are short; some take longer to compile than to run.
            ("jit", "off"),
            // The guard below begins a transaction; PostgreSQL warns when one was left open.
            ("client_min_messages", "error"),
        ]);
        reach(&options, sizes.acquire_timeout).await?;
        let pool = PgPoolOptions::new()
            .max_connections(sizes.connections_max)
            .acquire_timeout(sizes.acquire_timeout)
            // Whether a connection is still there is asked after a pause only: the question is a
            // round trip.
            .test_before_acquire(false)
            .before_acquire(|connection, found| {
                Box::pin(async move {
                    if found.idle_for > TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_release(|connection, _| {
                Box::pin(async move {
                    // The same guard. A bare ROLLBACK would leave a warning in the server's log
                    // every time. A server that hangs must not keep the connection's place.
                    let rolled_back = connection.execute("BEGIN; ROLLBACK");
                    let in_time = tokio::time::timeout(RETURN_MAX, rolled_back).await;
                    in_time.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|_| true)
                })
            })
            .connect_with(options)
            .await
            .context("cannot reach PostgreSQL at --database-url")?;
        Ok(Self::Postgres(Link::new(pool)))
    }

    /// Cuts the write-ahead log of an SQLite file to nothing, unless reads need it. A task does so
    /// whenever it is too long.
    pub async fn cut_log(location: &Location, service: &str) -> Result<(), crate::DatabaseError> {
        match location.place() {
            Location::Folder(folder) => {
                write_ahead::cut(folder.join(crate::file_name(service))).await
            }
            _ => Ok(()),
        }
    }

    /// Closes every connection once it is idle. The write-ahead log of a file is written back and
    /// cut first, so that the file alone holds everything.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, .. } => {
                readers.close();
                writer.close().await;
                // A reader that was still in use has kept SQLite from doing so.
                if write_ahead::length(readers.file()) > 0
                    && let Err(error) = write_ahead::cut(readers.file().to_owned()).await
                {
                    let file = readers.file().display();
                    tracing::warn!(%error, %file, "the write-ahead log was not cut");
                }
            }
            Self::Postgres(link) => link.direct().close().await,
        }
    }
}

fn cannot_write(folder: &Path, what: &str) -> String {
    format!("cannot {what} {}; choose another with --data", folder.display())
}

/// Whether `url` can be used as that of a PostgreSQL database; nothing is connected. No message
/// repeats the URL.
pub fn check_url(url: &str) -> anyhow::Result<()> {
    options_of(url).map(drop)
}

/// The options that a URL names. The URL may hold a password, so no message repeats it.
fn options_of(url: &str) -> anyhow::Result<PgConnectOptions> {
    const EXAMPLE: &str = "postgres://user:password@localhost:5432/proffer";
    match url.split_once("://").map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => {}
        Some(other) if other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            bail!("--database-url takes only postgres:// URLs, not {other}://; write {EXAMPLE}")
        }
        _ => bail!("--database-url takes only postgres:// URLs; write {EXAMPLE}"),
    }
    let read = PgConnectOptions::from_str(url);
    read.with_context(|| format!("--database-url cannot be read; write {EXAMPLE}"))
}

/// The error code of a server that is starting.
const STARTING: &str = "57P03";
/// Pause between two attempts to reach such a server.
const PAUSE: Duration = Duration::from_millis(100);

/// Connects once, so that a server that refuses is reported at once and in its own words. A pool
/// would try again until its timeout. A server that is starting is waited for.
async fn reach(options: &PgConnectOptions, timeout: Duration) -> anyhow::Result<()> {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let attempts = async {
        loop {
            match PgConnection::connect_with(options).await {
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(STARTING) => {
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
                Ok(connection) => return connection.close().await,
            }
        }
    };
    match tokio::time::timeout(timeout, attempts).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(sqlx::Error::Io(error)))
            if error.kind() == std::io::ErrorKind::ConnectionRefused =>
        {
            bail!(
                "PostgreSQL at {place} refused the connection: is it running, and does \
                 --database-url name its host and port?"
            )
        }
        Ok(Err(error)) => Err(error)
            .with_context(|| format!("cannot reach PostgreSQL at {place}, as --database-url says")),
        Err(_) => bail!(
            "PostgreSQL at {place} did not answer within {} s; --database-url sets the address",
            timeout.as_secs()
        ),
    }
}
