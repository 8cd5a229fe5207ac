//! A customer's record as it is stored: its values, encoded as a message.

use std::collections::BTreeMap;

use database::DatabaseError;
use history::timestamp;
use proffer_proto::{catalog::v1::CustomerRecord, values::v1::Value};
use prost::Message as _;
use tonic::Status;

use super::value::into_proto;
use crate::{
    domain::{
        record::{Changes, size_fault},
        schema::Schema,
    },
    store::RecordRow,
};

/// A record as it is answered: of its stored values those whose fields the schema still has.
pub fn shown(schema: &Schema, row: RecordRow) -> CustomerRecord {
    let mut fields = decoded(&row.payload);
    fields.retain(|name, _| schema.fields.contains_key(name));
    let updated_at = Some(timestamp(row.updated_at));
    CustomerRecord { customer_id: row.customer_id, fields, version: row.version, updated_at }
}

fn encoded(fields: BTreeMap<String, Value>) -> Vec<u8> {
    CustomerRecord { fields, ..Default::default() }.encode_to_vec()
}

fn decoded(payload: &[u8]) -> BTreeMap<String, Value> {
    // INVARIANT: payloads are written by `encoded`; an unreadable one reads as a record without
    // values.
    CustomerRecord::decode(payload).map(|record| record.fields).unwrap_or_default()
}

/// A new record of these values, encoded; a fault when it is too large.
pub fn whole(changes: Changes) -> Result<Vec<u8>, String> {
    let set = changes.into_iter().filter_map(|(name, value)| Some((name, into_proto(value?))));
    sized(encoded(set.collect()))
}

/// The values of a stored record after a change, encoded; a fault when they are too large.
pub fn merged(payload: &[u8], changes: Changes) -> Result<Vec<u8>, String> {
    let mut fields = decoded(payload);
    for (name, value) in changes {
        match value {
            Some(value) => drop(fields.insert(name, into_proto(value))),
            None => drop(fields.remove(&name)),
        }
    }
    sized(encoded(fields))
}

fn sized(payload: Vec<u8>) -> Result<Vec<u8>, String> {
    match size_fault(payload.len()) {
        Some(message) => Err(message),
        None => Ok(payload),
    }
}

/// A failure of the records' store as a status.
pub fn store_error(error: DatabaseError) -> Status {
    serve::store_status(&error)
}
