//! The checker: the log against the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Report,
    gate::is_outage,
    log::{Entry, Reply, Verb},
    store::ledger::Row,
};

type Slot = (String, String, i64);

#[derive(Debug, Default)]
struct Known {
    granted: Option<String>,
    contact_ids: BTreeSet<String>,
    /// Place in the log of the first answered attempt to release it that released something.
    released_from: Option<usize>,
    /// True when a caller tried to commit it.
    has_commit: bool,
    /// Place of the last answer to such a try; beyond the log's end when one was cut.
    last_commit: Option<usize>,
    has_release: bool,
    /// An answered impression; true when nothing was held.
    reported: Option<bool>,
}

/// What the log says, slot by slot.
#[derive(Debug, Default)]
struct Logged {
    slots: BTreeMap<Slot, Known>,
    /// Customers and decisions that callers named.
    tried: BTreeSet<(String, String)>,
    counts_by_reply: BTreeMap<String, u64>,
    /// Errors that are no outage.
    strange: Vec<String>,
    /// Grants that two answers describe differently.
    changed: Vec<String>,
}

impl Logged {
    fn read(log: &[Entry], attempts: &BTreeMap<u64, (usize, &Entry)>) -> Self {
        let mut logged = Self::default();
        for (place, entry) in (0_usize..).zip(log) {
            match entry {
                Entry::Attempt { .. } => logged.attempt(entry),
                Entry::Answer { id, reply, .. } => {
                    if let Some((from, attempt)) = attempts.get(id) {
                        logged.answer(attempt, *from, reply, place);
                    }
                }
            }
        }
        logged
    }

    fn known(&mut self, customer: &str, decision: &str, rank: i64) -> &mut Known {
        self.slots.entry((customer.to_owned(), decision.to_owned(), rank)).or_default()
    }

    fn attempt(&mut self, attempt: &Entry) {
        let Entry::Attempt { verb, customer, decision, rank, .. } = attempt else { return };
        self.tried.insert((customer.clone(), decision.clone()));
        let rank = i64::from(*rank);
        match verb {
            Verb::Commit | Verb::Impression => {
                self.known(customer, decision, rank).has_commit = true
            }
            Verb::Release => self.known(customer, decision, rank).has_release = true,
            _ => {}
        }
    }

    fn answer(&mut self, attempt: &Entry, from: usize, reply: &Reply, place: usize) {
        let Entry::Attempt { verb, customer, decision, rank, orphan, .. } = attempt else { return };
        *self.counts_by_reply.entry(counted(*verb, reply)).or_default() += 1;
        let known = self.known(customer, decision, i64::from(*rank));
        if matches!(verb, Verb::Commit | Verb::Impression) {
            let end = if matches!(reply, Reply::Cut(_)) { usize::MAX } else { place };
            known.last_commit = known.last_commit.max(Some(end));
        }
        match reply {
            Reply::Cut(code) if !is_outage(code) => {
                self.strange.push(format!("{verb:?} of {decision}: {code}"))
            }
            Reply::Go(contact_id) => {
                known.contact_ids.insert(contact_id.clone());
            }
            Reply::Released(1..) => known.released_from = known.released_from.or(Some(from)),
            Reply::Done if *verb == Verb::Impression => known.reported = Some(*orphan),
            Reply::Granted { offers, .. } => self.granted(customer, decision, offers),
            _ => {}
        }
    }

    fn granted(&mut self, customer: &str, decision: &str, offers: &[String]) {
        for (rank, offer) in (1..).zip(offers) {
            let known = self.known(customer, decision, rank);
            if known.granted.get_or_insert_with(|| offer.clone()) != offer {
                self.changed
                    .push(format!("{decision} rank {rank} was granted {offer} and another offer"));
            }
        }
    }
}

/// Compares what callers were answered with what is stored.
pub fn judge(report: &mut Report, log: &[Entry], rows: &[Row]) {
    let attempts: BTreeMap<u64, (usize, &Entry)> = (0..)
        .zip(log)
        .filter_map(|(place, entry)| match entry {
            Entry::Attempt { id, .. } => Some((*id, (place, entry))),
            Entry::Answer { .. } => None,
        })
        .collect();
    let Logged { slots, tried, counts_by_reply, strange, changed } = Logged::read(log, &attempts);
    let replies: Vec<_> =
        counts_by_reply.iter().map(|(what, count)| format!("{what} {count}")).collect();
    report.tell(format!("  attempts: {}; answers: {}", attempts.len(), replies.join(", ")));

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
}

fn slot_of(row: &Row) -> Slot {
    (row.customer_id.clone(), row.decision_id.clone(), row.rank)
}

fn shown(row: &Row) -> String {
    format!("{} {} rank {} is {}", row.customer_id, row.decision_id, row.rank, row.state)
}

fn counted(verb: Verb, reply: &Reply) -> String {
    match reply {
        Reply::Granted { .. } => "granted".to_owned(),
        Reply::Refused(_) if verb == Verb::Commit => "no-go".to_owned(),
        Reply::Refused(_) => "refused".to_owned(),
        Reply::Go(_) => "go".to_owned(),
        Reply::Released(0) => "nothing to release".to_owned(),
        Reply::Released(_) => "released".to_owned(),
        Reply::Done => "taken".to_owned(),
        Reply::Cut(code) => format!("cut ({})", code.split(':').next().unwrap_or_default()),
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

/// A slot given back may have been committed later: a commit without a slot is judged anew.
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
