//! The contact ledger in the store.

use chrono::TimeDelta;
use database::{Database, Select, execute};

/// A contact as stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct Row {
    pub customer_id: String,
    pub contact_id: String,
    pub decision_id: String,
    pub rank: i64,
    pub offer_id: String,
    pub category: String,
    pub channel_name: String,
    pub state: String,
    pub reserved_us: Option<i64>,
    pub reserved_until_us: Option<i64>,
    pub committed_us: Option<i64>,
    pub unreserved: bool,
}

/// A withdrawal as stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct Withdrawal {
    pub customer_id: String,
    pub at_us: i64,
}

/// Every contact and slot.
pub async fn contacts(database: &Database) -> anyhow::Result<Vec<Row>> {
    type Columns = (
        String,
        String,
        String,
        i64,
        String,
        String,
        String,
        String,
        Option<i64>,
        Option<i64>,
        Option<i64>,
        bool,
    );
    let select = Select::new(
        "select customer_id, contact_id, decision_id, rank, offer_id, category, channel_name, state,
           reserved_us, reserved_until_us, committed_us, unreserved
         from contact order by customer_id, contact_id",
    );
    let rows: Vec<Columns> = select.all(database).await?;
    let row = |row: Columns| {
        let (
            customer_id,
            contact_id,
            decision_id,
            rank,
            offer_id,
            category,
            channel_name,
            state,
            ..,
        ) = row;
        let (.., reserved_us, reserved_until_us, committed_us, unreserved) = row;
        Row {
            customer_id,
            contact_id,
            decision_id,
            rank,
            offer_id,
            category,
            channel_name,
            state,
            reserved_us,
            reserved_until_us,
            committed_us,
            unreserved,
        }
    };
    Ok(rows.into_iter().map(row).collect())
}

/// Every withdrawal.
pub async fn withdrawals(database: &Database) -> anyhow::Result<Vec<Withdrawal>> {
    let select = Select::new(
        "select customer_id, at_us from consent where not granted order by customer_id",
    );
    let rows: Vec<(String, i64)> = select.all(database).await?;
    Ok(rows.into_iter().map(|(customer_id, at_us)| Withdrawal { customer_id, at_us }).collect())
}

/// Lets time pass: everything that happened so far happened earlier by this much. The machine's
/// clock stays.
pub async fn pass(database: &Database, time: TimeDelta) -> anyhow::Result<()> {
    const STATEMENTS: [&str; 5] = [
        "update customer set ledger_us = ledger_us - $1",
        "update contact set created_us = created_us - $1, reserved_us = reserved_us - $1,
           reserved_until_us = reserved_until_us - $1, committed_us = committed_us - $1",
        "update outcome set occurred_us = occurred_us - $1",
        "update consent set at_us = at_us - $1, received_us = received_us - $1",
        "update grant_request set at_us = at_us - $1",
    ];
    let micros = time.num_microseconds().unwrap_or_default();
    let mut transaction = database.begin().await?;
    if matches!(transaction, database::Transaction::Postgres(_)) {
        // Waits for writers whose callers are gone.
        execute!(&mut transaction, sqlx::query("lock table customer in exclusive mode"))?;
    }
    for statement in STATEMENTS {
        execute!(&mut transaction, sqlx::query(statement).bind(micros))?;
    }
    transaction.commit().await?;
    Ok(())
}
