//! Writes changes to the customers whose version is still the one they were judged by.
//!
//! Several customers are written by one statement a table, within a transaction. One customer alone
//! is written by a single statement on PostgreSQL, which saves the round trips of a transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use database::{BindRows as _, Columns, Count, DatabaseError, Dialect, Rows, Texts, Transaction};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::{
    change::Change,
    change_row::{CONSENT, CONTACT, CUSTOMER, FORGOTTEN, KEPT, OUTCOME, customer, details},
    known::Wanted,
};

/// A change with the customer it belongs to.
pub(super) type Written<'a> = (&'a Wanted, &'a Change);

/// Inserts the customers that are new.
static NEW: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|dialect, count| {
        format!(
            "insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
             select tenant_id, customer_id, version + 1, ledger_us, applied_seq
             from {} asked where true order by place
             on conflict (tenant_id, customer_id) do nothing returning tenant_id, customer_id",
            dialect.table(CUSTOMER, count, 1)
        )
    })
});

/// Updates the customers that have still the version they were judged by.
static PRESENT: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|dialect, count| {
        format!(
            "update customer set version = customer.version + 1, ledger_us = asked.ledger_us,
               applied_seq = asked.applied_seq
             from {} asked where customer.tenant_id = asked.tenant_id
               and customer.customer_id = asked.customer_id and customer.version = asked.version
             returning customer.tenant_id, customer.customer_id",
            dialect.table(CUSTOMER, count, 1)
        )
    })
});

/// Inserts missing customers and locks the others, in the order of places, until the transaction
/// ends. PostgreSQL only.
static LOCKED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
         select tenant_id, customer_id, 1, 0, 0 from {} asked order by place
         on conflict (tenant_id, customer_id) do update set version = customer.version",
        Dialect::Postgres.table(CUSTOMER, Count::Many, 1)
    )
});

/// A table that a customer's change is written to.
struct Table {
    columns: Columns,
    /// A statement over `{rows}` of `{tenant}` and `{customer}`, made when `{won}`.
    text: String,
    several: Texts,
}

/// In the order of [`details`].
static TABLES: LazyLock<[Table; 5]> = LazyLock::new(|| {
    let table = |columns: Columns, text: String| {
        let several = Texts::new(|dialect, count| {
            let rows = dialect.table(columns, count, 1);
            filled(&text, &rows, ["rows.tenant_id", "rows.customer_id", "true"])
        });
        Table { columns, text, several }
    };
    let insert = |name: &str, columns: Columns, conflict: &str| {
        let names = columns.iter().skip(3).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let text = format!(
            "insert into {name} (tenant_id, customer_id, {names})
             select {{tenant}}, {{customer}}, {names} from {{rows}} rows where {{won}} {conflict}"
        );
        table(columns, text)
    };
    [
        insert(
            "contact",
            CONTACT,
            "on conflict (tenant_id, customer_id, contact_id) do update set state = excluded.state,
               reserved_us = excluded.reserved_us, reserved_until_us = excluded.reserved_until_us,
               committed_us = excluded.committed_us, unreserved = excluded.unreserved",
        ),
        insert("outcome", OUTCOME, ""),
        insert("consent", CONSENT, ""),
        insert(
            "grant_request",
            KEPT,
            "on conflict (tenant_id, customer_id, request_key) do update set
               decision_id = excluded.decision_id, response = excluded.response,
               at_us = excluded.at_us",
        ),
        // Too old to be found, and removed with the next purge.
        table(
            FORGOTTEN,
            "update grant_request set at_us = 0 from {rows} rows
             where grant_request.tenant_id = {tenant} and grant_request.customer_id = {customer}
               and grant_request.request_key = rows.request_key and {won}"
                .to_owned(),
        ),
    ]
});

fn filled(text: &str, rows: &str, [tenant, customer, won]: [&str; 3]) -> String {
    let text = text.replace("{rows}", rows).replace("{won}", won);
    text.replace("{tenant}", tenant).replace("{customer}", customer)
}

