//! A CSV import compared with the database's own bulk path for the same rows. The bulk path is COPY
//! on PostgreSQL. On SQLite it is one prepared insert per row in one transaction. It gets rows that
//! are already encoded, and a table with the same key.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::Context as _;
use catalog_svc::{App, Deps};
use database::Location;
use proffer_proto::{
    catalog::v1::{
        self as proto, import_records_request::Part, record_service_client::RecordServiceClient,
        schema_service_client::SchemaServiceClient,
    },
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use serve::{Clock, Neighbour};
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};

use crate::ratio::{self, Goal, Term};

/// Rows per term of a round.
const ROWS: usize = 50_000;
/// Bytes per piece of the file.
const PIECE: usize = 64 * 1024;
const TENANT: &str = "default";

/// Numbers the rounds, so that each has its own tables and customers.
static NEXT: AtomicUsize = AtomicUsize::new(0);

const FIELDS: [(&str, proto::FieldType); 8] = [
    ("lastPurchaseDate", proto::FieldType::Date),
    ("lifetimePurchases", proto::FieldType::Integer),
    ("lifetimeRevenue", proto::FieldType::Decimal),
    ("primaryCategory", proto::FieldType::String),
    ("preferredChannel", proto::FieldType::String),
    ("timezone", proto::FieldType::String),
    ("consentEmail", proto::FieldType::Boolean),
    ("consentSMS", proto::FieldType::Boolean),
];

fn value(field: &str, number: usize) -> String {
    match field {
        "lastPurchaseDate" => format!("2026-{:02}-{:02}", number % 12 + 1, number % 28 + 1),
        "lifetimePurchases" => (number % 40).to_string(),
        "lifetimeRevenue" => format!("{}.{:02}", number % 9_000, number % 100),
        "primaryCategory" => ["apparel", "electronics", "home"][number % 3].to_owned(),
        "preferredChannel" => "email".to_owned(),
        "timezone" => "Europe/London".to_owned(),
        _ => (number % 2 == 0).to_string(),
    }
}

/// The rows as a CSV file.
fn csv(round: usize) -> Vec<u8> {
    let mut file = String::from("customerId");
    FIELDS.iter().for_each(|(field, _)| file.extend([",", field]));
    for number in 0..ROWS {
        let _ = write!(file, "\nc{round}-{number:07}");
        for (field, _) in FIELDS {
            file.push(',');
            file.push_str(&value(field, number));
        }
    }
    file.into_bytes()
}

/// The rows in the encoding of the store.
fn stored(round: usize) -> Vec<(String, Vec<u8>)> {
    let kind = |of_type, text: String| match of_type {
        proto::FieldType::Integer => Kind::IntegerValue(text.parse().unwrap_or_default()),
        proto::FieldType::Decimal => Kind::DecimalValue(text),
        proto::FieldType::Boolean => Kind::BooleanValue(text == "true"),
        _ => Kind::StringValue(text),
    };
    let row = |number: usize| {
        let field = |(name, of_type): (&str, proto::FieldType)| {
            (name.to_owned(), Value { kind: Some(kind(of_type, value(name, number))) })
        };
        let record =
            proto::CustomerRecord { fields: FIELDS.map(field).into(), ..Default::default() };
        (format!("c{round}-{number:07}"), record.encode_to_vec())
    };
    (0..ROWS).map(row).collect()
}

/// Rows per second through catalog-svc.
async fn import(service: &Neighbour, round: usize) -> anyhow::Result<f64> {
    let header = proto::ImportHeader {
        schema: "Customer".into(),
        format: proto::ImportFormat::Csv.into(),
        all_or_nothing: false,
        separator: 0,
    };
    let file = csv(round);
    let mut parts = vec![proto::ImportRecordsRequest { part: Some(Part::Header(header)) }];
    parts.extend(
        file.chunks(PIECE)
            .map(|piece| proto::ImportRecordsRequest { part: Some(Part::Piece(piece.to_vec())) }),
    );
    let started = Instant::now();
    let answer = RecordServiceClient::new(service.clone())
        .import_records(futures::stream::iter(parts))
        .await?;
    let spent = started.elapsed().as_secs_f64();
    let answer = answer.into_inner();
    anyhow::ensure!(answer.accepted == ROWS as i64, "rows were refused: {answer:?}");
    Ok(ROWS as f64 / spent)
}

