//! Release: gives slots back.

use std::collections::BTreeSet;

use super::{Gate, GateError, budgets};
use crate::{
    domain::ledger::Ledger,
    store::{Change, Known, Wanted},
};

impl Gate {
    /// Releases the live slots of a decision, all or that of one rank; returns how many.
    pub async fn release(
        &self,
        tenant: &str,
        customer_id: &str,
        decision_id: String,
        rank: Option<i64>,
    ) -> Result<usize, GateError> {
        let configuration = self.configurations.newest(tenant).await?;
        let wanted = Wanted {
            tenant: tenant.to_owned(),
            customer_id: customer_id.to_owned(),
            decisions: BTreeSet::from([decision_id.clone()]),
            budgets: budgets(&configuration),
            ..Wanted::default()
        };
        let judge = move |known: Known| {
            // An unknown customer gets no row.
            if known.version == 0 {
                return Ok((None, 0));
            }
            let mut ledger = Ledger::new(known.ledger_at, known.applied_seq, known.contacts);
            let released = ledger.release(&decision_id, rank);
            Ok((Some(Change::of(known.version, ledger)), released))
        };
        self.store.write(wanted, judge).await
    }
}
