//! Decision records and the outbox in decision-svc's store.

use database::{Database, Select, execute};
use proffer_proto::{
    decision::v1::DecisionRecord,
    values::v1::{Value, value::Kind},
};
use prost::Message as _;

/// The stored form: what is shown, and what only the service reads.
#[derive(Clone, PartialEq, prost::Message)]
struct Kept {
    #[prost(message, optional, tag = "1")]
    shown: Option<DecisionRecord>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    offers: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "3")]
    facts: Option<Vec<u8>>,
}

/// Gives a recorded customer field another number.
pub async fn turn_field(
    database: &Database,
    decision_id: &str,
    field: &str,
    number: i64,
) -> anyhow::Result<()> {
    let (record,): (Vec<u8>,) = Select::new("select record from decision where decision_id = $1")
        .bind(decision_id)
        .one(database)
        .await?;
    let mut kept = Kept::decode(record.as_slice())?;
    anyhow::ensure!(kept.facts.is_some(), "{decision_id} keeps no facts");
    let fields = kept.shown.as_mut().map(|shown| &mut shown.customer_fields);
    let turned = Value { kind: Some(Kind::IntegerValue(number)) };
    let before = fields.and_then(|fields| fields.insert(field.to_owned(), turned));
    anyhow::ensure!(before.is_some(), "{decision_id} did not record {field}");
    let mut transaction = database.begin().await?;
    let update = "update decision set record = $2 where decision_id = $1";
    execute!(&mut transaction, sqlx::query(update).bind(decision_id).bind(kept.encode_to_vec()))?;
    transaction.commit().await?;
    Ok(())
}

/// How many messages wait for delivery.
pub async fn undelivered(database: &Database) -> anyhow::Result<i64> {
    let (count,) = Select::new("select count(*) from outbox").one(database).await?;
    Ok(count)
}

/// Copies every decision so many times, each copy `days` older and a little more.
pub async fn copy_into_past(database: &Database, days: i64, copies: i64) -> anyhow::Result<()> {
    let insert = "insert into decision
          (tenant_id, customer_id, decided_us, decision_id, flow_id, reason, record)
        select tenant_id, customer_id, decided_us - $1, decision_id || $2, flow_id, reason, record
        from decision where decision_id not like '%old%'";
    for copy in 0..copies {
        let mut transaction = database.begin().await?;
        let age_us = days * 86_400_000_000 + copy;
        let mark = format!("old{copy}");
        execute!(&mut transaction, sqlx::query(insert).bind(age_us).bind(&mark))?;
        transaction.commit().await?;
    }
    Ok(())
}

/// How many decisions were made before an instant, in microseconds since 1970.
pub async fn made_before(database: &Database, before_us: i64) -> anyhow::Result<i64> {
    let count = "select count(*) from decision where decided_us < $1";
    let (count,): (i64,) = Select::new(count).bind(before_us).one(database).await?;
    Ok(count)
}
