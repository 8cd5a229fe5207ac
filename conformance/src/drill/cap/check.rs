//! The checker: the log against the ledger.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::{
    super::{
        Report,
        gate::{Callers, Subject, is_outage},
        log::{Entry, Told, Verb},
        place::Place,
        store::ledger::{self, Row},
    },
    CAPS, Cap, load,
};

/// More than a reservation on a pull channel lasts and than the shorter windows, less than the
/// longer ones.
const LAPSE: TimeDelta = TimeDelta::minutes(65);
const HOUR_US: i64 = 3_600_000_000;

type Slot = (String, String, i64);

#[derive(Debug, Default)]
struct Known {
    granted: Option<String>,
    contact_ids: BTreeSet<String>,
    /// Place in the log of the first answered attempt to release it that released something.
    released_from: Option<usize>,
    /// True when somebody tried to commit it.
    has_commit: bool,
    /// Place of the last answer to such a try; beyond the log's end when one was cut.
    last_commit: Option<usize>,
    has_release: bool,
    /// An answered impression; true when nothing was held.
    reported: Option<bool>,
}

/// Compares what was told with what is stored.
pub fn judge(report: &mut Report, log: &[Entry], rows: &[Row]) {
    let attempts: BTreeMap<u64, (usize, &Entry)> = (0..)
        .zip(log)
        .filter_map(|(place, entry)| match entry {
            Entry::Attempt { id, .. } => Some((*id, (place, entry))),
            Entry::Answer { .. } => None,
        })
        .collect();
    let mut slots: BTreeMap<Slot, Known> = BTreeMap::new();
    let (mut tried, mut told_counts, mut strange) =
        (BTreeSet::new(), BTreeMap::<String, u64>::new(), Vec::new());
    let mut changed = Vec::new();
    for (place, entry) in (0_usize..).zip(log) {
        match entry {
            Entry::Attempt { verb, customer, decision, rank, .. } => {
                tried.insert((customer.clone(), decision.clone()));
                let slot = (customer.clone(), decision.clone(), i64::from(*rank));
                match verb {
                    Verb::Commit | Verb::Impression => {
                        slots.entry(slot).or_default().has_commit = true
                    }
                    Verb::Release => slots.entry(slot).or_default().has_release = true,
                    _ => {}
                }
            }
            Entry::Answer { id, told, .. } => {
                let Some((from, Entry::Attempt { verb, customer, decision, rank, orphan, .. })) =
                    attempts.get(id)
                else {
                    continue;
                };
                *told_counts.entry(counted(*verb, told)).or_default() += 1;
                let slot = |rank: i64| (customer.clone(), decision.clone(), rank);
                let known = slots.entry(slot(i64::from(*rank))).or_default();
                if matches!(verb, Verb::Commit | Verb::Impression) {
                    let end = if matches!(told, Told::Cut(_)) { usize::MAX } else { place };
                    known.last_commit = known.last_commit.max(Some(end));
                }
                match told {
                    Told::Cut(code) if !is_outage(code) => {
                        strange.push(format!("{verb:?} of {decision}: {code}"))
                    }
                    Told::Go(contact_id) => drop(known.contact_ids.insert(contact_id.clone())),
                    Told::Released(1..) => {
                        known.released_from = known.released_from.or(Some(*from))
                    }
                    Told::Done if *verb == Verb::Impression => known.reported = Some(*orphan),
                    Told::Granted { offers, .. } => {
                        for (rank, offer) in (1..).zip(offers) {
                            let known = slots.entry(slot(rank)).or_default();
                            if known.granted.get_or_insert_with(|| offer.clone()) != offer {
                                changed.push(format!(
                                    "{decision} rank {rank} was granted {offer} and another offer"
                                ));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    let told: Vec<_> = told_counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    report.tell(format!("  attempts: {}; answers: {}", attempts.len(), told.join(", ")));

    let stored: BTreeMap<Slot, &Row> = rows.iter().map(|row| (slot_of(row), row)).collect();
    report.promise("errors that are no outage", &strange);
    report.promise("grants answered differently twice", &changed);
    report.promise("acknowledged grants lost", &lost_grants(&slots, &stored));
    report.promise("acknowledged commits lost", &lost_commits(&slots, &stored));
    report.promise("acknowledged releases lost", &lost_releases(&slots, &stored));
    let invented = rows.iter().filter(|row| {
        let known = slots.get(&slot_of(row));
        let has_release = known.is_some_and(|known| known.has_release);
        let has_commit = known.is_some_and(|known| known.has_commit);
        !tried.contains(&(row.customer_id.clone(), row.decision_id.clone()))
            || (row.state == "committed" && !has_commit)
            || (row.state == "released" && !has_release)
    });
    report.promise("contacts nobody asked for", &invented.map(shown).collect::<Vec<_>>());
    unreserved(report, &slots, rows);
    for cap in CAPS {
        windows(report, &cap, rows);
    }
}

fn slot_of(row: &Row) -> Slot {
    (row.customer_id.clone(), row.decision_id.clone(), row.rank)
}

fn shown(row: &Row) -> String {
    format!("{} {} rank {} is {}", row.customer_id, row.decision_id, row.rank, row.state)
}

fn counted(verb: Verb, told: &Told) -> String {
    match told {
        Told::Granted { .. } => "granted".to_owned(),
        Told::Refused(_) if verb == Verb::Commit => "no-go".to_owned(),
        Told::Refused(_) => "refused".to_owned(),
        Told::Go(_) => "go".to_owned(),
        Told::Released(0) => "nothing to release".to_owned(),
        Told::Released(_) => "released".to_owned(),
        Told::Done => "taken".to_owned(),
        Told::Cut(code) => format!("cut ({})", code.split(':').next().unwrap_or_default()),
    }
}

fn lost_grants(slots: &BTreeMap<Slot, Known>, stored: &BTreeMap<Slot, &Row>) -> Vec<String> {
    let granted = slots.iter().filter_map(|(slot, known)| Some((slot, known.granted.as_ref()?)));
    let lost =
        granted.filter(|(slot, offer)| stored.get(*slot).is_none_or(|row| row.offer_id != **offer));
    lost.map(|(slot, offer)| format!("{slot:?} of {offer}")).collect()
}

fn lost_commits(slots: &BTreeMap<Slot, Known>, stored: &BTreeMap<Slot, &Row>) -> Vec<String> {
    let is_kept = |slot: &Slot, known: &Known| {
        stored.get(slot).is_some_and(|row| {
            row.state == "committed"
                && known.contact_ids.iter().all(|contact_id| *contact_id == row.contact_id)
        })
    };
    let must =
        slots.iter().filter(|(_, known)| !known.contact_ids.is_empty() || known.reported.is_some());
    must.filter(|(slot, known)| !is_kept(slot, known))
        .map(|(slot, known)| format!("{slot:?} {known:?}"))
        .collect()
}

/// A slot given back may have been committed later: whoever commits without a slot is judged anew.
fn lost_releases(slots: &BTreeMap<Slot, Known>, stored: &BTreeMap<Slot, &Row>) -> Vec<String> {
    let is_kept = |slot: &Slot, known: &Known| {
        let may_be_committed = known.last_commit > known.released_from;
        stored.get(slot).is_some_and(|row| {
            row.state == "released" || (row.state == "committed" && may_be_committed)
        })
    };
    let must = slots.iter().filter(|(_, known)| known.released_from.is_some());
    must.filter(|(slot, known)| !is_kept(slot, known))
        .map(|(slot, known)| format!("{slot:?} {known:?}"))
        .collect()
}

/// What is marked `unreserved` is what was reported without a live slot, and nothing else.
fn unreserved(report: &mut Report, slots: &BTreeMap<Slot, Known>, rows: &[Row]) {
    let injected: BTreeSet<_> =
        slots.iter().filter(|(_, known)| known.reported == Some(true)).map(|(s, _)| s).collect();
    let marked: BTreeSet<_> = rows.iter().filter(|row| row.unreserved).map(slot_of).collect();
    let marked_refs: BTreeSet<_> = marked.iter().collect();
    report.tell(format!(
        "  reported without a live slot: {} injected, {} marked unreserved",
        injected.len(),
        marked.len()
    ));
    let differing = injected.symmetric_difference(&marked_refs).map(|slot| format!("{slot:?}"));
    report
        .promise("unreserved marks that differ from the injected", &differing.collect::<Vec<_>>());
}

/// The fullest window that ends with a contact: no other can be fuller.
fn windows(report: &mut Report, cap: &Cap, rows: &[Row]) {
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
        "  {id} ({}, {limit} in {hours} h): {counted} windows, {full} of them full, fullest {fullest}",
        cap.scope
    ));
    report.promise(&format!("windows of {id} over the cap"), &over);
    if full == 0 && id == CAPS[0].id {
        report.violations.push(format!("no window of {id} was ever full: the run proves nothing"));
    }
}

/// When every reservation has lapsed, exactly cap − contacts slots are free, and exactly so many
/// are given.
pub async fn free_slots(
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
    const FRESH: [&str; 10] =
        ["off_a", "off_b", "off_c", "off_d", "off_e", "off_f", "off_g", "off_h", "off_i", "off_j"];
    let subjects = FRESH.map(|offer| Subject { offer, category: "Apparel", channel: "web" });
    let (mut wrong, mut free_in_all, mut given_in_all) = (Vec::new(), 0, 0);
    for customer in (0..customers).map(load::customer_id) {
        let judgement = callers.check(callers.question(&customer, &subjects)).await?;
        let Some(at) = judgement.ledger_at else {
            anyhow::bail!("a judgement without its instant")
        };
        let at_us = at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000;
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
            let policies = judgement
                .verdicts
                .first()
                .map(|verdict| verdict.policies.as_slice())
                .unwrap_or_default();
            let told = policies.iter().find(|policy| policy.policy_id == cap.id);
            if told.is_none_or(|told| {
                (told.contacts, told.reserved, told.limit) != (contacts, 0, cap.limit)
            }) {
                wrong.push(format!(
                    "{customer}: {contacts} contacts stored under {}, told {told:?}",
                    cap.id
                ));
            }
        }
        let call =
            callers.reserve(&customer, &format!("last_{customer}"), &subjects, subjects.len());
        let given = match callers.send(0, &call).await? {
            Told::Granted { offers, .. } => offers.len(),
            Told::Refused(_) => 0,
            told => anyhow::bail!("{customer} got no answer: {told:?}"),
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
