//! Changes as rows of the tables they are written to.

use chrono::{DateTime, Utc};
use database::{Cell, Columns, Kind, Rows};

use super::{
    change::{AnswerChange, Change},
    known::Wanted,
    request::Earlier,
};
use crate::{
    domain::{consent::ConsentRecord, contact::Contact, ledger::OutcomeRecord},
    id::new_id,
};

/// Columns of a row of a customer, after its place in the batch.
macro_rules! of_customer {
    ($($name:literal $kind:ident,)*) => {
        &[
            ("place", Kind::Integer),
            ("tenant_id", Kind::Text),
            ("customer_id", Kind::Text),
            $(($name, Kind::$kind),)*
        ]
    };
}

pub(super) const CUSTOMER: Columns =
    of_customer!["version" Integer, "ledger_us" Integer, "applied_seq" Integer,];
pub(super) const CONTACT: Columns = of_customer![
    "contact_id" Text, "decision_id" Text, "rank" Integer, "offer_id" Text, "category" Text,
    "category_id" Text, "subcategory" Text, "channel_id" Text, "channel_name" Text, "purpose" Text,
    "cost" Integer, "state" Text, "created_us" Integer, "reserved_us" Integer,
    "reserved_until_us" Integer, "committed_us" Integer, "unreserved" Boolean, "flow_id" Text,
];
pub(super) const OUTCOME: Columns = of_customer![
    "customer_seq" Integer, "outcome_id" Text, "key" Text, "offer_id" Text, "category" Text,
    "category_id" Text, "subcategory" Text, "channel_id" Text, "channel_name" Text,
    "occurred_us" Integer,
];
pub(super) const CONSENT: Columns = of_customer![
    "consent_id" Text, "channel_id" Text, "channel_folded" Text, "granted" Boolean,
    "at_us" Integer, "received_us" Integer, "source" Text, "evidence" Text,
];
pub(super) const KEPT: Columns =
    of_customer!["request_key" Text, "decision_id" Text, "response" Bytes, "at_us" Integer,];
pub(super) const FORGOTTEN: Columns = of_customer!["request_key" Text,];

/// The customer's row; `version` is the one that the change was judged by.
pub(super) fn customer<'a>(place: usize, wanted: &'a Wanted, change: &Change) -> [Cell<'a>; 6] {
    [
        place.into(),
        (&wanted.tenant).into(),
        (&wanted.customer_id).into(),
        change.version.into(),
        micros(change.ledger_at).into(),
        change.applied_seq.into(),
    ]
}

/// The other rows of changes, each with its place in the batch: contacts, outcomes, consents, and
/// answers that are kept and forgotten.
pub(super) fn details<'a>(
    changes: impl Iterator<Item = (usize, &'a Wanted, &'a Change)>,
) -> [Rows<'a>; 5] {
    let [mut contacts, mut outcomes, mut consents, mut kept, mut forgotten] =
        [CONTACT, OUTCOME, CONSENT, KEPT, FORGOTTEN].map(Rows::new);
    for (place, wanted, change) in changes {
        let key = || [place.into(), (&wanted.tenant).into(), (&wanted.customer_id).into()];
        for found in &change.contacts {
            contacts.push(key().into_iter().chain(contact(found)));
        }
        for found in &change.outcomes {
            outcomes.push(key().into_iter().chain(outcome(found)));
        }
        for (record, number) in change.consents.iter().zip(0..) {
            let id = new_id("cons", change.ledger_at, change.version, number);
            consents.push(key().into_iter().chain(consent(id, record)));
        }
        match &change.answer {
            None => {}
            Some(AnswerChange::Keep(request_key, Earlier { decision_id, response })) => {
                let (response, at_us) = (response.as_slice(), micros(change.ledger_at));
                let row = [request_key.into(), decision_id.into(), response.into(), at_us.into()];
                kept.push(key().into_iter().chain(row));
            }
            Some(AnswerChange::Forget(request_key)) => {
                forgotten.push(key().into_iter().chain([request_key.into()]));
            }
        }
    }
    [contacts, outcomes, consents, kept, forgotten]
}

fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

fn contact(contact: &Contact) -> [Cell<'_>; 18] {
    let Contact { offer, channel, .. } = contact;
    [
        (&contact.contact_id).into(),
        (&contact.decision_id).into(),
        contact.rank.into(),
        (&offer.offer_id).into(),
        (&offer.category).into(),
        (&offer.category_id).into(),
        (&offer.subcategory).into(),
        (&channel.id).into(),
        (&channel.name).into(),
        (&offer.purpose).into(),
        offer.cost.into(),
        contact.state.name().into(),
        micros(contact.created_at).into(),
        contact.reserved_at.map(micros).into(),
        contact.reserved_until.map(micros).into(),
        contact.committed_at.map(micros).into(),
        contact.is_unreserved.into(),
        (&contact.flow_id).into(),
    ]
}

fn outcome(outcome: &OutcomeRecord) -> [Cell<'_>; 10] {
    let OutcomeRecord { offer, channel, .. } = outcome;
    [
        outcome.customer_seq.into(),
        (&outcome.outcome_id).into(),
        (&outcome.key).into(),
        (&offer.offer_id).into(),
        (&offer.category).into(),
        (&offer.category_id).into(),
        (&offer.subcategory).into(),
        (&channel.id).into(),
        (&channel.name).into(),
        micros(outcome.at).into(),
    ]
}

fn consent(consent_id: String, record: &ConsentRecord) -> [Cell<'_>; 8] {
    [
        consent_id.into(),
        (&record.channel_id).into(),
        (&record.channel_folded).into(),
        record.is_grant.into(),
        micros(record.at).into(),
        micros(record.received_at).into(),
        (&record.source).into(),
        (&record.evidence).into(),
    ]
}
