//! What is to be written about some customers, written together: one statement on PostgreSQL, one after another within
//! the only writer's transaction on SQLite; the same texts on both.

use std::{collections::BTreeSet, sync::LazyLock};

use chrono::{DateTime, Utc};
use database::{DatabaseError, Dialect, Transaction, execute};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    known::{Known, Wanted, json},
    new_id,
    request::Earlier,
};
use crate::domain::{
    consent::ConsentRecord,
    contact::Contact,
    ledger::{Ledger, OutcomeRecord},
};

/// What is to be written about one customer.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The version it was judged by; of a customer who has another by then nothing is written.
    pub version: i64,
    /// The ledger instant.
    pub ledger_at: DateTime<Utc>,
    /// The last outcome applied.
    pub applied_seq: i64,
    /// New and changed contacts.
    pub contacts: Vec<Contact>,
    /// Outcomes applied.
    pub outcomes: Vec<OutcomeRecord>,
    /// New consent records.
    pub consents: Vec<ConsentRecord>,
    /// The answer kept for repeats of a request.
    pub kept: Option<(String, Earlier)>,
    /// The request whose answer is forgotten.
    pub forgotten: Option<String>,
}

impl Change {
    /// Nothing but the ledger instant.
    pub fn none(known: &Known) -> Self {
        Self {
            version: known.version,
            ledger_at: known.ledger_at,
            applied_seq: known.applied_seq,
            contacts: Vec::new(),
            outcomes: Vec::new(),
            consents: Vec::new(),
            kept: None,
            forgotten: None,
        }
    }

    /// What changed in the ledger.
    pub fn of(version: i64, ledger: Ledger) -> Self {
        let (ledger_at, applied_seq) = (ledger.at(), ledger.applied_seq());
        let changes = ledger.changes();
        let (contacts, outcomes, consents) = (changes.contacts, changes.outcomes, changes.consents);
        Self { version, ledger_at, applied_seq, contacts, outcomes, consents, kept: None, forgotten: None }
    }

    /// None when it changes nothing but the ledger instant: enough for a repeat, by which nothing is judged.
    pub fn unless_empty(self) -> Option<Self> {
        let is_empty = self.contacts.is_empty() && self.outcomes.is_empty() && self.consents.is_empty();
        (!is_empty).then_some(self)
    }
}

#[derive(Serialize)]
struct CustomerRow<'a> {
    place: usize,
    tenant_id: &'a str,
    customer_id: &'a str,
    version: i64,
    ledger_us: i64,
    applied_seq: i64,
}

/// A row of one of a customer's tables.
#[derive(Serialize)]
struct Of<'a, T: Serialize> {
    place: usize,
    tenant_id: &'a str,
    customer_id: &'a str,
    #[serde(flatten)]
    row: T,
}

#[derive(Serialize)]
struct ContactRow<'a> {
    contact_id: &'a str,
    decision_id: &'a str,
    rank: i64,
    offer_id: &'a str,
    category: &'a str,
    category_id: &'a str,
    subcategory: &'a str,
    channel_id: &'a str,
    channel_name: &'a str,
    purpose: &'a str,
    cost: i64,
    state: &'static str,
    created_us: i64,
    reserved_us: Option<i64>,
    reserved_until_us: Option<i64>,
    committed_us: Option<i64>,
    unreserved: bool,
}

#[derive(Serialize)]
struct OutcomeRow<'a> {
    customer_seq: i64,
    outcome_id: &'a str,
    key: &'a str,
    offer_id: &'a str,
    category: &'a str,
    category_id: &'a str,
    subcategory: &'a str,
    channel_id: &'a str,
    channel_name: &'a str,
    occurred_us: i64,
}

#[derive(Serialize)]
struct ConsentRow<'a> {
    consent_id: String,
    channel_id: &'a str,
    channel_folded: &'a str,
    granted: bool,
    at_us: i64,
    received_us: i64,
    source: &'a str,
    evidence: &'a str,
}

#[derive(Serialize)]
struct RequestRow<'a> {
    request_key: &'a str,
    decision_id: &'a str,
    response: String,
    at_us: i64,
}

#[derive(Serialize)]
struct RequestKey<'a> {
    request_key: &'a str,
}

const CUSTOMERS: &str = "select cast(value ->> 'place' as bigint) as place, value ->> 'tenant_id' as tenant_id,
    value ->> 'customer_id' as customer_id, cast(value ->> 'version' as bigint) as version,
    cast(value ->> 'ledger_us' as bigint) as ledger_us, cast(value ->> 'applied_seq' as bigint) as applied_seq
  from {rows}";

