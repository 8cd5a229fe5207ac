//! Judges a rehearsal by what callers know and by the ledger.

use std::collections::BTreeMap;

use super::load::Load;
use crate::drill::{Report, store::ledger::Row};

/// Contacts of one customer that the campaign allows.
const CAP: usize = 3;
/// Decisions after which a customer's cap must be full.
const ENOUGH: u64 = 8;

/// Adds what was found.
pub fn judge(report: &mut Report, load: &Load, rows: &[Row]) {
    for (phase, (calls, twice)) in load.phases() {
        report.tell(format!("  while replicas were {phase}: {calls} calls, {twice} sent twice"));
    }
    report.promise("calls that failed with one retry", &load.failed());
    let mut slots: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state != "released") {
        slots.entry(&row.customer_id).or_default().push(row);
    }
    let over = slots.iter().filter(|(_, rows)| rows.len() > CAP);
    let over: Vec<_> = over.map(|(id, rows)| format!("{id} has {}", rows.len())).collect();
    report.promise("customers over the cap", &over);
    let (mut lost, mut open, mut full) = (Vec::new(), Vec::new(), 0);
    for (id, (granted, decided)) in load.decided() {
        let held = slots.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        full += usize::from(held.len() == CAP);
        let is_held = |decision: &&String| held.iter().any(|row| row.decision_id == **decision);
        lost.extend(granted.iter().filter(|one| !is_held(one)).map(|one| format!("{id}: {one}")));
        if decided >= ENOUGH && held.len() < CAP {
            open.push(format!("{id} has {} after {decided} decisions", held.len()));
        }
    }
    report.promise("acknowledged decisions without their slot", &lost);
    report.promise("customers whose cap still has room", &open);
    report.tell(format!("  customers whose cap is full: {full}"));
    if full == 0 {
        report.violations.push("no cap was ever full: the drill proves nothing".to_owned());
    }
}
