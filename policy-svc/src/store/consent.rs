//! SQL of consent records.

use database::{DatabaseError, Dialect, Select, Source};

use super::{
    Store,
    known::{self, Wanted},
    row,
};
use crate::domain::{channel::Channel, consent::ConsentRecord};

/// Records of one customer that are read, the latest by event time.
pub const CONSENTS_MAX: i64 = 10_000;

/// The latest by event time first.
pub(super) fn latest(dialect: Dialect) -> String {
    format!(
        "select {} from consent s where s.tenant_id = $1 and s.customer_id = $2
         order by s.at_us desc, s.granted limit $3 + 0",
        dialect.array(row::CONSENT)
    )
}

/// In the order received.
pub(super) fn received(dialect: Dialect) -> String {
    format!(
        "select s.consent_id, {} from consent s where s.tenant_id = $1 and s.customer_id = $2
           and (s.received_us > $3 or (s.received_us = $3 and s.consent_id > $4))
         order by s.received_us, s.consent_id limit $5 + 0",
        dialect.array(row::CONSENT)
    )
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
        let rows: Vec<(String,)> = Select::new(latest(self.database.dialect()))
            .bind(tenant)
            .bind(customer_id)
            .bind(CONSENTS_MAX)
            .all(&self.database)
            .await?;
        rows.iter().map(|(row,)| row::consent(row)).collect()
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
        let rows: Vec<(String, String)> = Select::new(received(self.database.dialect()))
            .bind(tenant)
            .bind(customer_id)
            .bind(after.0)
            .bind(after.1)
            .bind(limit)
            .all(&self.database)
            .await?;
        rows.into_iter().map(|(id, row)| Ok((id, row::consent(&row)?))).collect()
    }
}
