//! Ways of holding a cap that look right and are not, beside the one that is, on PostgreSQL.
//!
//! Every caller is brought to the point where it waits for the same row before the first one may go
//! on. So a way that counts before it has the lock, or counts in a snapshot older than the lock,
//! overshoots on every run and not by luck.

use database::Location;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::world::World;

const CALLERS: usize = 64;
const CAP: usize = 3;
/// Looks at how many callers wait before the test gives up.
const LOOKS_MAX: usize = 100_000;

/// A contact refers to its customer, so an insert waits for the lock on the customer's row.
const TABLES: &str = "
create table naive_customer (customer_id text primary key);
create table naive_contact (customer_id text not null references naive_customer);
create function naive_reserve(wanted text) returns boolean language plpgsql volatile as $$
begin
  perform 1 from naive_customer where customer_id = wanted for update;
  if (select count(*) from naive_contact where customer_id = wanted) >= 3 then return false; end if;
  insert into naive_contact values (wanted);
  return true;
end $$;
insert into naive_customer values ('ann');
";

const READ_COMMITTED: &str = "read committed";
const REPEATABLE_READ: &str = "repeatable read";

const COUNT: &str = "select count(*) < 3 from naive_contact where customer_id = 'ann'";
const INSERT: &str = "insert into naive_contact values ('ann') returning true";
const ONE_STATEMENT: &str = "insert into naive_contact select 'ann'
  where (select count(*) from naive_contact where customer_id = 'ann') < 3 returning true";
const LOCK_AND_COUNT: &str =
    "with locked as (select customer_id from naive_customer where customer_id = 'ann' for update)
  insert into naive_contact select customer_id from locked
  where (select count(*) from naive_contact where customer_id = 'ann') < 3 returning true";
const FUNCTION: &str = "select naive_reserve('ann')";

/// One caller: statements in one transaction, until one of them says no.
async fn call(url: String, isolation: &'static str, statements: &'static [&'static str]) {
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let set = AssertSqlSafe(format!("set transaction isolation level {isolation}"));
    sqlx::query(set).execute(&mut *transaction).await.unwrap();
    for statement in statements {
        let told: Option<bool> =
            sqlx::query_scalar(*statement).fetch_optional(&mut *transaction).await.unwrap();
        if told != Some(true) {
            break;
        }
    }
    transaction.commit().await.unwrap();
}

/// Contacts of one customer after 64 callers, all of whom were under way before the first could
/// finish.
async fn contacts_after(isolation: &'static str, statements: &'static [&'static str]) -> usize {
    let world = World::on_postgres().await;
    let Location::Url(url) = &world.location else { panic!("not on PostgreSQL") };
    let mut looker = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(TABLES).execute(&mut looker).await.unwrap();
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut holder = connection.begin().await.unwrap();
    sqlx::query("select 1 from naive_customer for update").execute(&mut *holder).await.unwrap();

    let callers: Vec<_> =
        (0..CALLERS).map(|_| tokio::spawn(call(url.clone(), isolation, statements))).collect();
    let mut waiting: i64 = 0;
    for _ in 0..LOOKS_MAX {
        waiting = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and \
             wait_event_type = 'Lock'",
        )
        .fetch_one(&mut looker)
        .await
        .unwrap();
        if waiting == CALLERS as i64 {
            break;
        }
    }
    assert_eq!(waiting, CALLERS as i64, "the callers did not meet");
    holder.commit().await.unwrap();
    for caller in callers {
        caller.await.unwrap();
    }
    let contacts: i64 = sqlx::query_scalar("select count(*) from naive_contact")
        .fetch_one(&mut looker)
        .await
        .unwrap();
    usize::try_from(contacts).unwrap()
}

async fn check_overshoots(way: &str, isolation: &'static str, statements: &'static [&'static str]) {
    let contacts = contacts_after(isolation, statements).await;
    println!("{way}: {contacts} contacts under a cap of {CAP}");
    assert!(contacts > CAP, "{way} held the cap: {contacts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_and_then_inserting_overshoots() {
    check_overshoots("count, then insert", READ_COMMITTED, &[COUNT, INSERT]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_insert_with_a_count_in_its_condition_overshoots() {
    check_overshoots(
        "one statement: insert … select where count < n",
        READ_COMMITTED,
        &[ONE_STATEMENT],
    )
    .await;
}

/// The statement's snapshot is older than its lock.
#[tokio::test(flavor = "multi_thread")]
async fn locking_and_counting_in_one_statement_overshoots() {
    check_overshoots("lock and count in one statement", READ_COMMITTED, &[LOCK_AND_COUNT]).await;
}

/// The transaction's snapshot is older than its lock.
#[tokio::test(flavor = "multi_thread")]
async fn locking_first_under_repeatable_read_overshoots() {
    check_overshoots("lock, count, insert under REPEATABLE READ", REPEATABLE_READ, &[FUNCTION])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn locking_first_under_read_committed_holds() {
    assert_eq!(contacts_after(READ_COMMITTED, &[FUNCTION]).await, CAP);
}