/// Statements over `{rows}`, each of which belongs to a customer; those whose customer is not `{won}` are left out.
const TABLES: [&str; 5] = [
    "insert into contact (tenant_id, customer_id, contact_id, decision_id, rank, offer_id, category, category_id,
       subcategory, channel_id, channel_name, purpose, cost, state, created_us, reserved_us, reserved_until_us,
       committed_us, unreserved)
     select value ->> 'tenant_id', value ->> 'customer_id', value ->> 'contact_id', value ->> 'decision_id',
       cast(value ->> 'rank' as bigint), value ->> 'offer_id', value ->> 'category', value ->> 'category_id',
       value ->> 'subcategory', value ->> 'channel_id', value ->> 'channel_name', value ->> 'purpose',
       cast(value ->> 'cost' as bigint), value ->> 'state', cast(value ->> 'created_us' as bigint),
       cast(value ->> 'reserved_us' as bigint), cast(value ->> 'reserved_until_us' as bigint),
       cast(value ->> 'committed_us' as bigint), cast(value ->> 'unreserved' as boolean)
     from {rows} where {won}
     on conflict (tenant_id, customer_id, contact_id) do update set state = excluded.state,
       reserved_us = excluded.reserved_us, reserved_until_us = excluded.reserved_until_us,
       committed_us = excluded.committed_us, unreserved = excluded.unreserved",
    "insert into outcome (tenant_id, customer_id, customer_seq, outcome_id, key, offer_id, category, category_id,
       subcategory, channel_id, channel_name, occurred_us)
     select value ->> 'tenant_id', value ->> 'customer_id', cast(value ->> 'customer_seq' as bigint),
       value ->> 'outcome_id', value ->> 'key', value ->> 'offer_id', value ->> 'category', value ->> 'category_id',
       value ->> 'subcategory', value ->> 'channel_id', value ->> 'channel_name',
       cast(value ->> 'occurred_us' as bigint)
     from {rows} where {won}",
    "insert into consent (tenant_id, customer_id, consent_id, channel_id, channel_folded, granted, at_us, received_us,
       source, evidence)
     select value ->> 'tenant_id', value ->> 'customer_id', value ->> 'consent_id', value ->> 'channel_id',
       value ->> 'channel_folded', cast(value ->> 'granted' as boolean), cast(value ->> 'at_us' as bigint),
       cast(value ->> 'received_us' as bigint), value ->> 'source', value ->> 'evidence'
     from {rows} where {won}",
    "insert into grant_request (tenant_id, customer_id, request_key, decision_id, response, at_us)
     select value ->> 'tenant_id', value ->> 'customer_id', value ->> 'request_key', value ->> 'decision_id',
       unhex(value ->> 'response'), cast(value ->> 'at_us' as bigint)
     from {rows} where {won}
     on conflict (tenant_id, customer_id, request_key) do update set decision_id = excluded.decision_id,
       response = excluded.response, at_us = excluded.at_us",
    "delete from grant_request where (tenant_id, customer_id, request_key) in (
       select value ->> 'tenant_id', value ->> 'customer_id', value ->> 'request_key' from {rows} where {won})",
];

static ON_SQLITE: LazyLock<Vec<String>> = LazyLock::new(|| {
    let customers = format!(
        "insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
         select tenant_id, customer_id, version + 1, ledger_us, applied_seq from ({CUSTOMERS}) where true
         on conflict (tenant_id, customer_id) do update set version = excluded.version,
           ledger_us = excluded.ledger_us, applied_seq = excluded.applied_seq"
    );
    let elements = Dialect::Sqlite.elements(1);
    let texts = std::iter::once(customers.as_str()).chain(TABLES);
    texts.map(|text| text.replace("{rows}", &elements).replace("{won}", "true")).collect()
});

/// By which of [`TABLES`] have rows: what a statement could do costs as well.
static ON_POSTGRES: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..1 << TABLES.len()).map(|number| on_postgres(|table| number >> table & 1 == 1)).collect());

/// A customer is won whose row has still the version that was judged by, or is still missing. Rows are taken in the
/// order of places, which is that of ids.
fn on_postgres(has_rows: impl Fn(usize) -> bool) -> String {
    let elements = |number| Dialect::Postgres.elements(number);
    let tables = TABLES.iter().enumerate().filter(|(table, _)| has_rows(*table)).zip(2..);
    let tables = tables.map(|((_, text), number)| {
        let text = text.replace("{rows}", &elements(number));
        let text = text.replace("{won}", "cast(value ->> 'place' as bigint) in (select place from won)");
        format!(", table_{number} as ({text})")
    });
    format!(
        "with asked as ({customers}),
         born as (
           insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
           select tenant_id, customer_id, 1, ledger_us, applied_seq from asked where version = 0 order by place
           on conflict (tenant_id, customer_id) do nothing returning tenant_id, customer_id),
         held as (
           select a.* from asked a join customer c on c.tenant_id = a.tenant_id and c.customer_id = a.customer_id
             and c.version = a.version order by a.place for update of c),
         grown as (
           update customer c set version = c.version + 1, ledger_us = h.ledger_us, applied_seq = h.applied_seq
           from held h where c.tenant_id = h.tenant_id and c.customer_id = h.customer_id and c.version = h.version
           returning h.place),
         won as (
           select place from grown union all
           select a.place from asked a join born b on b.tenant_id = a.tenant_id and b.customer_id = a.customer_id)
         {tables} select place from won",
        customers = CUSTOMERS.replace("{rows}", &elements(1)),
        tables = tables.collect::<String>(),
    )
}

