//! A decision record in the store.

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
