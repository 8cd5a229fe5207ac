//! Reads what is known of customers: one statement, one round trip, however many they are.

mod statement;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use database::{Cell, DatabaseError, Rows, Select, Source};
use serve::{Clock, from_micros};

use super::{CONTACTS_MAX, OUTCOMES_MAX, REQUEST_KEPT, request::Earlier, row};
use crate::domain::{
    channel::Channel, configuration::Configuration, consent::ConsentRecord, contact::Contact,
    counted::Counted, facts::OutcomeFact, folded,
};
use statement::{ASKED, Parts, WORD};

pub(super) use statement::statements;

/// What to read of one customer, beside the reservations that are not known to have lapsed.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Whose customer.
    pub tenant: String,
    /// The customer.
    pub customer_id: String,
    /// The request whose earlier answer is looked for; none when empty.
    pub request_key: String,
    /// Contacts not older than this; `None` reads none.
    pub contacts_within: Option<TimeDelta>,
    /// All contacts of these decisions.
    pub decisions: BTreeSet<String>,
    /// The outcomes of these keys not older than this.
    pub outcomes_within: Option<(BTreeSet<String>, TimeDelta)>,
    /// The channel whose deciding consent record is read.
    pub channel: Option<Channel>,
    /// The configuration with the budgets that bind; `None` when it has no budget.
    pub budgets: Option<Arc<Configuration>>,
    /// Outcomes that are not delivered come along.
    pub has_pending: bool,
    /// Leaves out what is later, and reads reservations that lapsed after it.
    pub as_of: Option<DateTime<Utc>>,
}

impl Wanted {
    /// The consent record that decides on a channel.
    pub fn consent(tenant: &str, customer_id: &str, channel: &Channel) -> Self {
        let (tenant, customer_id) = (tenant.to_owned(), customer_id.to_owned());
        Self { tenant, customer_id, channel: Some(channel.clone()), ..Self::default() }
    }
}

/// What is known of one customer.
#[derive(Clone, Debug)]
pub struct Known {
    /// How often the customer's rows were written; 0 before the first time.
    pub version: i64,
    /// The ledger instant: the later of the clock and the last one stored.
    pub ledger_at: DateTime<Utc>,
    /// The last outcome applied.
    pub applied_seq: i64,
    /// Head of the tenant's configuration.
    pub revision: i64,
    /// The answer to the same request, if it is still kept.
    pub earlier: Option<Earlier>,
    /// Contacts and reservations, newest first.
    pub contacts: Vec<Contact>,
    /// True when there are more contacts than are read.
    pub are_contacts_cut: bool,
    /// Outcomes, newest first.
    pub outcomes: Vec<OutcomeFact>,
    /// True when there are more outcomes than are read.
    pub are_outcomes_cut: bool,
    /// The consent record that decides on the channel: the latest that speaks for it, of two at one
    /// instant the withdrawal.
    pub consent: Option<ConsentRecord>,
    /// What each budget has been used for, by policy. They are read apart from the customers.
    pub budgets: BTreeMap<String, Counted>,
}

impl Known {
    /// An unknown customer.
    fn nothing(now: DateTime<Utc>) -> Self {
        Self {
            version: 0,
            ledger_at: now,
            applied_seq: 0,
            revision: 0,
            earlier: None,
            contacts: Vec::new(),
            are_contacts_cut: false,
            outcomes: Vec::new(),
            are_outcomes_cut: false,
            consent: None,
            budgets: BTreeMap::new(),
        }
    }

    fn take(&mut self, kind: i64, row: &str) -> Result<(), DatabaseError> {
        match kind {
            statement::CUSTOMER => {
                let (version, ledger_us, applied_seq) = row::parsed(row)?;
                self.version = version;
                self.ledger_at = self.ledger_at.max(from_micros(ledger_us));
                self.applied_seq = applied_seq;
            }
            statement::HEAD => (self.revision,) = row::parsed(row)?,
            statement::REQUEST => self.earlier = Some(row::earlier(row)?),
            statement::CONTACT => self.contacts.push(row::contact(row)?),
            statement::OUTCOME => self.outcomes.push(row::outcome(row)?),
            _ => self.consent = Some(row::consent(row)?),
        }
        Ok(())
    }

