//! Reads everything known about some customers in one statement, one snapshot and one round trip.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
};

use chrono::{DateTime, TimeDelta, Utc};
use database::{Cell, Columns, Count, DatabaseError, Dialect, Kind, Rows, Select, Source};
use serde::Deserialize;
use serve::{Clock, from_micros};

use super::{CONTACTS_MAX, OUTCOMES_MAX, REQUEST_KEPT, consent, request::Earlier};
use crate::domain::{
    channel::Channel,
    configuration::Configuration,
    consent::{ConsentRecord, EVERY_CHANNEL},
    contact::{ChannelRef, Contact, State},
    facts::{OutcomeFact, Subject},
    folded,
    question::Candidate,
    shared_use::Used,
};

/// What is to be read of one customer, beside the reservations that are not known to have lapsed.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Whose customer.
    pub tenant: String,
    /// The customer.
    pub customer_id: String,
    /// The request whose earlier answer is looked for; none when empty.
    pub request_key: String,
    /// Contacts not older than this; none of them without.
    pub contacts_within: Option<TimeDelta>,
    /// All contacts of these decisions.
    pub decisions: BTreeSet<String>,
    /// The outcomes of these keys not older than this.
    pub outcomes_within: Option<(BTreeSet<String>, TimeDelta)>,
    /// The channel whose deciding consent record is read.
    pub channel: Option<Channel>,
    /// The configuration with the budgets that bind; none when it has none.
    pub budgets: Option<Arc<Configuration>>,
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
    /// The answer the request had.
    pub earlier: Option<Earlier>,
    /// Contacts and reservations.
    pub contacts: Vec<Contact>,
    /// More contacts were wanted than are read.
    pub are_contacts_cut: bool,
    /// Outcomes, newest first.
    pub outcomes: Vec<OutcomeFact>,
    /// More outcomes were wanted than are read.
    pub are_outcomes_cut: bool,
    /// The consent record that decides on the channel: the latest that speaks for it, of two at one
    /// instant the withdrawal.
    pub consent: Option<ConsentRecord>,
    /// What each budget has been used for, by policy; filled in by who reads them.
    pub budgets: BTreeMap<String, Used>,
}

const ASKED: Columns = &[
    ("place", Kind::Integer),
    ("tenant_id", Kind::Text),
    ("customer_id", Kind::Text),
    ("request_key", Kind::Text),
    ("request_after_us", Kind::Integer),
    ("committed_after_us", Kind::Integer),
    ("expired_after_us", Kind::Integer),
    ("outcomes_after_us", Kind::Integer),
    ("outcomes_until_us", Kind::Integer),
    ("channel_id", Kind::Text),
    ("channel_folded", Kind::Text),
    ("is_contacting", Kind::Integer),
];

/// Decisions and outcome keys asked about for the customer at a place.
const WORD: Columns = &[("place", Kind::Integer), ("decision_id", Kind::Text), ("key", Kind::Text)];

/// Kinds of row in the answer.
const CUSTOMER: i64 = 0;
const REQUEST: i64 = 1;
const CONTACT: i64 = 2;
const OUTCOME: i64 = 3;
const CONSENT: i64 = 4;

pub(super) const CONTACT_COLUMNS: &str = "c.contact_id, c.decision_id, c.rank, c.offer_id, c.category, c.category_id, \
    c.subcategory, c.channel_id, c.channel_name, c.purpose, c.cost, c.state, c.created_us, c.reserved_us, \
    c.reserved_until_us, c.committed_us, cast(c.unreserved as integer)";

#[derive(Deserialize)]
struct ContactRow(
    String,
    String,
    i64,
    String,
    String,
    String,
    String,
    String,
    String,
    String,
    i64,
    String,
    i64,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    i64,
);

type OutcomeRow = (String, String, String, String, String, String, String, i64);
type ConsentRow = (String, String, i64, i64, String, String, i64);

/// What a statement reads beside the customer's row and live reservations. Each is left out when
/// nobody asks for it: what a statement could do costs as well.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    request: bool,
    committed: bool,
    expired: bool,
    named: bool,
    outcomes: bool,
    consent: bool,
}

/// Statements by [`Parts`], how many customers are asked about and how many words there are.
const STATEMENTS: usize = 256;

impl Parts {
    fn number(self, asked: Count, words: Count) -> usize {
        let bits =
            [self.request, self.committed, self.expired, self.named, self.outcomes, self.consent];
        let counts = [asked == Count::One, words == Count::One];
        bits.iter().chain(&counts).fold(0, |number, bit| 2 * number + usize::from(*bit))
    }

