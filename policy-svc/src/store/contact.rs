//! Contacts and reservations.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction, execute, read};
use serve::from_micros;
use sqlx::AssertSqlSafe;

use super::{Source, Store, customer, fetch, placeholders};
use crate::domain::{
    contact::{ChannelRef, Contact, State},
    question::Candidate,
};

/// Contacts and reservations read for one judgement. One more than the highest cap, so that what cannot be read would
/// have been refused by a global cap anyway.
pub const CONTACTS_MAX: usize = 10_001;

const COLUMNS: &str = "contact_id, decision_id, rank, offer_id, category, category_id, subcategory, channel_id, \
    channel_name, purpose, state, created_us, reserved_us, reserved_until_us, committed_us, unreserved";

#[derive(sqlx::FromRow)]
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
    state: String,
    created_us: i64,
    reserved_us: Option<i64>,
    reserved_until_us: Option<i64>,
    committed_us: Option<i64>,
    unreserved: bool,
}

fn contact(row: ContactRow) -> Result<Contact, DatabaseError> {
    let state = State::parse(&row.state);
    Ok(Contact {
        state: state.ok_or_else(|| DatabaseError::Corrupt(format!("contact {} has no state", row.contact_id)))?,
        contact_id: row.contact_id,
        decision_id: row.decision_id,
        rank: row.rank,
        offer: Candidate {
            offer_id: row.offer_id,
            category: row.category,
            category_id: row.category_id,
            subcategory: row.subcategory,
            purpose: row.purpose,
        },
        channel: ChannelRef { id: row.channel_id, name: row.channel_name },
        created_at: from_micros(row.created_us),
        reserved_at: row.reserved_us.map(from_micros),
        reserved_until: row.reserved_until_us.map(from_micros),
        committed_at: row.committed_us.map(from_micros),
        is_unreserved: row.unreserved,
    })
}

/// Which contacts are read beside the reservations that are not known to have lapsed.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// Contacts that happened after this; none of them without.
    pub committed_after: Option<DateTime<Utc>>,
    /// Reservations that lapsed after this; none of them without.
    pub expired_after: Option<DateTime<Utc>>,
    /// All contacts of these decisions.
    pub decisions: BTreeSet<String>,
}

/// Reads contacts; true when there are more than [`CONTACTS_MAX`].
pub(super) async fn read_all(
    source: &mut Source<'_>,
    tenant: &str,
    customer_id: &str,
    wanted: &Wanted,
) -> Result<(Vec<Contact>, bool), DatabaseError> {
    let after_us = |at: Option<DateTime<Utc>>| at.map_or(i64::MAX, |at| at.timestamp_micros());
    let (committed_us, expired_us) = (after_us(wanted.committed_after), after_us(wanted.expired_after));
    let sql = format!(
        "select {COLUMNS} from contact where tenant_id = $1 and customer_id = $2
           and (state = 'reserved' or (state = 'committed' and committed_us > $3)
             or (state = 'expired' and reserved_until_us > $4))
         order by created_us desc, contact_id limit $5"
    );
    let rows: Vec<ContactRow> = fetch!(source, connection => sqlx::query_as(AssertSqlSafe(sql.as_str()))
        .bind(tenant).bind(customer_id).bind(committed_us).bind(expired_us).bind(CONTACTS_MAX as i64 + 1)
        .fetch_all(connection))?;
    let is_cut = rows.len() > CONTACTS_MAX;
    let mut contacts = Vec::with_capacity(rows.len());
    for row in rows.into_iter().take(CONTACTS_MAX) {
        contacts.push(contact(row)?);
    }
    if !wanted.decisions.is_empty() {
        let known: BTreeSet<_> = contacts.iter().map(|contact| contact.contact_id.clone()).collect();
        let named = of_decisions(source, tenant, customer_id, &wanted.decisions).await?;
        contacts.extend(named.into_iter().filter(|contact| !known.contains(&contact.contact_id)));
    }
    Ok((contacts, is_cut))
}

/// All contacts of some decisions.
pub(super) async fn of_decisions(
    source: &mut Source<'_>,
    tenant: &str,
    customer_id: &str,
    decisions: &BTreeSet<String>,
) -> Result<Vec<Contact>, DatabaseError> {
    let sql = format!(
        "select {COLUMNS} from contact where tenant_id = $1 and customer_id = $2 and decision_id <> '' and rank > 0
           and decision_id in ({})",
        placeholders(3, decisions.len())
    );
    let rows: Vec<ContactRow> = fetch!(source, connection => {
        let mut query = sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(tenant).bind(customer_id);
        for decision_id in decisions {
            query = query.bind(decision_id.as_str());
        }
        query.fetch_all(connection)
    })?;
    rows.into_iter().map(contact).collect()
}

/// Marks reservations that lapsed, so that they are not read for ever.
pub(super) async fn expire(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(
            "update contact set state = 'expired'
         where tenant_id = $1 and customer_id = $2 and state = 'reserved' and reserved_until_us <= $3"
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(at.timestamp_micros())
    )?;
    Ok(())
}

/// Writes a new or changed contact.
pub(super) async fn write(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    contact: &Contact,
) -> Result<(), DatabaseError> {
    let Contact { offer, channel, .. } = contact;
    let us = |at: Option<DateTime<Utc>>| at.map(|at| at.timestamp_micros());
    execute!(transaction, sqlx::query(
        "insert into contact (tenant_id, customer_id, contact_id, decision_id, rank, offer_id, category, category_id,
           subcategory, channel_id, channel_name, purpose, state, created_us, reserved_us, reserved_until_us,
           committed_us, unreserved)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
         on conflict (tenant_id, customer_id, contact_id) do update set state = excluded.state,
           reserved_us = excluded.reserved_us, reserved_until_us = excluded.reserved_until_us,
           committed_us = excluded.committed_us, unreserved = excluded.unreserved")
        .bind(tenant).bind(customer_id).bind(&contact.contact_id).bind(&contact.decision_id).bind(contact.rank)
        .bind(&offer.offer_id).bind(&offer.category).bind(&offer.category_id).bind(&offer.subcategory)
        .bind(&channel.id).bind(&channel.name).bind(&offer.purpose).bind(contact.state.name())
        .bind(contact.created_at.timestamp_micros()).bind(us(contact.reserved_at)).bind(us(contact.reserved_until))
        .bind(us(contact.committed_at)).bind(contact.is_unreserved))?;
    Ok(())
}

impl Store {
    /// A customer's contacts and reservations before (`created_us`, `contact_id`), newest first, and the instant at
    /// which their states are to be told.
    pub async fn contacts(
        &self,
        tenant: &str,
        customer_id: &str,
        before: (i64, &str),
        limit: i64,
    ) -> Result<(Vec<Contact>, DateTime<Utc>), DatabaseError> {
        let known = customer::read(&mut Source::Outside(&self.database), tenant, customer_id, &self.clock).await?;
        let sql = format!(
            "select {COLUMNS} from contact where tenant_id = $1 and customer_id = $2
               and (created_us < $3 or (created_us = $3 and contact_id < $4))
             order by created_us desc, contact_id desc limit $5"
        );
        let rows: Vec<ContactRow> = read!(&self.database, pool => sqlx::query_as(AssertSqlSafe(sql.as_str()))
            .bind(tenant).bind(customer_id).bind(before.0).bind(before.1).bind(limit).fetch_all(pool))?;
        let contacts = rows.into_iter().map(contact).collect::<Result<_, _>>()?;
        Ok((contacts, known.ledger_at))
    }
}