/// A database with its own bulk path.
enum Bulk {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

const TABLE: &str = "(tenant_id text not null, schema_id text not null, customer_id text not null,
    payload BYTES not null, version bigint not null, updated_us bigint not null,
    primary key (tenant_id, schema_id, customer_id))";

impl Bulk {
    async fn create(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Sqlite(connection) => {
                connection.execute("pragma journal_mode = wal").await?;
                let table =
                    format!("create table bulk {} without rowid", TABLE.replace("BYTES", "blob"));
                connection.execute(sqlx::AssertSqlSafe(table)).await?;
            }
            Self::Postgres(connection) => {
                let table = format!("create table bulk {}", TABLE.replace("BYTES", "bytea"));
                connection.execute(sqlx::AssertSqlSafe(table)).await?;
            }
        }
        Ok(())
    }

    /// Rows per second through the bulk path.
    async fn take(&mut self, round: usize) -> anyhow::Result<f64> {
        let rows = stored(round);
        match self {
            Self::Sqlite(connection) => {
                let started = Instant::now();
                let mut transaction = connection.begin().await?;
                for (customer_id, payload) in &rows {
                    sqlx::query("insert into bulk values ($1, 'schema_customer', $2, $3, 1, $4)")
                        .bind(TENANT)
                        .bind(customer_id)
                        .bind(payload)
                        .bind(1_i64)
                        .execute(&mut *transaction)
                        .await?;
                }
                transaction.commit().await?;
                Ok(ROWS as f64 / started.elapsed().as_secs_f64())
            }
            Self::Postgres(connection) => {
                let mut text = String::new();
                for (customer_id, payload) in &rows {
                    let _ = write!(text, "{TENANT}\tschema_customer\t{customer_id}\t\\\\x");
                    for byte in payload {
                        let _ = write!(text, "{byte:02x}");
                    }
                    text.push_str("\t1\t1\n");
                }
                let started = Instant::now();
                let mut copy = connection.copy_in_raw("copy bulk from stdin").await?;
                for piece in text.as_bytes().chunks(PIECE) {
                    copy.send(piece).await?;
                }
                copy.finish().await?;
                Ok(ROWS as f64 / started.elapsed().as_secs_f64())
            }
        }
    }
}

async fn compare(
    name: &str,
    location: &Location,
    mut bulk: Bulk,
    rounds: usize,
) -> anyhow::Result<()> {
    let app = App::build(location, Deps { clock: Clock::system() }).await?;
    let service = Neighbour::local(app.routes());
    let field = |(name, of_type): (&str, proto::FieldType)| proto::SchemaField {
        name: name.to_owned(),
        r#type: of_type.into(),
        ..Default::default()
    };
    let schema = proto::Schema {
        name: "Customer".into(),
        fields: FIELDS.map(field).to_vec(),
        ..Default::default()
    };
    SchemaServiceClient::new(service.clone())
        .create_schema(proto::CreateSchemaRequest { schema: Some(schema), ..Default::default() })
        .await?;
    bulk.create().await?;
    let mut imported = Term::new("rows per second streamed in as CSV");
    let mut copied = Term::new("rows per second by the bulk path");
    let mut again = Term::new("the same again");
    let next = || NEXT.fetch_add(1, Ordering::Relaxed);
    bulk.take(next()).await?;
    for _ in 0..rounds {
        imported.rounds.push(import(&service, next()).await?);
        copied.rounds.push(bulk.take(next()).await?);
        again.rounds.push(bulk.take(next()).await?);
    }
    ratio::print(name, &imported, &copied, &again, Goal::AtLeast(0.3));
    Ok(())
}

/// Runs the rounds and prints the report.
pub async fn run(rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite://{}?mode=rwc", folder.path().join("bulk.db").display());
    let bulk = Bulk::Sqlite(SqliteConnection::connect(&file).await.context("open SQLite")?);
    compare(
        "Import of records on SQLite over inserts",
        &Location::Folder(folder.path().join("data")),
        bulk,
        rounds,
    )
    .await?;
    let url = testkit::fresh_database_url().await;
    let bulk = Bulk::Postgres(PgConnection::connect(&url).await.context("open PostgreSQL")?);
    compare("Import of records on PostgreSQL over COPY", &Location::Url(url), bulk, rounds).await
}
