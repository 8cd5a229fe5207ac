//! Records consent under the customer's lock.

use chrono::{DateTime, Utc};

use super::{Gate, GateError};
use crate::{
    domain::{
        consent::{ConsentRecord, event_instant},
        folded,
    },
    store::{Change, Known, Wanted},
};

/// What a customer said, to be recorded.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// A grant, or a withdrawal.
    pub is_grant: bool,
    /// When the customer said so; `None` is the instant of receipt.
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

impl Gate {
    /// Records consent. Every reserve and commit after this answer sees the record.
    pub async fn put_consent(
        &self,
        tenant: &str,
        customer_id: &str,
        channel: &str,
        new: NewConsent,
    ) -> Result<PutConsent, GateError> {
        let configuration = self.configurations.newest(tenant).await?;
        let found = configuration.channel(channel).cloned();
        let channel = found.ok_or_else(|| GateError::UnknownChannel(channel.to_owned()))?;
        let wanted = Wanted::consent(tenant, customer_id, &channel);
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
            // The latest decides; of two at one instant, the withdrawal.
            let strength = |record: &ConsentRecord| (record.at, !record.is_grant);
            let outdone =
                known.consent.as_ref().filter(|other| strength(other) > strength(&record));
            let is_effective = outdone.is_none_or(|other| other.is_grant == record.is_grant);
            let change = Change { consents: vec![record.clone()], ..Change::none(&known) };
            Ok((Some(change), PutConsent { record, is_effective }))
        };
        self.store.write(wanted, judge).await
    }
}
