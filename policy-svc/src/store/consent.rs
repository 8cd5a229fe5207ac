//! Consent records.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select, Source};
use serve::from_micros;

use super::{
    Store, StoreError,
    change::Change,
    known::{self, Known, Wanted},
};
use crate::domain::{
    channel::Channel,
    consent::{ConsentRecord, event_instant},
    folded,
};

/// Records of one customer looked through to say what decides: the latest by event time.
pub const CONSENTS_MAX: i64 = 10_000;

pub(super) type Row = (String, String, bool, i64, String, String, i64);

pub(super) fn record(
    (channel_id, channel_folded, is_grant, at_us, source, evidence, received_us): Row,
) -> ConsentRecord {
    let (at, received_at) = (from_micros(at_us), from_micros(received_us));
    ConsentRecord { channel_id, channel_folded, is_grant, at, source, evidence, received_at }
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
    /// Records consent: once this answers, no later reserve or commit overlooks it.
    pub async fn put_consent(
        &self,
        tenant: &str,
        customer_id: &str,
        channel: &Channel,
        new: NewConsent,
    ) -> Result<PutConsent, StoreError> {
        let wanted = self.of_channel(tenant, customer_id, channel);
        let channel = channel.clone();
        let judge = move |known: Known| {
            let record = ConsentRecord {
                channel_id: channel.id.clone(),
                channel_folded: folded(&channel.name),
                is_grant: new.is_grant,
                at: event_instant(new.at, known.ledger_at),
                source: new.source.clone(),
                evidence: new.evidence.clone(),
                received_at: known.ledger_at,
            };
            // The latest decides, of two at one instant the withdrawal.
            let strength = |record: &ConsentRecord| (record.at, !record.is_grant);
            let outdone =
                known.consent.as_ref().filter(|other| strength(other) > strength(&record));
            let is_effective = outdone.is_none_or(|other| other.is_grant == record.is_grant);
            let change = Change { consents: vec![record.clone()], ..Change::none(&known) };
            Ok((Some(change), PutConsent { record, is_effective }))
        };
        self.write(wanted, judge).await
    }

    fn of_channel(&self, tenant: &str, customer_id: &str, channel: &Channel) -> Wanted {
        let (tenant, customer_id) = (tenant.to_owned(), customer_id.to_owned());
        Wanted { tenant, customer_id, channel: Some(channel.clone()), ..Wanted::default() }
    }

    /// The record that decides on a channel.
    pub async fn consent(
        &self,
        tenant: &str,
        customer_id: &str,
        channel: &Channel,
    ) -> Result<Option<ConsentRecord>, DatabaseError> {
        let wanted = self.of_channel(tenant, customer_id, channel);
        Ok(known::one(&mut Source::Outside(&self.database), &wanted, &self.clock).await?.consent)
    }

    /// A customer's records, the latest by event time first; at most [`CONSENTS_MAX`].
    pub async fn consents(
        &self,
        tenant: &str,
        customer_id: &str,
    ) -> Result<Vec<ConsentRecord>, DatabaseError> {
        let rows: Vec<Row> = Select::new(
            "select channel_id, channel_folded, granted, at_us, source, evidence, received_us from consent
             where tenant_id = $1 and customer_id = $2 order by at_us desc, granted limit $3",
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(CONSENTS_MAX)
        .all(&self.database)
        .await?;
        Ok(rows.into_iter().map(record).collect())
    }

    /// A customer's records after (`received_us`, `consent_id`) in the order received, with their
    /// ids.
    pub async fn consent_proof(
        &self,
        tenant: &str,
        customer_id: &str,
        after: (i64, &str),
        limit: i64,
    ) -> Result<Vec<(String, ConsentRecord)>, DatabaseError> {
        type Kept = (String, String, String, bool, i64, String, String, i64);
        let rows: Vec<Kept> = Select::new(
            "select consent_id, channel_id, channel_folded, granted, at_us, source, evidence, received_us from consent
             where tenant_id = $1 and customer_id = $2
               and (received_us > $3 or (received_us = $3 and consent_id > $4))
             order by received_us, consent_id limit $5",
        )
        .bind(tenant)
        .bind(customer_id)
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .all(&self.database)
        .await?;
        let kept = |(
            consent_id,
            channel_id,
            folded,
            granted,
            at_us,
            source,
            evidence,
            received_us,
        ): Kept| {
            (
                consent_id,
                record((channel_id, folded, granted, at_us, source, evidence, received_us)),
            )
        };
        Ok(rows.into_iter().map(kept).collect())
    }
}
