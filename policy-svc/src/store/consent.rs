//! SQL of consent records.

use database::{DatabaseError, Select, Source};
use serve::from_micros;

use super::{
    Store,
    known::{self, Wanted},
};
use crate::domain::{channel::Channel, consent::ConsentRecord};

/// Records of one customer looked through to say what decides: the latest by event time.
pub const CONSENTS_MAX: i64 = 10_000;

pub(super) type Row = (String, String, bool, i64, String, String, i64);

pub(super) fn record(
    (channel_id, channel_folded, is_grant, at_us, source, evidence, received_us): Row,
) -> ConsentRecord {
    let (at, received_at) = (from_micros(at_us), from_micros(received_us));
    ConsentRecord { channel_id, channel_folded, is_grant, at, source, evidence, received_at }
}

impl Store {
    /// The record that decides on a channel.
    pub async fn consent(
        &self,
        tenant: &str,
        customer_id: &str,
        channel: &Channel,
    ) -> Result<Option<ConsentRecord>, DatabaseError> {
        let wanted = Wanted::consent(tenant, customer_id, channel);
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
