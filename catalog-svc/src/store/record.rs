//! SQL of customer records: one row per tenant, schema and customer.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{DateTime, Utc};
use database::{
    BindRows as _, Bound, Cell, Columns, Count, Database, DatabaseError, Dialect, Kind, Rows,
    Select, Statement, Texts, Transaction, execute, within,
};
use sqlx::{AssertSqlSafe, query::Query};

/// Rows of one statement of a batch: two parameters each. SQLite takes 32,766 parameters,
/// PostgreSQL 65,535.
const STATEMENT_ROWS: usize = 250;

/// The records of one store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Records {
    database: Database,
}

/// A record about to be written.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// The customer.
    pub customer_id: String,
    /// The fields, encoded.
    pub payload: Vec<u8>,
}

/// A record as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// The customer.
    pub customer_id: String,
    /// The fields, encoded.
    pub payload: Vec<u8>,
    /// Counts the writes, from 1.
    pub version: i64,
    /// When it was last written.
    pub updated_at: DateTime<Utc>,
}

type Row = (String, Vec<u8>, i64, i64);

const PUT: &str = "insert into customer_record
      (tenant_id, schema_id, customer_id, payload, version, updated_us)
    values ($1, $2, $3, $4, 1, $5)
    on conflict (tenant_id, customer_id, schema_id) do update set payload = excluded.payload,
      version = customer_record.version + 1, updated_us = excluded.updated_us
    returning customer_id, payload, version, updated_us";

/// With a lock on PostgreSQL.
const READ_PAYLOAD: &str = "select payload from customer_record
    where tenant_id = $1 and schema_id = $2 and customer_id = $3";

const CHANGE: &str = "update customer_record
    set payload = $4, version = version + 1, updated_us = $5
    where tenant_id = $1 and schema_id = $2 and customer_id = $3
    returning customer_id, payload, version, updated_us";

const READ: &str = "select customer_id, payload, version, updated_us from customer_record
    where tenant_id = $1 and schema_id = $2 and customer_id = $3";

const LIST: &str = "select customer_id, payload, version, updated_us from customer_record
    where tenant_id = $1 and schema_id = $2 and customer_id > $3
    order by customer_id limit $4 + 0";

const DELETE: &str = "delete from customer_record
    where tenant_id = $1 and schema_id = $2 and customer_id = $3";

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let found = |count| found_statement(&dialect.bound("asked", WANTED, count, 2));
    vec![
        Statement::new("put a record", PUT),
        Statement::new("put records", put_statement(dialect, STATEMENT_ROWS)),
        Statement::new("lock of a record", dialect.locking(READ_PAYLOAD)),
        Statement::new("change of a record", CHANGE),
        Statement::new("record", READ),
        Statement::new("record of one customer", found(Count::One)),
        Statement::new("records of customers", found(Count::Many)),
        Statement::new("records of a schema", LIST).scan("a schema's records are listed by page"),
        Statement::new("delete a record", DELETE),
    ]
}

/// Records to be written, as a statement takes them.
const NEW: Columns =
    &[("place", Kind::Integer), ("customer_id", Kind::Text), ("payload", Kind::Bytes)];

/// Whose record is wanted, as a statement takes it.
const WANTED: Columns =
    &[("place", Kind::Integer), ("schema_id", Kind::Text), ("customer_id", Kind::Text)];

/// Schema, customer, payload, version, instant of the write; the last row carries the head in place
/// of the version.
type FoundColumns = (String, String, Option<Vec<u8>>, i64, i64);

