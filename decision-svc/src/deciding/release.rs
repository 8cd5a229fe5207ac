//! Releases the slots of a decision.

use std::sync::Arc;

use tonic::Status;

use super::kept::KeptRecord;
use crate::{
    neighbours::{Gate, policy},
    store::{DecisionName, Store},
};

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Release {
    /// Where decisions are kept.
    pub store: Store,
    /// Where slots are kept.
    pub gate: Arc<Gate>,
}

impl Release {
    /// Releases the slot of a rank, or all slots for rank 0; answers how many were released.
    pub async fn release(
        &self,
        tenant: &str,
        name: DecisionName<'_>,
        rank: i32,
    ) -> Result<i32, Status> {
        let kept = KeptRecord::find(&self.store, tenant, name).await?;
        let customer_id = kept.shown.unwrap_or_default().customer_id;
        policy::release(&*self.gate, tenant, &customer_id, name.decision_id, rank).await
    }
}
