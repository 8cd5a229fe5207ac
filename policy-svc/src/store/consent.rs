//! Consent records.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Transaction, execute, read};
use serve::from_micros;

use super::{Source, Store, customer, fetch};
use crate::domain::{
    channel::Channel,
    consent::{ConsentRecord, EVERY_CHANNEL, event_instant},
    folded,
};

/// Records of one customer looked through to say what decides: the latest by event time.
pub const CONSENTS_MAX: i64 = 10_000;

type Row = (String, String, bool, i64, String, String, i64);

fn record((channel_id, channel_folded, is_grant, at_us, source, evidence, received_us): Row) -> ConsentRecord {
    let (at, received_at) = (from_micros(at_us), from_micros(received_us));
    ConsentRecord { channel_id, channel_folded, is_grant, at, source, evidence, received_at }
}

/// The record that decides on a channel: the latest that speaks for it, of two at the same instant the withdrawal.
pub(super) async fn deciding(
    source: &mut Source<'_>,
    tenant: &str,
    customer_id: &str,
    channel: &Channel,
) -> Result<Option<ConsentRecord>, DatabaseError> {
    // The same condition as `ConsentRecord::speaks_for`.
    let row: Option<Row> = fetch!(source, connection => sqlx::query_as(
        "select channel_id, channel_folded, granted, at_us, source, evidence, received_us from consent
         where tenant_id = $1 and customer_id = $2
           and (channel_id = $3 or (not granted and (channel_folded = $4 or (channel_id = $5 and $6))))
         order by at_us desc, granted limit 1")
        .bind(tenant).bind(customer_id).bind(&channel.id).bind(folded(&channel.name)).bind(EVERY_CHANNEL)
        .bind(channel.is_contacting()).fetch_optional(connection))?;
    Ok(row.map(record))
}

/// Keeps a record.
pub(super) async fn write(
    transaction: &mut Transaction,
    tenant: &str,
    customer_id: &str,
    record: &ConsentRecord,
    received_at: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let consent_id = format!("cons_{}", uuid::Uuid::now_v7().simple());
    execute!(
        transaction,
        sqlx::query(
            "insert into consent (tenant_id, customer_id, consent_id, channel_id, channel_folded, granted, at_us,
           received_us, source, evidence) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(consent_id)
        .bind(&record.channel_id)
        .bind(&record.channel_folded)
        .bind(record.is_grant)
        .bind(record.at.timestamp_micros())
        .bind(received_at.timestamp_micros())
        .bind(&record.source)
        .bind(&record.evidence)
    )?;
    Ok(())
}

/// What a customer said, to be recorded.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// A grant, or a withdrawal.
    pub is_grant: bool,
    /// When the customer said so; receipt when nobody knows.
    pub at: Option<DateTime<Utc>>,
    /// Where it was said.
    pub source: String,
    /// Proof.
    pub evidence: String,
}

/// A record as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutConsent {
    /// The record.
    pub record: ConsentRecord,
    /// False when another record of the other kind decides.
    pub is_effective: bool,
}

impl Store {
    /// Records consent under the customer's lock: once this answers, no later reserve or commit overlooks it.
    pub async fn put_consent(
        &self,
        tenant: &str,
        customer_id: &str,
        channel: &Channel,
        new: NewConsent,
    ) -> Result<PutConsent, DatabaseError> {
        let _turn = self.turn(tenant, customer_id).await;
        let mut transaction = self.database.begin().await?;
        let known = customer::lock(&mut transaction, tenant, customer_id, &self.clock).await?;
        let record = ConsentRecord {
            channel_id: channel.id.clone(),
            channel_folded: folded(&channel.name),
            is_grant: new.is_grant,
            at: event_instant(new.at, known.ledger_at),
            source: new.source,
            evidence: new.evidence,
            received_at: known.ledger_at,
        };
        write(&mut transaction, tenant, customer_id, &record, known.ledger_at).await?;
        let deciding = deciding(&mut Source::Within(&mut transaction), tenant, customer_id, channel).await?;
        customer::save(&mut transaction, tenant, customer_id, known.ledger_at, known.applied_seq).await?;
        transaction.commit().await?;
        let is_effective = deciding.is_some_and(|deciding| deciding.is_grant == record.is_grant);
        Ok(PutConsent { record, is_effective })
    }

    /// The record that decides on a channel.
    pub async fn consent(
        &self,
        tenant: &str,
        customer_id: &str,
        channel: &Channel,
    ) -> Result<Option<ConsentRecord>, DatabaseError> {
        deciding(&mut Source::Outside(&self.database), tenant, customer_id, channel).await
    }

    /// A customer's records, the latest by event time first; at most [`CONSENTS_MAX`].
    pub async fn consents(&self, tenant: &str, customer_id: &str) -> Result<Vec<ConsentRecord>, DatabaseError> {
        let rows: Vec<Row> = read!(&self.database, pool => sqlx::query_as(
            "select channel_id, channel_folded, granted, at_us, source, evidence, received_us from consent
             where tenant_id = $1 and customer_id = $2 order by at_us desc, granted limit $3")
            .bind(tenant).bind(customer_id).bind(CONSENTS_MAX).fetch_all(pool))?;
        Ok(rows.into_iter().map(record).collect())
    }

    /// A customer's records after (`received_us`, `consent_id`) in the order received, with their ids.
    pub async fn consent_proof(
        &self,
        tenant: &str,
        customer_id: &str,
        after: (i64, &str),
        limit: i64,
    ) -> Result<Vec<(String, ConsentRecord)>, DatabaseError> {
        type Kept = (String, String, String, bool, i64, String, String, i64);
        let rows: Vec<Kept> = read!(&self.database, pool => sqlx::query_as(
            "select consent_id, channel_id, channel_folded, granted, at_us, source, evidence, received_us from consent
             where tenant_id = $1 and customer_id = $2
               and (received_us > $3 or (received_us = $3 and consent_id > $4))
             order by received_us, consent_id limit $5")
            .bind(tenant).bind(customer_id).bind(after.0).bind(after.1).bind(limit).fetch_all(pool))?;
        let kept = |(consent_id, channel_id, folded, granted, at_us, source, evidence, received_us): Kept| {
            (consent_id, record((channel_id, folded, granted, at_us, source, evidence, received_us)))
        };
        Ok(rows.into_iter().map(kept).collect())
    }
}