/// Statements about one customer, by whether it is new and which of [`TABLES`] have rows. An answer
/// is never kept and forgotten at once: no table is written twice.
static ALONE: LazyLock<Vec<Option<String>>> = LazyLock::new(|| {
    let has = |number: usize, table: usize| number >> table & 1 == 1;
    let count = 2 << TABLES.len();
    let text = |number: usize| {
        let tables: Vec<_> = (0..TABLES.len()).filter(|table| has(number, *table)).collect();
        let is_possible = !(has(number, 3) && has(number, 4));
        is_possible.then(|| alone_text(has(number, TABLES.len()), &tables))
    };
    (0..count).map(text).collect()
});

fn alone_text(is_new: bool, tables: &[usize]) -> String {
    let mut text = if is_new {
        "with won as (
           insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
           values ($1, $2, $3 + 1, $4, $5)
           on conflict (tenant_id, customer_id) do nothing returning version)"
    } else {
        "with won as (
           update customer set version = version + 1, ledger_us = $4, applied_seq = $5
           where tenant_id = $1 and customer_id = $2 and version = $3 returning version)"
    }
    .to_owned();
    let mut next = CUSTOMER.len();
    for (number, table) in tables.iter().filter_map(|table| Some((table, TABLES.get(*table)?))) {
        let rows = Dialect::Postgres.table(table.columns, Count::Many, next);
        let filled = filled(&table.text, &rows, ["$1", "$2", "exists (select 1 from won)"]);
        text.push_str(&format!(",\ntable_{number} as ({filled})"));
        next += table.columns.len();
    }
    text.push_str("\nselect version from won");
    text
}

/// Names and texts of all statements of a store.
pub(super) fn statements(dialect: Dialect) -> Vec<(&'static str, String)> {
    let texts = [&*NEW, &*PRESENT].into_iter().chain(TABLES.iter().map(|table| &table.several));
    let both =
        |texts: &Texts| [Count::One, Count::Many].map(|count| texts.get(dialect, count).to_owned());
    let several = texts.flat_map(both).map(|text| ("several customers", text));
    let mut statements: Vec<_> = several.collect();
    if dialect == Dialect::Postgres {
        statements.push(("lock customers", LOCKED.clone()));
        statements.extend(ALONE.iter().flatten().map(|text| ("one customer", text.clone())));
    }
    statements
}

/// Where several customers are written.
enum Session<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl Session<'_> {
    fn text<'t>(&self, texts: &'t Texts, rows: &Rows<'_>) -> AssertSqlSafe<&'t str> {
        let dialect = match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        };
        AssertSqlSafe(texts.get(dialect, rows.count()))
    }

    async fn run(&mut self, texts: &Texts, rows: &Rows<'_>) -> Result<(), DatabaseError> {
        let text = self.text(texts, rows);
        match self {
            Self::Sqlite(inner) => {
                sqlx::query(text).bind_rows(rows).execute(&mut **inner).await.map(drop)?;
            }
            Self::Postgres(inner) => {
                sqlx::query(text).bind_rows(rows).execute(&mut **inner).await.map(drop)?;
            }
        }
        Ok(())
    }

    /// The customers that a statement about customers wrote.
    async fn written(
        &mut self,
        texts: &Texts,
        rows: &Rows<'_>,
    ) -> Result<Vec<(String, String)>, DatabaseError> {
        let text = self.text(texts, rows);
        Ok(match self {
            Self::Sqlite(inner) => {
                sqlx::query_as(text).bind_rows(rows).fetch_all(&mut **inner).await?
            }
            Self::Postgres(inner) => {
                sqlx::query_as(text).bind_rows(rows).fetch_all(&mut **inner).await?
            }
        })
    }

    async fn write(&mut self, changes: &[Written<'_>]) -> Result<BTreeSet<usize>, DatabaseError> {
        let (mut new, mut present) = (Rows::new(CUSTOMER), Rows::new(CUSTOMER));
        let mut places = BTreeMap::new();
        for (place, (wanted, change)) in changes.iter().enumerate() {
            places.insert((wanted.tenant.as_str(), wanted.customer_id.as_str()), place);
            let rows = if change.version == 0 { &mut new } else { &mut present };
            rows.push(customer(place, wanted, change));
        }
        let mut won = BTreeSet::new();
        for (texts, rows) in [(&*NEW, &new), (&*PRESENT, &present)] {
            if !rows.is_empty() {
                let written = self.written(texts, rows).await?;
                let key = |(tenant, customer_id): &(String, String)| {
                    places.get(&(tenant.as_str(), customer_id.as_str())).copied()
                };
                won.extend(written.iter().filter_map(key));
            }
        }
        let written = changes.iter().enumerate().filter(|(place, _)| won.contains(place));
        let details = details(written.map(|(place, (wanted, change))| (place, *wanted, *change)));
        for (table, rows) in TABLES.iter().zip(&details).filter(|(_, rows)| !rows.is_empty()) {
            self.run(&table.several, rows).await?;
        }
        Ok(won)
    }
}

