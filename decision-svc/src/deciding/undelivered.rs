//! A customer's outcomes that are acknowledged and not yet delivered to policy-svc.
//!
//! They travel with a question, up to [`policy::PENDING_MAX`] of them. Where more wait, the caller
//! delivers the oldest itself, in parts, instead of waiting for the relay. policy-svc applies each
//! outcome once, by its number, so the relay may deliver the same ones.

use std::sync::Arc;

use database::DatabaseError;

use crate::{
    neighbours::{Gate, policy},
    store::{OutboxRow, Store, Target},
};

/// Rows of one part.
const PART: i64 = 500;
/// Most parts that one caller delivers. A customer with more outcomes waits for the relay.
const PARTS_MAX: usize = 20;

/// Undelivered outcomes. Cheap to clone.
#[derive(Clone)]
pub struct Undelivered {
    /// Where they are kept.
    pub store: Store,
    /// Where they are delivered.
    pub gate: Arc<Gate>,
}

impl Undelivered {
    /// A customer's undelivered outcomes, in order: few enough for a question, unless policy-svc
    /// does not take them.
    pub async fn of(
        &self,
        tenant: &str,
        customer_id: &str,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        let rows = self.store.pending(tenant, customer_id, policy::PENDING_READ).await?;
        self.few(tenant, customer_id, rows).await
    }

    /// The same, when the first of them were read before.
    pub async fn few(
        &self,
        tenant: &str,
        customer_id: &str,
        mut rows: Vec<OutboxRow>,
    ) -> Result<Vec<OutboxRow>, DatabaseError> {
        for _ in 0..PARTS_MAX {
            if rows.len() <= policy::PENDING_MAX {
                break;
            }
            let part = self.store.pending(tenant, customer_id, PART).await?;
            let payloads: Vec<_> = part.iter().map(|row| row.payload.as_slice()).collect();
            if let Err(status) = policy::deliver(&*self.gate, tenant, &payloads).await {
                tracing::warn!(code = ?status.code(), "outcomes of a customer were not delivered");
                break;
            }
            self.store.delivered(tenant, Target::Policy, &part).await?;
            rows = self.store.pending(tenant, customer_id, policy::PENDING_READ).await?;
        }
        Ok(rows)
    }
}