    fn of(number: usize) -> (Self, Count, Count) {
        let bit = |place: usize| number >> place & 1 == 1;
        let count = |place: usize| if bit(place) { Count::One } else { Count::Many };
        let parts = Self {
            request: bit(7),
            committed: bit(6),
            expired: bit(5),
            named: bit(4),
            outcomes: bit(3),
            consent: bit(2),
        };
        (parts, count(1), count(0))
    }
}

static ON_SQLITE: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| statements(Dialect::Sqlite));
static ON_POSTGRES: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| statements(Dialect::Postgres));

fn statements(dialect: Dialect) -> Vec<Arc<str>> {
    (0..STATEMENTS).map(|number| statement(dialect, Parts::of(number)).into()).collect()
}

/// Each kind in a branch of its own, so that each finds its index.
fn statement(dialect: Dialect, (parts, asked, words): (Parts, Count, Count)) -> String {
    let words = dialect.table(WORD, words, 1 + dialect.parameters(ASKED, asked));
    let asked = dialect.bound("asked", ASKED, asked, 1);
    let a = |column: &str| asked.cell(column);
    let of_asked = |table: &str| {
        format!(
            "{table}.tenant_id = {} and {table}.customer_id = {}",
            a("tenant_id"),
            a("customer_id")
        )
    };
    let (of_k, of_r, of_c) = (of_asked("k"), of_asked("r"), of_asked("c"));
    let (of_o, of_s, of_n, of_said) =
        (of_asked("o"), of_asked("s"), of_asked("n"), of_asked("said"));
    let (place, of_contact) = (a("place"), asked.joined("contact c"));
    let head = history::head_of(&a("tenant_id"));
    let customer = dialect
        .array(&format!("coalesce(k.version, 0), k.ledger_us, coalesce(k.applied_seq, 0), {head}"));
    let request = dialect.array("r.decision_id, hex(r.response)");
    let contact = dialect.array(CONTACT_COLUMNS);
    let outcome = dialect.array(
        "o.key, o.offer_id, o.category, o.category_id, o.subcategory, o.channel_id, o.channel_name, o.occurred_us",
    );
    let consent = dialect.array(
        "s.channel_id, s.channel_folded, cast(s.granted as integer), s.at_us, s.source, s.evidence, s.received_us",
    );
    let outcomes_max = OUTCOMES_MAX + 1;
    // From when on committed contacts are read: the window, or the oldest of as many as are read at
    // all. Worked out once for each customer, not for each contact.
    let committed_after = a("committed_after_us");
    let since = format!(
        "since as {} (
           select {place} as place, {} as tenant_id, {} as customer_id, coalesce((
             select n.committed_us from contact n
             where {of_n} and n.state = 'committed' and n.committed_us > {committed_after}
             order by n.committed_us desc limit 1 offset {CONTACTS_MAX}), {committed_after} + 1) as from_us
           from {})",
        dialect.once(),
        a("tenant_id"),
        a("customer_id"),
        asked.rows(),
    );
    let word = format!("word as (select * from {words} word)");
    let others: &[&str] = if parts.committed { &[&word, &since] } else { &[&word] };
    let mut text = format!(
        "{} select {place}, cast({CUSTOMER} as bigint), {customer} from {} left join customer k on {of_k}
         union all
         select {place}, {CONTACT}, {contact} from {of_contact} where {of_c} and c.state = 'reserved'",
        asked.with(others),
        asked.rows(),
    );
    let mut branch = |is_wanted: bool, branch: String| {
        if is_wanted {
            text.push_str(" union all ");
            text.push_str(&branch);
        }
    };
    branch(
        parts.request,
        format!(
            "select {place}, {REQUEST}, {request} from {}
             where {of_r} and r.request_key = {} and r.at_us > {}",
            asked.joined("grant_request r"),
            a("request_key"),
            a("request_after_us"),
        ),
    );
    branch(
        parts.committed,
        format!(
            "select since.place, {CONTACT}, {contact} from since cross join contact c
             where c.tenant_id = since.tenant_id and c.customer_id = since.customer_id and c.state = 'committed'
               and c.committed_us >= since.from_us"
        ),
    );
    branch(
        parts.expired,
        format!(
            "select {place}, {CONTACT}, {contact} from {of_contact}
             where {of_c} and c.state = 'expired' and c.reserved_until_us > {}",
            a("expired_after_us")
        ),
    );
    branch(
        parts.named,
        format!(
            "select {place}, {CONTACT}, {contact} from word w cross join {of_contact}
             where {place} = w.place and {of_c} and c.decision_id = w.decision_id and c.decision_id <> ''
               and c.rank > 0"
        ),
    );
    branch(
        parts.outcomes,
        format!(
            "select o.place, {OUTCOME}, {outcome} from (
               select w.place, o.*, row_number() over (partition by w.place order by o.occurred_us desc) as nth
               from word w cross join {}
               where {place} = w.place and {of_o} and o.key = w.key
                 and o.occurred_us > {} and o.occurred_us <= {}) o
               where o.nth <= {outcomes_max}",
            asked.joined("outcome o"),
            a("outcomes_after_us"),
            a("outcomes_until_us"),
        ),
    );
    branch(
        parts.consent,
        format!(
            "select {place}, {CONSENT}, {consent} from {}
             where {of_s} and s.consent_id = (
               select said.consent_id from consent said
               where {of_said} and (said.channel_id = {}
                 or (not said.granted and (said.channel_folded = {}
                   or (said.channel_id = '{EVERY_CHANNEL}' and {} = 1))))
               order by said.at_us desc, said.granted limit 1)",
            asked.joined("consent s"),
            a("channel_id"),
            a("channel_folded"),
            a("is_contacting"),
        ),
    );
    text
}