    fn sort(&mut self) {
        // The contacts of a decision may be found in the window as well.
        self.contacts
            .sort_by(|a, b| (b.created_at, &a.contact_id).cmp(&(a.created_at, &b.contact_id)));
        self.contacts.dedup_by(|a, b| a.contact_id == b.contact_id);
        self.are_contacts_cut = self.contacts.len() > CONTACTS_MAX;
        self.are_outcomes_cut = self.outcomes.len() > OUTCOMES_MAX;
        self.outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.at));
        self.outcomes.truncate(OUTCOMES_MAX);
    }
}

/// Reads several customers, in the given order. The clock is read afterwards, so that under a lock
/// instants follow the order of writers.
pub(super) async fn read(
    source: &mut Source<'_>,
    wanted: &[&Wanted],
    clock: &Clock,
) -> Result<Vec<Known>, DatabaseError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let now = clock.now();
    let (mut parts, mut words) = (Parts::default(), Rows::new(WORD));
    for (place, wanted) in wanted.iter().enumerate() {
        parts.add(wanted);
        for word in words_of(place, wanted, now) {
            words.push(word);
        }
    }
    let sql = statement::text(source.dialect(), parts, wanted.len(), words.count());
    let select = Select::new(sql);
    let mut asked = Rows::new(ASKED);
    let select = match wanted {
        [only] => asked_of(0, only, now).into_iter().skip(1).fold(select, Select::bind),
        several => {
            for (place, wanted) in several.iter().enumerate() {
                asked.push(asked_of(place, wanted, now));
            }
            select.bind_rows(&asked)
        }
    };
    let select = if parts.has_words() { select.bind_rows(&words) } else { select };
    let rows: Vec<(i64, i64, String)> = select.brief().all(&mut *source).await?;
    let mut known = vec![Known::nothing(clock.now()); wanted.len()];
    for (place, kind, row) in rows {
        let known = usize::try_from(place).ok().and_then(|place| known.get_mut(place));
        let nobody = || DatabaseError::Corrupt("a row of no customer".to_owned());
        known.ok_or_else(nobody)?.take(kind, &row)?;
    }
    known.iter_mut().for_each(Known::sort);
    Ok(known)
}

/// Reads one customer.
pub(super) async fn one(
    source: &mut Source<'_>,
    wanted: &Wanted,
    clock: &Clock,
) -> Result<Known, DatabaseError> {
    let known = read(source, &[wanted], clock).await?.pop();
    known.ok_or_else(|| DatabaseError::Corrupt("no answer about a customer".to_owned()))
}

fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// A row of [`ASKED`]. The ledger instant is not earlier than `now`, so everything that counts
/// then is read.
fn asked_of(place: usize, wanted: &Wanted, now: DateTime<Utc>) -> [Cell<'_>; 10] {
    let from = wanted.as_of.unwrap_or(now);
    let channel = wanted.channel.as_ref();
    [
        place.into(),
        (&wanted.tenant).into(),
        (&wanted.customer_id).into(),
        (&wanted.request_key).into(),
        micros(now - REQUEST_KEPT).into(),
        wanted.contacts_within.map(|window| micros(from - window)).into(),
        wanted.as_of.map(micros).into(),
        channel.map(|channel| channel.id.as_str()).into(),
        channel.map(|channel| folded(&channel.name)).into(),
        i64::from(channel.is_some_and(Channel::is_contacting)).into(),
    ]
}

/// Rows of [`WORD`]: the customer's decisions and outcome keys.
fn words_of<'w>(place: usize, wanted: &'w Wanted, now: DateTime<Utc>) -> Vec<[Cell<'w>; 7]> {
    let (tenant, customer) = (&wanted.tenant, &wanted.customer_id);
    let word = |decision_id: Cell<'w>, key: Cell<'w>, after: Option<i64>, until: Option<i64>| {
        [place.into(), tenant.into(), customer.into(), decision_id, key, after.into(), until.into()]
    };
    let decisions = wanted.decisions.iter();
    let mut words: Vec<_> = decisions
        .map(|decision_id| word(decision_id.into(), Cell::Text(None), None, None))
        .collect();
    if let Some((keys, window)) = &wanted.outcomes_within {
        let after = Some(micros(wanted.as_of.unwrap_or(now) - *window));
        let until = Some(wanted.as_of.map_or(i64::MAX, micros));
        words.extend(keys.iter().map(|key| word(Cell::Text(None), key.into(), after, until)));
    }
    words
}

#[cfg(test)]
mod tests;
