//! One request is answered once: however many send it at the same time, it takes one set of slots.

use std::collections::BTreeMap;

use super::{
    Order, Report,
    gate::{Callers, GateCall, Subject},
    log::{Entry, Reply},
    rig::{Rig, numbered},
    store::ledger,
};

/// Keys asked about at the same time.
const KEYS_AT_ONCE: usize = 4;
/// Slots one request wants.
const SLOTS: usize = 2;

const SUBJECTS: [Subject; 3] = [
    Subject { offer: "off_coat", category: "Apparel", channel: "web" },
    Subject { offer: "off_shirt", category: "Apparel", channel: "web" },
    Subject { offer: "off_lamp", category: "Home", channel: "web" },
];

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let Rig { mut report, mut place, log, callers } =
        Rig::start(order, "idempotency", "idempotency.log").await?;
    callers.create_channel("web", "").await?;
    // So wide that a second set of slots would not be refused.
    callers.create_cap("cap_all", "global", 24, 1_000).await?;
    let count = order.size.callers_per_key;
    let done = numbered(order, KEYS_AT_ONCE, order.size.keys, move |number| {
        let callers = callers.clone();
        async move { ask(&callers, number, count).await }
    });
    let done = done.await?;
    let note = if done < order.size.keys { " (the time was up)" } else { "" };
    report.tell(format!(
        "  keys: {done} of {}, each by {} callers at once{note}; log in {}",
        order.size.keys,
        order.size.callers_per_key,
        log.path().display()
    ));
    let rows = place.with_store(async |store| ledger::contacts(store).await).await?;
    let decisions = judge_log(&mut report, &log.read()?);
    let mut stored: BTreeMap<&str, Vec<&ledger::Row>> = BTreeMap::new();
    for row in &rows {
        stored.entry(&row.customer_id).or_default().push(row);
    }
    let wrong = decisions.iter().filter_map(|(customer, decision)| {
        let rows = stored.get(customer.as_str()).map(Vec::as_slice).unwrap_or_default();
        let is_one_set = rows.len() == SLOTS && rows.iter().all(|row| row.decision_id == *decision);
        (!is_one_set).then(|| format!("{customer}: {} slots for {decision}", rows.len()))
    });
    report.promise("keys with more or less than one set of slots", &wrong.collect::<Vec<_>>());
    if stored.len() as u64 != done {
        report
            .violations
            .push(format!("{done} keys were answered, {} customers hold slots", stored.len()));
    }
    Ok(report)
}

/// Everybody sends the same request under a decision of their own.
async fn ask(callers: &Callers, number: u64, count: usize) -> anyhow::Result<()> {
    let customer = format!("key_{number:05}");
    let caller = |caller: usize| {
        let (callers, customer) = (callers.clone(), customer.clone());
        tokio::spawn(async move {
            let decision = format!("decision_{number}_{caller}");
            let call = match callers.reserve(&customer, &decision, &SUBJECTS, SLOTS) {
                GateCall::Reserve(mut request) => {
                    request.request_id = format!("request_{number}");
                    GateCall::Reserve(request)
                }
                other => other,
            };
            callers.send(caller, &call).await
        })
    };
    for caller in (0..count).map(caller).collect::<Vec<_>>() {
        caller.await??;
    }
    Ok(())
}

/// The first decision that each customer was answered with.
fn judge_log(report: &mut Report, log: &[Entry]) -> BTreeMap<String, String> {
    let mut begun = BTreeMap::new();
    let mut decisions: BTreeMap<String, String> = BTreeMap::new();
    let (mut differing, mut unanswered, mut same, mut repeats) = (Vec::new(), Vec::new(), 0, 0);
    for entry in log {
        match entry {
            Entry::Attempt { id, customer, decision, .. } => {
                begun.insert(*id, (customer, decision));
            }
            Entry::Answer { id, reply, .. } => {
                let Some((customer, own)) = begun.get(id) else { continue };
                match reply {
                    Reply::Granted { decision, offers } if offers.len() == SLOTS => {
                        let first = decisions
                            .entry((*customer).clone())
                            .or_insert_with(|| decision.clone());
                        repeats += usize::from(decision != *own);
                        if first == decision {
                            same += 1;
                        } else {
                            differing.push(format!("{customer}: {first} and {decision}"));
                        }
                    }
                    reply => unanswered.push(format!("{customer}: {reply:?}")),
                }
            }
        }
    }
    report.tell(format!(
        "  answers: {same} the same as the first for their key, {repeats} of them repeats"
    ));
    report.promise("answers that name another decision", &differing);
    report.promise("callers without the slots", &unanswered);
    decisions
}