impl Records {
    /// The records kept in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Writes one record whole.
    pub async fn put(
        &self,
        tenant: &str,
        schema_id: &str,
        record: NewRecord,
        at: DateTime<Utc>,
    ) -> Result<RecordRow, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let row: Row = within!(&mut transaction, connection => sqlx::query_as(PUT)
            .bind(tenant)
            .bind(schema_id)
            .bind(&record.customer_id)
            .bind(&record.payload)
            .bind(at.timestamp_micros())
            .fetch_one(connection))?;
        transaction.commit().await?;
        Ok(record_row(row))
    }

    /// Writes records whole, all in one transaction. Each customer may be in them only once.
    pub async fn put_all(
        &self,
        tenant: &str,
        schema_id: &str,
        mut records: Vec<NewRecord>,
        at: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        // In one order everywhere, so that two batches with the same customers cannot wait for each
        // other.
        records.sort_by(|a, b| a.customer_id.cmp(&b.customer_id));
        let mut transaction = self.database.begin().await?;
        match &mut transaction {
            Transaction::Sqlite(inner) => {
                for rows in records.chunks(STATEMENT_ROWS) {
                    let text = put_statement(Dialect::Sqlite, rows.len());
                    let query = sqlx::query(AssertSqlSafe(text));
                    bound(query, tenant, schema_id, rows, at.timestamp_micros())
                        .execute(&mut **inner)
                        .await?;
                }
            }
            // Arrays make one statement of any number of rows.
            Transaction::Postgres(inner) => {
                let mut rows = Rows::new(NEW);
                for (place, record) in (0..).zip(&records) {
                    let customer_id = Cell::Text(Some(record.customer_id.as_str().into()));
                    rows.push([
                        Cell::Integer(Some(place)),
                        customer_id,
                        Cell::Bytes(Some(&record.payload)),
                    ]);
                }
                let text = put_statement(Dialect::Postgres, records.len());
                let query = sqlx::query(AssertSqlSafe(text)).bind(tenant).bind(schema_id);
                query.bind(at.timestamp_micros()).bind_rows(&rows).execute(&mut **inner).await?;
            }
        }
        transaction.commit().await
    }

    /// Writes what `change` makes of the record's payload while no other writer can; none when
    /// there is no record.
    pub async fn change<E: From<DatabaseError>>(
        &self,
        tenant: &str,
        schema_id: &str,
        customer_id: &str,
        at: DateTime<Utc>,
        change: impl FnOnce(&[u8]) -> Result<Vec<u8>, E> + Send,
    ) -> Result<Option<RecordRow>, E> {
        let mut transaction = self.database.begin().await?;
        let select = transaction.locking(READ_PAYLOAD);
        let found: Option<(Vec<u8>,)> = within!(&mut transaction, connection =>
            sqlx::query_as(select)
                .bind(tenant)
                .bind(schema_id)
                .bind(customer_id)
                .fetch_optional(connection))?;
        let Some((payload,)) = found else { return Ok(None) };
        let payload = change(&payload)?;
        let row: Row = within!(&mut transaction, connection => sqlx::query_as(CHANGE)
            .bind(tenant)
            .bind(schema_id)
            .bind(customer_id)
            .bind(&payload)
            .bind(at.timestamp_micros())
            .fetch_one(connection))?;
        transaction.commit().await?;
        Ok(Some(record_row(row)))
    }

    /// One record.
    pub async fn get(
        &self,
        tenant: &str,
        schema_id: &str,
        customer_id: &str,
    ) -> Result<Option<RecordRow>, DatabaseError> {
        let row: Option<Row> = Select::new(READ)
            .bind(tenant)
            .bind(schema_id)
            .bind(customer_id)
            .brief()
            .optional(&self.database)
            .await?;
        Ok(row.map(record_row))
    }

    /// The records of these customers under these schemas, by both, and the head of the tenant's
    /// log; who has none is left out.
    pub async fn get_all(
        &self,
        tenant: &str,
        wanted: &[(&str, &str)],
    ) -> Result<(BTreeMap<(String, String), RecordRow>, i64), DatabaseError> {
        let mut asked = Rows::new(WANTED);
        for (place, (schema_id, customer_id)) in (0..).zip(wanted) {
            asked.push([
                Cell::Integer(Some(place)),
                Cell::from(*schema_id),
                Cell::from(*customer_id),
            ]);
        }
        static FOUND: LazyLock<Texts> = LazyLock::new(|| {
            Texts::new(|dialect, count| found_statement(&dialect.bound("asked", WANTED, count, 2)))
        });
        let sql = FOUND.get(self.database.dialect(), asked.count());
        let rows: Vec<FoundColumns> =
            Select::new(sql).bind(tenant).bind_rows(&asked).brief().all(&self.database).await?;
        let (mut records, mut head) = (BTreeMap::new(), 0);
        for (schema_id, customer_id, payload, number, updated_us) in rows {
            match payload {
                None => head = number,
                Some(payload) => {
                    let row = record_row((customer_id.clone(), payload, number, updated_us));
                    records.insert((schema_id, customer_id), row);
                }
            }
        }
        Ok((records, head))
    }

    /// Records after a customer, at most `limit`, by customer id bytewise.
    pub async fn list(
        &self,
        tenant: &str,
        schema_id: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<RecordRow>, DatabaseError> {
        let rows: Vec<Row> = Select::new(LIST)
            .bind(tenant)
            .bind(schema_id)
            .bind(after)
            .bind(limit)
            .all(&self.database)
            .await?;
        Ok(rows.into_iter().map(record_row).collect())
    }

    /// Deletes one record; false when there is none.
    pub async fn delete(
        &self,
        tenant: &str,
        schema_id: &str,
        customer_id: &str,
    ) -> Result<bool, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let done = execute!(
            &mut transaction,
            sqlx::query(DELETE).bind(tenant).bind(schema_id).bind(customer_id)
        )?;
        transaction.commit().await?;
        Ok(done.rows > 0)
    }
}