/// Writes changes in a transaction; gives the places of the customers that were written. The others
/// were changed since they were read, and nothing of theirs is written.
pub(super) async fn within(
    transaction: &mut Transaction,
    changes: &[Written<'_>],
) -> Result<BTreeSet<usize>, DatabaseError> {
    let mut session = match transaction {
        Transaction::Sqlite(inner) => Session::Sqlite(inner),
        Transaction::Postgres(inner) => Session::Postgres(inner),
    };
    session.write(changes).await
}

/// Like [`within`], on a connection without a transaction.
pub(super) async fn alone(
    connection: &mut PgConnection,
    changes: &[Written<'_>],
) -> Result<BTreeSet<usize>, DatabaseError> {
    match changes {
        // Retries and refused requests write nothing.
        [] => Ok(BTreeSet::new()),
        [only] => one(connection, *only).await,
        _ => {
            let mut transaction = connection.begin().await?;
            let won = Session::Postgres(&mut transaction).write(changes).await?;
            transaction.commit().await?;
            Ok(won)
        }
    }
}

async fn one(
    connection: &mut PgConnection,
    (wanted, change): Written<'_>,
) -> Result<BTreeSet<usize>, DatabaseError> {
    let details = details(std::iter::once((0, wanted, change)));
    let is_new = usize::from(change.version == 0) << TABLES.len();
    let number = details
        .iter()
        .enumerate()
        .fold(is_new, |number, (table, rows)| number | usize::from(!rows.is_empty()) << table);
    let text = ALONE.get(number).and_then(Option::as_deref).unwrap_or_default();
    let query = sqlx::query_as(AssertSqlSafe(text))
        .bind(&wanted.tenant)
        .bind(&wanted.customer_id)
        .bind(change.version)
        .bind(change.ledger_at.timestamp_micros())
        .bind(change.applied_seq);
    let filled = details.iter().filter(|rows| !rows.is_empty());
    let query = filled.fold(query, |query, rows| query.bind_rows(rows));
    let won: Option<(i64,)> = query.fetch_optional(connection).await?;
    Ok(won.map(|_| 0).into_iter().collect())
}

/// Takes the customers' rows, creating those that are missing, and keeps them locked until the
/// transaction ends. Writers take rows in the same order, so they do not wait in a circle. SQLite
/// has one writer and needs no locks.
pub(super) async fn lock(
    transaction: &mut Transaction,
    wanted: &[&Wanted],
) -> Result<(), DatabaseError> {
    let Transaction::Postgres(inner) = transaction else { return Ok(()) };
    if wanted.is_empty() {
        return Ok(());
    }
    let mut rows = Rows::new(CUSTOMER);
    for (place, wanted) in wanted.iter().enumerate() {
        rows.push([place.into(), (&wanted.tenant).into(), (&wanted.customer_id).into()]);
    }
    sqlx::query(AssertSqlSafe(LOCKED.as_str())).bind_rows(&rows).execute(&mut **inner).await?;
    Ok(())
}
