//! No window of a cap holds more contacts than the cap.

use std::collections::BTreeMap;

use super::{
    super::{Report, store::ledger::Row},
    CAPS, Cap, HOUR_US,
};

/// Checks every window of every cap.
pub fn check(report: &mut Report, rows: &[Row]) {
    for cap in CAPS {
        check_window(report, &cap, rows);
    }
}

/// The fullest window that ends with a contact: no other can be fuller.
fn check_window(report: &mut Report, cap: &Cap, rows: &[Row]) {
    let window_us = i64::from(cap.hours) * HOUR_US;
    let limit = usize::try_from(cap.limit).unwrap_or_default();
    let mut instants: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for row in
        rows.iter().filter(|row| row.state == "committed" && !row.unreserved && (cap.counts)(row))
    {
        instants.entry(&row.customer_id).or_default().extend(row.committed_us);
    }
    let (mut fullest, mut over, mut full, mut counted) = (0, Vec::new(), 0, 0);
    for (customer, mut instants) in instants {
        instants.sort_unstable();
        let mut from = 0;
        for (index, at) in instants.iter().enumerate() {
            while instants[from] <= at - window_us {
                from += 1;
            }
            let held = index + 1 - from;
            counted += 1;
            fullest = fullest.max(held);
            full += usize::from(held >= limit);
            if held > limit {
                over.push(format!("{customer}: {held} contacts within {} h", cap.hours));
            }
        }
    }
    let (id, hours) = (cap.id, cap.hours);
    report.tell(format!(
        "  {id} ({}, {limit} in {hours} h): {counted} windows, {full} of them full, fullest \
         {fullest}",
        cap.scope
    ));
    report.promise(&format!("windows of {id} over the cap"), &over);
    if full == 0 && id == CAPS[0].id {
        report.violations.push(format!("no window of {id} was ever full: the run proves nothing"));
    }
}