/// Reads of each customer what is wanted, in the order asked. The clock is read afterwards, so that
/// under a lock instants follow the order of writers.
pub(super) async fn read<'w>(
    source: &mut Source<'_>,
    wanted: impl Iterator<Item = &'w Wanted>,
    clock: &Clock,
) -> Result<Vec<Known>, DatabaseError> {
    let now = clock.now();
    let us = |at: DateTime<Utc>| at.timestamp_micros();
    let (mut asked, mut words, mut parts) = (Rows::new(ASKED), Rows::new(WORD), Parts::default());
    for (place, wanted) in wanted.enumerate() {
        // The ledger instant is not earlier than `now`, so nothing that counts then is left out.
        let from = wanted.as_of.unwrap_or(now);
        let channel = wanted.channel.as_ref();
        asked.push([
            place.into(),
            (&wanted.tenant).into(),
            (&wanted.customer_id).into(),
            (&wanted.request_key).into(),
            us(now - REQUEST_KEPT).into(),
            wanted.contacts_within.map(|window| us(from - window)).into(),
            wanted.as_of.map(us).into(),
            wanted.outcomes_within.as_ref().map(|(_, window)| us(from - *window)).into(),
            wanted.outcomes_within.as_ref().map(|_| wanted.as_of.map_or(i64::MAX, us)).into(),
            channel.map(|channel| channel.id.as_str()).into(),
            channel.map(|channel| folded(&channel.name)).into(),
            i64::from(channel.is_some_and(Channel::is_contacting)).into(),
        ]);
        for decision_id in &wanted.decisions {
            words.push([place.into(), decision_id.into()]);
        }
        for key in wanted.outcomes_within.iter().flat_map(|(keys, _)| keys) {
            words.push([place.into(), Cell::Text(None), key.into()]);
        }
        parts.request |= !wanted.request_key.is_empty();
        parts.committed |= wanted.contacts_within.is_some();
        parts.expired |= wanted.as_of.is_some();
        parts.named |= !wanted.decisions.is_empty();
        parts.outcomes |= wanted.outcomes_within.is_some();
        parts.consent |= wanted.channel.is_some();
    }
    let statements = match source.dialect() {
        Dialect::Sqlite => &*ON_SQLITE,
        Dialect::Postgres => &*ON_POSTGRES,
    };
    let sql = statements.get(parts.number(asked.count(), words.count())).map_or("", |text| text);
    let rows: Vec<(i64, i64, String)> =
        Select::new(sql).bind_rows(&asked).bind_rows(&words).brief().all(&mut *source).await?;
    gathered(rows, clock.now())
}

/// Reads of one customer what is wanted.
pub(super) async fn one(
    source: &mut Source<'_>,
    wanted: &Wanted,
    clock: &Clock,
) -> Result<Known, DatabaseError> {
    let known = read(source, std::iter::once(wanted), clock).await?.pop();
    known.ok_or_else(|| DatabaseError::Corrupt("no answer about a customer".to_owned()))
}

