//! Commits the contact of a decided offer, with the customer's record as it is now.

use std::sync::Arc;

use serve::{Clock, Problem};
use tonic::{Code, Status};

use super::{
    kept::{self, KeptRecord},
    undelivered::Undelivered,
    whole_flow::WholeFlows,
};
use crate::{
    domain::{judgment::Refusal, reason::Reason},
    neighbours::{
        Gate, Lookup, catalog,
        policy::{self, Contact},
    },
    store::{DecisionName, Store},
};

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Commit {
    /// Decisions.
    pub store: Store,
    /// Outcomes that policy-svc does not have yet.
    pub undelivered: Undelivered,
    /// Which schema a flow reads.
    pub flows: WholeFlows,
    /// Customer records.
    pub catalog: Arc<Lookup>,
    /// Judges and commits.
    pub gate: Arc<Gate>,
    /// The time.
    pub clock: Clock,
}

impl Commit {
    /// Commits the offer of a rank: the contact's id, or why there must be no contact. Spawn it.
    pub async fn commit(
        &self,
        tenant: &str,
        name: DecisionName<'_>,
        rank: i32,
    ) -> Result<Result<String, Refusal>, Status> {
        let KeptRecord { shown, offers, .. } = KeptRecord::find(&self.store, tenant, name).await?;
        let shown = shown.unwrap_or_default();
        if !kept::is_contact(&shown) {
            let message = "the decision says `\"contact\": false`: there is no contact to commit; \
                           make a new decision with a channel";
            return Err(Problem::wrong_state(name.decision_id, "no_contact", message).into());
        }
        let offer = offers.iter().find(|offer| offer.rank == rank);
        let has = format!("; the decision has {} offers", offers.len());
        let unknown = || Problem::not_found("rank", &rank.to_string()).hint(&has);
        let offer = offer.ok_or_else(unknown)?;
        let schema = self.flows.schema(tenant, &shown.flow_id).await;
        let (customer, pending) = tokio::join!(
            catalog::customer(&*self.catalog, tenant, &shown.customer_id, &schema),
            self.undelivered.of(tenant, &shown.customer_id),
        );
        let pending = pending.map_err(|error| serve::store_status(&error))?;
        let Ok(customer) = customer else { return Ok(Err(unavailable())) };
        if pending.len() > policy::PENDING_MAX {
            return Ok(Err(unavailable()));
        }
        let contact = Contact {
            customer_id: &shown.customer_id,
            channel: &shown.channel,
            now: self.clock.now(),
            record: &customer.record.unwrap_or_default(),
            pending: &pending,
            as_of: None,
            policy_revision: None,
            flow_id: &shown.flow_id,
        };
        let candidate = offer.subject.clone().unwrap_or_default();
        let decision_id = name.decision_id;
        match policy::commit(&*self.gate, tenant, contact, candidate, decision_id, rank).await {
            Err(status) if status.code() == Code::Unavailable => Ok(Err(unavailable())),
            answer => answer,
        }
    }
}

fn unavailable() -> Refusal {
    Refusal::new(Reason::Unavailable, "the contact cannot be checked now; try again shortly")
}
