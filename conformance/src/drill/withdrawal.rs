//! Who withdrew is not contacted: once a withdrawal is answered, nothing that begins later gets a
//! slot or a go.

use std::collections::BTreeMap;

use proffer_proto::policy::v1 as proto;

use super::{
    Order, Report,
    draw::Draw,
    gate::{Callers, GateCall, Subject, TRIES_MAX},
    log::{Entry, Reply, Verb},
    rig::{Rig, numbered},
    store::ledger,
};

const CHANNEL: &str = "email";
const SUBJECTS: [Subject; 2] = [
    Subject { offer: "off_coat", category: "Apparel", channel: CHANNEL },
    Subject { offer: "off_lamp", category: "Home", channel: CHANNEL },
];

/// Runs the drill.
pub async fn run(order: &Order) -> anyhow::Result<Report> {
    let Rig { mut report, mut place, log, callers } =
        Rig::start(order, "withdrawal", "withdrawal.log").await?;
    callers.create_channel(CHANNEL, "").await?;
    callers.create_cap("cap_all", "global", 24, 10).await?;
    let seed = order.seed;
    let done = numbered(order, order.size.workers, order.size.pairs, move |number| {
        let callers = callers.clone();
        async move { race(&callers, number, &mut Draw::new(seed, number)).await }
    });
    let done = done.await?;
    let note = if done < order.size.pairs { " (the time was up)" } else { "" };
    report.tell(format!(
        "  pairs: {done} of {} by {} workers{note}; log in {}",
        order.size.pairs,
        order.size.workers,
        log.path().display()
    ));
    let (contacts, withdrawals) = place
        .with_store(async |store| {
            anyhow::Ok((ledger::contacts(store).await?, ledger::withdrawals(store).await?))
        })
        .await?;
    judge_log(&mut report, &log.read()?);
    let withdrawn: BTreeMap<_, _> =
        withdrawals.into_iter().map(|found| (found.customer_id, found.at_us)).collect();
    if withdrawn.len() as u64 != done {
        report
            .violations
            .push(format!("{done} withdrawals were answered, {} are stored", withdrawn.len()));
    }
    let late = contacts.iter().filter(|row| {
        withdrawn
            .get(&row.customer_id)
            .is_some_and(|at_us| row.reserved_us.max(row.committed_us) > Some(*at_us))
    });
    let late: Vec<_> = late
        .map(|row| format!("{} {} is {}", row.customer_id, row.decision_id, row.state))
        .collect();
    report.promise("contacts in the ledger after the withdrawal", &late);
    Ok(report)
}

/// One customer who allows contact and withdraws while somebody asks; then two more ask.
async fn race(callers: &Callers, number: u64, draw: &mut Draw) -> anyhow::Result<()> {
    let customer = format!("pair_{number:05}");
    let consent = |granted: bool| {
        GateCall::Consent(proto::PutConsentRequest {
            customer_id: customer.clone(),
            channel: CHANNEL.to_owned(),
            granted: Some(granted),
            ..Default::default()
        })
    };
    let held = format!("held_{number}");
    let (one, other) = (draw.below(2), draw.below(2));
    let is_answer = |reply: &Reply| !matches!(reply, Reply::Cut(_));
    let reply = callers.send_until_answered(one, &consent(true), TRIES_MAX).await?;
    anyhow::ensure!(is_answer(&reply), "a grant of consent was not answered: {reply:?}");
    callers
        .send_until_answered(other, &callers.reserve(&customer, &held, &SUBJECTS, 2), TRIES_MAX)
        .await?;

    let withdrawal = match draw.below(3) {
        0 => consent(false),
        1 => GateCall::OptOut(callers.outcome(&customer, 1, "opt_out")),
        _ => {
            let channel = CHANNEL.to_owned();
            GateCall::OptOut(proto::OutcomeFact {
                channel,
                ..callers.outcome(&customer, 1, "opt_out")
            })
        }
    };
    let racer = match draw.percent(50) {
        true => callers.reserve(&customer, &format!("race_{number}"), &SUBJECTS, 1),
        false => callers.commit(&customer, &held, 1, SUBJECTS[0]),
    };
    // Either may be ahead of the other by a moment.
    let (ahead, behind) = (draw.below(6), draw.below(6));
    let withdrawing = async {
        yielding(ahead).await;
        callers.send_until_answered(one, &withdrawal, TRIES_MAX).await
    };
    // On the other replica, when there is one.
    let racing = async {
        yielding(behind).await;
        callers.send(one + 1, &racer).await
    };
    let late = async {
        let reply = withdrawing.await?;
        anyhow::ensure!(reply == Reply::Done, "a withdrawal was not answered: {reply:?}");
        let reserve = callers.reserve(&customer, &format!("late_{number}"), &SUBJECTS, 1);
        let commit = callers.commit(&customer, &held, 2, SUBJECTS[1]);
        let (reserve, commit) =
            tokio::join!(callers.send(other, &reserve), callers.send(other + 1, &commit));
        reserve.and(commit)
    };
    let (late, raced) = tokio::join!(late, racing);
    late.and(raced).map(drop)
}

async fn yielding(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

fn judge_log(report: &mut Report, log: &[Entry]) {
    let mut begun = BTreeMap::new();
    let mut withdrawn: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut contacted, mut unanswered) = (Vec::new(), Vec::new());
    let (mut late, mut ahead, mut beaten) = (0, 0, 0);
    for (place, entry) in (0_usize..).zip(log) {
        let (id, reply) = match entry {
            Entry::Attempt { id, .. } => {
                begun.insert(*id, (place, entry));
                continue;
            }
            Entry::Answer { id, reply, .. } => (id, reply),
        };
        let Some((from, Entry::Attempt { verb, customer, decision, rank, .. })) = begun.get(id)
        else {
            continue;
        };
        if let Reply::Cut(code) = reply {
            unanswered.push(format!("{customer} {verb:?}: {code}"));
        }
        let is_contact = matches!(reply, Reply::Granted { .. } | Reply::Go(_));
        match verb {
            Verb::Withdraw | Verb::OptOut if *reply == Reply::Done => {
                withdrawn.insert(customer, place);
            }
            Verb::Reserve | Verb::Commit => {
                let is_late = withdrawn.get(customer.as_str()).is_some_and(|place| from > place);
                late += usize::from(is_late);
                if is_late && is_contact {
                    contacted
                        .push(format!("{customer} {verb:?} of {decision} rank {rank}: {reply:?}"));
                }
                let is_racer =
                    decision.starts_with("race_") || (*verb == Verb::Commit && *rank == 1);
                ahead += usize::from(is_racer && is_contact);
                beaten += usize::from(is_racer && !is_contact);
            }
            _ => {}
        }
    }
    let answered = withdrawn.len();
    report.tell(format!("  withdrawals answered: {answered}; asked after the answer: {late}"));
    report.tell(format!(
        "  asked beside it: {ahead} came first and got contact, {beaten} came second and were \
             refused"
    ));
    report.promise("contacts after an answered withdrawal", &contacted);
    report.promise("calls without an answer", &unanswered);
    if ahead == 0 || beaten == 0 || late < answered {
        report.violations.push("the races had one outcome only: the run proves nothing".to_owned());
    }
}
