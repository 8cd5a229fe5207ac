//! The slots that are free when every reservation has lapsed.

use chrono::TimeDelta;
use proffer_proto::policy::v1::Judgment;

use super::{
    super::{
        Report,
        gate::{Callers, Subject},
        log::Reply,
        place::Place,
        store::ledger::{self, Row},
    },
    CAPS, HOUR_US, load,
};

/// More than a reservation on a pull channel lasts and than the shorter windows, less than the
/// longer ones.
const LAPSE: TimeDelta = TimeDelta::minutes(65);
/// Offers that no caller asked for before; more than any cap lets through.
const FRESH: [&str; 10] =
    ["off_a", "off_b", "off_c", "off_d", "off_e", "off_f", "off_g", "off_h", "off_i", "off_j"];

/// When every reservation has lapsed, exactly cap − contacts slots are free, and exactly so many
/// are given.
pub async fn check(
    report: &mut Report,
    place: &mut Place,
    callers: &Callers,
    customers: usize,
) -> anyhow::Result<()> {
    let rows = place
        .with_store(async |store| {
            ledger::pass(store, LAPSE).await?;
            ledger::contacts(store).await
        })
        .await?;
    let subjects = FRESH.map(|offer| Subject { offer, category: "Apparel", channel: "web" });
    let (mut wrong, mut free_in_all, mut given_in_all) = (Vec::new(), 0, 0);
    for customer in (0..customers).map(load::customer_id) {
        let judgment = callers.check(callers.question(&customer, &subjects)).await?;
        let free = free_slots(&mut wrong, &judgment, &rows, &customer)?;
        let call =
            callers.reserve(&customer, &format!("last_{customer}"), &subjects, subjects.len());
        let given = match callers.send(0, &call).await? {
            Reply::Granted { offers, .. } => offers.len(),
            Reply::Refused(_) => 0,
            reply => anyhow::bail!("{customer} got no answer: {reply:?}"),
        };
        if given != free {
            wrong.push(format!("{customer}: {free} slots are free, {given} were given"));
        }
        (free_in_all, given_in_all) = (free_in_all + free, given_in_all + given);
    }
    report.tell(format!(
        "  after every reservation lapsed: {free_in_all} slots free, {given_in_all} given"
    ));
    report.promise("customers whose free slots are not cap − contacts", &wrong);
    Ok(())
}

/// The slots that are free by the contacts stored; a check that differs is wrong.
fn free_slots(
    wrong: &mut Vec<String>,
    judgment: &Judgment,
    rows: &[Row],
    customer: &str,
) -> anyhow::Result<usize> {
    let Some(at) = judgment.ledger_at else { anyhow::bail!("a judgment without its instant") };
    let at_us = at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
    let verdict = judgment.verdicts.first();
    let policies = verdict.map(|verdict| verdict.policies.as_slice()).unwrap_or_default();
    let mut free = usize::MAX;
    for cap in CAPS.iter().filter(|cap| cap.id != "cap_pair") {
        let from_us = at_us - i64::from(cap.hours) * HOUR_US;
        let counts = |row: &&Row| {
            let is_within = row.committed_us.is_some_and(|at_us| at_us > from_us);
            row.customer_id == customer
                && row.state == "committed"
                && is_within
                && (cap.counts)(row)
        };
        let contacts = i32::try_from(rows.iter().filter(counts).count())?;
        free = free.min(usize::try_from(cap.limit - contacts).unwrap_or_default());
        let judged = policies.iter().find(|policy| policy.policy_id == cap.id);
        if judged.is_none_or(|judged| {
            (judged.contacts, judged.reserved, judged.limit) != (contacts, 0, cap.limit)
        }) {
            wrong.push(format!(
                "{customer}: {contacts} contacts stored under {}, but the check says {judged:?}",
                cap.id
            ));
        }
    }
    Ok(free)
}
