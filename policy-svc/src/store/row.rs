//! Rows as the domain has them. Several tables are read in one statement, so a row travels as the
//! text of a JSON array.

use database::DatabaseError;
use serde::Deserialize;
use serve::from_micros;

use super::request::Earlier;
use crate::domain::{
    consent::ConsentRecord,
    contact::{ChannelRef, Contact, State},
    facts::{OutcomeFact, Subject},
    question::Candidate,
};

/// Columns of a contact.
pub(super) const CONTACT: &str = "c.contact_id, c.decision_id, c.rank, c.offer_id, c.category, \
    c.category_id, c.subcategory, c.channel_id, c.channel_name, c.purpose, c.cost, c.state, \
    c.created_us, c.reserved_us, c.reserved_until_us, c.committed_us, \
    cast(c.unreserved as integer), c.flow_id";
/// Columns of an outcome.
pub(super) const OUTCOME: &str = "o.key, o.offer_id, o.category, o.category_id, o.subcategory, \
    o.channel_id, o.channel_name, o.occurred_us";
/// Columns of a consent record.
pub(super) const CONSENT: &str = "s.channel_id, s.channel_folded, cast(s.granted as integer), \
    s.at_us, s.source, s.evidence, s.received_us";

#[derive(Deserialize)]
struct ContactRow {
    contact_id: String,
    decision_id: String,
    rank: i64,
    offer_id: String,
    category: String,
    category_id: String,
    subcategory: String,
    channel_id: String,
    channel_name: String,
    purpose: String,
    cost: i64,
    state: String,
    created_us: i64,
    reserved_us: Option<i64>,
    reserved_until_us: Option<i64>,
    committed_us: Option<i64>,
    unreserved: i64,
    flow_id: String,
}

type OutcomeRow = (String, String, String, String, String, String, String, i64);
type ConsentRow = (String, String, i64, i64, String, String, i64);

/// The values of a row.
pub(super) fn parsed<'a, T: Deserialize<'a>>(row: &'a str) -> Result<T, DatabaseError> {
    serde_json::from_str(row).map_err(|error| DatabaseError::Corrupt(error.to_string()))
}

/// The contact in a row of [`CONTACT`].
pub(super) fn contact(row: &str) -> Result<Contact, DatabaseError> {
    let row: ContactRow = parsed(row)?;
    let state = State::parse(&row.state).ok_or_else(|| {
        DatabaseError::Corrupt(format!("contact {} has no state", row.contact_id))
    })?;
    Ok(Contact {
        contact_id: row.contact_id,
        decision_id: row.decision_id,
        rank: row.rank,
        offer: Candidate {
            offer_id: row.offer_id,
            category: row.category,
            category_id: row.category_id,
            subcategory: row.subcategory,
            purpose: row.purpose,
            cost: row.cost,
        },
        channel: ChannelRef { id: row.channel_id, name: row.channel_name },
        flow_id: row.flow_id,
        state,
        created_at: from_micros(row.created_us),
        reserved_at: row.reserved_us.map(from_micros),
        reserved_until: row.reserved_until_us.map(from_micros),
        committed_at: row.committed_us.map(from_micros),
        is_unreserved: row.unreserved != 0,
    })
}

/// The outcome in a row of [`OUTCOME`].
pub(super) fn outcome(row: &str) -> Result<OutcomeFact, DatabaseError> {
    let row: OutcomeRow = parsed(row)?;
    let (key, offer_id, category, category_id, subcategory, channel_id, channel_name, at_us) = row;
    let offer = Candidate { offer_id, category, category_id, subcategory, ..Default::default() };
    let subject = Subject::new(&offer, &channel_id, &channel_name);
    Ok(OutcomeFact { key, at: from_micros(at_us), subject })
}

/// The record in a row of [`CONSENT`].
pub(super) fn consent(row: &str) -> Result<ConsentRecord, DatabaseError> {
    let row: ConsentRow = parsed(row)?;
    let (channel_id, channel_folded, granted, at_us, source, evidence, received_us) = row;
    Ok(ConsentRecord {
        channel_id,
        channel_folded,
        is_grant: granted != 0,
        at: from_micros(at_us),
        source,
        evidence,
        received_at: from_micros(received_us),
    })
}

/// The answer in a row of decision id and hexadecimal bytes.
pub(super) fn earlier(row: &str) -> Result<Earlier, DatabaseError> {
    let (decision_id, response): (String, String) = parsed(row)?;
    let response =
        hex::decode(response).map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
    Ok(Earlier { decision_id, response })
}
