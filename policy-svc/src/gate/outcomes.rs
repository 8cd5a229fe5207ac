//! Delivers outcomes: applies each once, in order per customer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::try_join_all;

use super::{Gate, GateError, budgets};
use crate::{
    domain::{channel::Channel, configuration::Configuration, ledger::Ledger, question::Outcome},
    id::new_id,
    store::{Change, Known, Wanted},
};

impl Gate {
    /// Applies delivered outcomes.
    pub async fn deliver(&self, tenant: &str, outcomes: Vec<Outcome>) -> Result<(), GateError> {
        let configuration = self.configurations.newest(tenant).await?;
        let mut by_customer: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            by_customer.entry(outcome.customer_id.clone()).or_default().push(outcome);
        }
        let writes = by_customer.into_iter().map(|(customer_id, outcomes)| {
            self.deliver_to(tenant, &configuration, customer_id, outcomes)
        });
        try_join_all(writes).await.map(drop)
    }

    async fn deliver_to(
        &self,
        tenant: &str,
        configuration: &Arc<Configuration>,
        customer_id: String,
        outcomes: Vec<Outcome>,
    ) -> Result<(), GateError> {
        let wanted = Wanted {
            tenant: tenant.to_owned(),
            customer_id,
            decisions: named_decisions(&outcomes),
            budgets: budgets(configuration),
            ..Wanted::default()
        };
        let configuration = configuration.clone();
        let judge = move |known: Known| {
            let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, known.contacts);
            let outcomes = outcomes.iter().collect();
            apply(&mut ledger, known.version, &configuration.channels, outcomes);
            Ok((Some(Change::of(known.version, ledger)), ()))
        };
        self.store.write(wanted, judge).await
    }
}

/// The decisions whose contacts some outcomes may be about.
pub(super) fn named_decisions(outcomes: &[Outcome]) -> BTreeSet<String> {
    let about = outcomes.iter().filter(|outcome| outcome.counts_as_contact || outcome.releases);
    let named = about.filter(|outcome| !outcome.decision_id.is_empty() && outcome.rank > 0);
    named.map(|outcome| outcome.decision_id.clone()).collect()
}

/// Applies outcomes to the ledger as it was at `version`.
pub(super) fn apply(
    ledger: &mut Ledger,
    version: i64,
    channels: &[Channel],
    mut outcomes: Vec<&Outcome>,
) {
    outcomes.sort_by_key(|outcome| outcome.customer_seq);
    let at = ledger.at();
    for (outcome, number) in outcomes.into_iter().zip(0..) {
        ledger.apply(outcome, channels, || new_id("con", at, version, number));
    }
}