fn gathered(
    rows: Vec<(i64, i64, String)>,
    now: DateTime<Utc>,
) -> Result<Vec<Known>, DatabaseError> {
    let mut known: Vec<(i64, Known)> = Vec::new();
    let (customers, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(_, kind, _)| *kind == CUSTOMER);
    for (place, _, body) in customers {
        let (version, ledger_us, applied_seq, revision): (i64, Option<i64>, i64, i64) =
            parsed(&body)?;
        let stored = ledger_us.map_or(DateTime::<Utc>::MIN_UTC, from_micros);
        let customer = Known {
            version,
            ledger_at: now.max(stored),
            applied_seq,
            revision,
            earlier: None,
            contacts: Vec::new(),
            are_contacts_cut: false,
            outcomes: Vec::new(),
            are_outcomes_cut: false,
            consent: None,
            budgets: BTreeMap::new(),
        };
        known.push((place, customer));
    }
    known.sort_by_key(|(place, _)| *place);
    let mut known: Vec<_> = known.into_iter().map(|(_, known)| known).collect();
    for (place, kind, body) in others {
        let known = usize::try_from(place).ok().and_then(|place| known.get_mut(place));
        let Some(known) = known else {
            return Err(DatabaseError::Corrupt("an answer to nobody".to_owned()));
        };
        match kind {
            REQUEST => known.earlier = Some(earlier(parsed(&body)?)?),
            CONTACT => known.contacts.push(contact(parsed(&body)?)?),
            OUTCOME => known.outcomes.push(outcome(parsed(&body)?)),
            _ => known.consent = Some(consent_record(parsed(&body)?)),
        }
    }
    for known in &mut known {
        // A decision's contacts come by their names as well.
        known
            .contacts
            .sort_by(|a, b| (b.created_at, &a.contact_id).cmp(&(a.created_at, &b.contact_id)));
        known.contacts.dedup_by(|a, b| a.contact_id == b.contact_id);
        known.are_contacts_cut = known.contacts.len() > CONTACTS_MAX;
        known.are_outcomes_cut = known.outcomes.len() > OUTCOMES_MAX;
        known.outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.at));
        known.outcomes.truncate(OUTCOMES_MAX);
    }
    Ok(known)
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, DatabaseError> {
    serde_json::from_str(body).map_err(|error| DatabaseError::Corrupt(error.to_string()))
}

fn earlier((decision_id, response): (String, String)) -> Result<Earlier, DatabaseError> {
    let response =
        hex::decode(response).map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
    Ok(Earlier { decision_id, response })
}

/// The contact in a row of [`CONTACT_COLUMNS`].
pub(super) fn contact_of(body: &str) -> Result<Contact, DatabaseError> {
    contact(parsed(body)?)
}

fn contact(row: ContactRow) -> Result<Contact, DatabaseError> {
    let ContactRow(
        contact_id,
        decision_id,
        rank,
        offer_id,
        category,
        category_id,
        subcategory,
        ..,
        is_unreserved,
    ) = row;
    let ContactRow(
        ..,
        channel_id,
        channel_name,
        purpose,
        cost,
        state,
        created,
        reserved,
        until,
        committed,
        _,
    ) = row;
    let known = State::parse(&state);
    Ok(Contact {
        state: known
            .ok_or_else(|| DatabaseError::Corrupt(format!("contact {contact_id} has no state")))?,
        contact_id,
        decision_id,
        rank,
        offer: Candidate { offer_id, category, category_id, subcategory, purpose, cost },
        channel: ChannelRef { id: channel_id, name: channel_name },
        created_at: from_micros(created),
        reserved_at: reserved.map(from_micros),
        reserved_until: until.map(from_micros),
        committed_at: committed.map(from_micros),
        is_unreserved: is_unreserved != 0,
    })
}

fn outcome(row: OutcomeRow) -> OutcomeFact {
    let (key, offer_id, category, category_id, subcategory, channel_id, channel_name, occurred_us) =
        row;
    let offer = Candidate { offer_id, category, category_id, subcategory, ..Default::default() };
    OutcomeFact {
        key,
        at: from_micros(occurred_us),
        subject: Subject::new(&offer, &channel_id, &channel_name),
    }
}

fn consent_record(
    (channel_id, channel_folded, granted, at_us, source, evidence, received_us): ConsentRow,
) -> ConsentRecord {
    consent::record((
        channel_id,
        channel_folded,
        granted != 0,
        at_us,
        source,
        evidence,
        received_us,
    ))
}

#[cfg(test)]
mod tests;