/// Where changes are written.
pub(super) enum Target<'a> {
    /// In a transaction that holds the locks of all.
    Within(&'a mut Transaction),
    /// On a connection without a transaction: only on PostgreSQL, where the statement is one of its own.
    Alone(&'a mut PgConnection),
}

/// Writes the changes, each with the customer it belongs to; gives the places of the customers who were written to. The
/// others were changed by somebody else since they were read, and nothing of theirs is written.
pub(super) async fn write(
    target: Target<'_>,
    changes: &[(&Wanted, &Change)],
) -> Result<BTreeSet<usize>, DatabaseError> {
    // Repeats and refused requests write nothing.
    if changes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = rows(changes)?;
    let on_postgres = async |connection: &mut PgConnection| {
        let has_rows = |rows: &String| rows != "[]";
        let tables = rows.iter().skip(1).map(has_rows).rev().fold(0, |number, is| 2 * number + usize::from(is));
        let mut query = sqlx::query_scalar(AssertSqlSafe(ON_POSTGRES.get(tables).map_or("", String::as_str)));
        for rows in rows.iter().take(1).chain(rows.iter().skip(1).filter(|rows| has_rows(rows))) {
            query = query.bind(rows);
        }
        let places: Vec<i64> = query.fetch_all(connection).await?;
        Ok(places.into_iter().filter_map(|place| usize::try_from(place).ok()).collect())
    };
    match target {
        Target::Alone(connection) => on_postgres(connection).await,
        Target::Within(Transaction::Postgres(inner)) => on_postgres(&mut *inner).await,
        Target::Within(transaction) => {
            for (text, rows) in ON_SQLITE.iter().zip(&rows).filter(|(_, rows)| *rows != "[]") {
                execute!(&mut *transaction, sqlx::query(AssertSqlSafe(text.as_str())).bind(rows))?;
            }
            Ok((0..changes.len()).collect())
        }
    }
}

/// The rows of the customers, then of each of [`TABLES`].
fn rows(changes: &[(&Wanted, &Change)]) -> Result<[String; 6], DatabaseError> {
    let us = |at: DateTime<Utc>| at.timestamp_micros();
    let (mut customers, mut contacts, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut consents, mut kept, mut forgotten) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (wanted, change)) in changes.iter().enumerate() {
        let (tenant_id, customer_id) = (wanted.tenant.as_str(), wanted.customer_id.as_str());
        let (version, ledger_us, applied_seq) = (change.version, us(change.ledger_at), change.applied_seq);
        customers.push(CustomerRow { place, tenant_id, customer_id, version, ledger_us, applied_seq });
        for contact in &change.contacts {
            let Contact { offer, channel, .. } = contact;
            let row = ContactRow {
                contact_id: &contact.contact_id,
                decision_id: &contact.decision_id,
                rank: contact.rank,
                offer_id: &offer.offer_id,
                category: &offer.category,
                category_id: &offer.category_id,
                subcategory: &offer.subcategory,
                channel_id: &channel.id,
                channel_name: &channel.name,
                purpose: &offer.purpose,
                cost: offer.cost,
                state: contact.state.name(),
                created_us: us(contact.created_at),
                reserved_us: contact.reserved_at.map(us),
                reserved_until_us: contact.reserved_until.map(us),
                committed_us: contact.committed_at.map(us),
                unreserved: contact.is_unreserved,
            };
            contacts.push(Of { place, tenant_id, customer_id, row });
        }
        for outcome in &change.outcomes {
            let OutcomeRecord { offer, channel, .. } = outcome;
            let row = OutcomeRow {
                customer_seq: outcome.customer_seq,
                outcome_id: &outcome.outcome_id,
                key: &outcome.key,
                offer_id: &offer.offer_id,
                category: &offer.category,
                category_id: &offer.category_id,
                subcategory: &offer.subcategory,
                channel_id: &channel.id,
                channel_name: &channel.name,
                occurred_us: us(outcome.at),
            };
            outcomes.push(Of { place, tenant_id, customer_id, row });
        }
        for (record, nth) in change.consents.iter().zip(0..) {
            let row = ConsentRow {
                consent_id: new_id("cons", change.ledger_at, change.version, nth),
                channel_id: &record.channel_id,
                channel_folded: &record.channel_folded,
                granted: record.is_grant,
                at_us: us(record.at),
                received_us: us(record.received_at),
                source: &record.source,
                evidence: &record.evidence,
            };
            consents.push(Of { place, tenant_id, customer_id, row });
        }
        if let Some((request_key, Earlier { decision_id, response })) = &change.kept {
            let row = RequestRow { request_key, decision_id, response: hex::encode(response), at_us: ledger_us };
            kept.push(Of { place, tenant_id, customer_id, row });
        }
        if let Some(request_key) = &change.forgotten {
            forgotten.push(Of { place, tenant_id, customer_id, row: RequestKey { request_key } });
        }
    }
    Ok([json(&customers)?, json(&contacts)?, json(&outcomes)?, json(&consents)?, json(&kept)?, json(&forgotten)?])
}