fn found_statement(asked: &Bound) -> String {
    format!(
        "{} select r.schema_id, r.customer_id, r.payload, r.version, r.updated_us from {}
         where r.tenant_id = $1 and r.schema_id = {} and {}
         union all select '', '', null, {}, 0",
        asked.with(&[]),
        asked.joined("customer_record r"),
        asked.cell("schema_id"),
        asked.is_cell("r.customer_id", "customer_id"),
        history::head_of("$1"),
    )
}

/// So many records, of one schema.
fn put_statement(dialect: Dialect, rows: usize) -> String {
    let values = match dialect {
        Dialect::Sqlite => {
            let value = |row: usize| {
                let first = row * 2 + 4;
                format!("($1, $2, ${first}, ${}, 1, $3)", first + 1)
            };
            format!("values {}", (0..rows).map(value).collect::<Vec<_>>().join(", "))
        }
        Dialect::Postgres => {
            let new = dialect.table(NEW, Count::Many, 4);
            format!("select $1, $2, customer_id, payload, 1, $3 from {new} new order by place")
        }
    };
    format!(
        "insert into customer_record
           (tenant_id, schema_id, customer_id, payload, version, updated_us)
         {values} on conflict (tenant_id, customer_id, schema_id) do update
           set payload = excluded.payload, version = customer_record.version + 1,
             updated_us = excluded.updated_us"
    )
}

fn bound<'q, D: sqlx::Database>(
    query: Query<'q, D, D::Arguments>,
    tenant: &'q str,
    schema_id: &'q str,
    rows: &'q [NewRecord],
    at_us: i64,
) -> Query<'q, D, D::Arguments>
where
    &'q str: sqlx::Encode<'q, D> + sqlx::Type<D>,
    &'q [u8]: sqlx::Encode<'q, D> + sqlx::Type<D>,
    i64: sqlx::Encode<'q, D> + sqlx::Type<D>,
{
    let query = query.bind(tenant).bind(schema_id).bind(at_us);
    rows.iter()
        .fold(query, |query, row| query.bind(row.customer_id.as_str()).bind(row.payload.as_slice()))
}

fn record_row((customer_id, payload, version, updated_us): Row) -> RecordRow {
    RecordRow { customer_id, payload, version, updated_at: serve::from_micros(updated_us) }
}

#[cfg(test)]
mod tests {
    use database::{Location, PoolSizes};

    use super::*;

    /// A plain join reads all customers of the tenant for each one that is asked for; the statement
    /// must not.
    #[tokio::test]
    async fn customers_are_found_by_their_key_and_not_among_all_of_the_tenant_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        let steps = [history::migrations(), crate::store::migrations()];
        let database =
            Database::open(&location, "catalog", PoolSizes::default(), &steps).await.unwrap();
        let plan = async |join: &str| {
            let found = found_statement(&Dialect::Sqlite.bound("asked", WANTED, Count::Many, 2));
            let sql = format!("explain query plan {}", found.replace("cross join", join));
            let steps: Vec<(i64, i64, i64, String)> =
                Select::new(sql).bind("t").bind("[]").all(&database).await.unwrap();
            let of_records = steps.into_iter().map(|step| step.3).find(|step| step.contains(" r "));
            of_records.unwrap()
        };
        assert!(plan("join").await.ends_with("(tenant_id=?)"), "{}", plan("join").await);
        let by_key = "(tenant_id=? AND customer_id=? AND schema_id=?)";
        assert!(plan("cross join").await.ends_with(by_key), "{}", plan("cross join").await);
    }
}
