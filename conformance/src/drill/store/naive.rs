//! Ways of enforcing a cap that look right: the positive control. A rig under which none of them
//! overshoots would prove nothing about the way that does not.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::Barrier;

/// Contacts a customer may have.
const CAP: i64 = 3;

/// A way of counting and inserting.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// For people.
    pub name: &'static str,
    table: &'static str,
    is_repeatable_read: bool,
    kind: Statements,
    /// True for the one that must hold.
    pub is_exact: bool,
}

#[derive(Clone, Copy, Debug)]
enum Statements {
    TwoStatements,
    OneStatement(&'static str),
}

/// A customer's row is locked, counted and inserted in three statements of a function. Each sees
/// what was committed when it began, unless the transaction's snapshot is older.
const FUNCTION: &str = "create function TABLE_take(customer int, cap bigint) returns bigint
language plpgsql volatile as $$
declare held bigint;
begin
  insert into TABLE_customer values (customer) on conflict do nothing;
  perform 1 from TABLE_customer where customer_id = customer for update;
  select count(*) into held from TABLE where customer_id = customer;
  if held >= cap then return 0; end if;
  insert into TABLE values (customer);
  return 1;
end $$";

const TAKE: &str = "select TABLE_take($1, $2)";

/// What is tried.
pub const WAYS: [Way; 5] = [
    Way {
        name: "count, then insert",
        table: "naive_two",
        is_repeatable_read: false,
        kind: Statements::TwoStatements,
        is_exact: false,
    },
    Way {
        name: "one statement: insert … select … where (count) < cap",
        table: "naive_one",
        is_repeatable_read: false,
        kind: Statements::OneStatement(
            "insert into TABLE select $1
             where (select count(*) from TABLE where customer_id = $1) < $2",
        ),
        is_exact: false,
    },
    Way {
        name: "lock and count in one statement",
        table: "naive_lock",
        is_repeatable_read: false,
        kind: Statements::OneStatement(
            "with held as (select customer_id from TABLE_customer where customer_id = $1 for update)
             insert into TABLE select customer_id from held
             where (select count(*) from TABLE where customer_id = $1) < $2",
        ),
        is_exact: false,
    },
    Way {
        name: "function: lock, count, insert, under REPEATABLE READ",
        table: "naive_repeatable",
        is_repeatable_read: true,
        kind: Statements::OneStatement(TAKE),
        is_exact: false,
    },
    Way {
        name: "the same function under READ COMMITTED",
        table: "exact",
        is_repeatable_read: false,
        kind: Statements::OneStatement(TAKE),
        is_exact: true,
    },
];

/// What a way did.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Customers with more contacts than the cap.
    pub over: i64,
    /// Most contacts of one customer.
    pub worst: i64,
    /// Calls that failed; each is one contact fewer.
    pub failed: usize,
}

fn named(text: &str, table: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(text.replace("TABLE", table))
}

/// Has `workers` ask about each of the customers at once, one customer after the other.
pub async fn overshoot(
    url: &str,
    way: Way,
    workers: usize,
    customers: i32,
) -> anyhow::Result<Outcome> {
    let mut setup = PgConnection::connect(url).await?;
    let tables = "drop table if exists TABLE, TABLE_customer; drop function if exists TABLE_take;
        create table TABLE (customer_id int not null); create index on TABLE (customer_id);
        create table TABLE_customer (customer_id int primary key)";
    sqlx::raw_sql(named(tables, way.table)).execute(&mut setup).await?;
    sqlx::raw_sql(named(FUNCTION, way.table)).execute(&mut setup).await?;
    sqlx::query(named("insert into TABLE_customer select generate_series(0, $1)", way.table))
        .bind(customers)
        .execute(&mut setup)
        .await?;
    let barrier = Arc::new(Barrier::new(workers));
    let mut callers = Vec::new();
    for _ in 0..workers {
        let (url, barrier) = (url.to_owned(), barrier.clone());
        callers.push(tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await?;
            let mut failed = 0;
            for customer in 0..customers {
                barrier.wait().await;
                failed += usize::from(ask(&mut connection, way, customer).await.is_err());
            }
            anyhow::Ok(failed)
        }));
    }
    let mut failed = 0;
    for caller in callers {
        failed += caller.await??;
    }
    let counted = "select count(*) filter (where held > $1), coalesce(max(held), 0)
        from (select count(*) as held from TABLE group by customer_id) as counts";
    let (over, worst) =
        sqlx::query_as(named(counted, way.table)).bind(CAP).fetch_one(&mut setup).await?;
    Ok(Outcome { over, worst, failed })
}

async fn ask(connection: &mut PgConnection, way: Way, customer: i32) -> Result<(), sqlx::Error> {
    let begin =
        if way.is_repeatable_read { "begin isolation level repeatable read" } else { "begin" };
    let mut transaction = connection.begin_with(begin).await?;
    match way.kind {
        Statements::OneStatement(text) => {
            let statement = sqlx::query(named(text, way.table)).bind(customer).bind(CAP);
            statement.execute(&mut *transaction).await?;
        }
        Statements::TwoStatements => {
            let count = named("select count(*) from TABLE where customer_id = $1", way.table);
            let held: i64 =
                sqlx::query_scalar(count).bind(customer).fetch_one(&mut *transaction).await?;
            if held < CAP {
                let insert = named("insert into TABLE values ($1)", way.table);
                sqlx::query(insert).bind(customer).execute(&mut *transaction).await?;
            }
        }
    }
    transaction.commit().await
}
