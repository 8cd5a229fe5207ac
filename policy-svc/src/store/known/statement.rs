//! The text of the statement that reads customers.
//!
//! Each kind of row has a branch of its own, so that each finds its index. A branch names one
//! customer by its parameters, or joins one table to the rows of several customers. That is all a
//! store needs that keeps customers on several nodes. The customer's row comes first: should a
//! store read the branches one after the other, the rest is not older than the version.

use std::sync::{Arc, LazyLock};

use database::{Columns, Count, Dialect, Kind};

use super::Wanted;
use crate::{
    domain::consent::EVERY_CHANNEL,
    store::{CONTACTS_MAX, OUTCOMES_MAX, row},
};

/// What is asked about a customer. One customer's values are parameters of their own, without the
/// place.
pub(super) const ASKED: Columns = &[
    ("place", Kind::Integer),
    ("tenant_id", Kind::Text),
    ("customer_id", Kind::Text),
    ("request_key", Kind::Text),
    ("request_after_us", Kind::Integer),
    ("committed_after_us", Kind::Integer),
    ("expired_after_us", Kind::Integer),
    ("channel_id", Kind::Text),
    ("channel_folded", Kind::Text),
    ("is_contacting", Kind::Integer),
];

/// A decision, or an outcome key with its window, of the customer at a place.
pub(super) const WORD: Columns = &[
    ("place", Kind::Integer),
    ("tenant_id", Kind::Text),
    ("customer_id", Kind::Text),
    ("decision_id", Kind::Text),
    ("key", Kind::Text),
    ("after_us", Kind::Integer),
    ("until_us", Kind::Integer),
];

/// Kinds of row in the answer.
pub(super) const CUSTOMER: i64 = 0;
pub(super) const HEAD: i64 = 1;
pub(super) const REQUEST: i64 = 2;
pub(super) const CONTACT: i64 = 3;
pub(super) const OUTCOME: i64 = 4;
pub(super) const CONSENT: i64 = 5;

/// What a statement reads beside the customer's row and live reservations. A branch that no
/// customer needs is left out, because it costs even when it finds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub request: bool,
    pub committed: bool,
    pub expired: bool,
    pub named: bool,
    pub outcomes: bool,
    pub consent: bool,
}

/// Statements by [`Parts`], whether they are about one customer, and whether there is one word.
const STATEMENTS: usize = 256;

impl Parts {
    /// The parts that another customer needs.
    pub fn add(&mut self, wanted: &Wanted) {
        self.request |= !wanted.request_key.is_empty();
        self.committed |= wanted.contacts_within.is_some();
        self.expired |= wanted.as_of.is_some();
        self.named |= !wanted.decisions.is_empty();
        self.outcomes |= wanted.outcomes_within.is_some();
        self.consent |= wanted.channel.is_some();
    }

    /// True when the statement is bound to rows of [`WORD`].
    pub fn has_words(self) -> bool {
        self.named || self.outcomes
    }

    fn number(self, customers: Count, words: Count) -> usize {
        let bits =
            [self.request, self.committed, self.expired, self.named, self.outcomes, self.consent];
        let counts = [customers == Count::One, words == Count::One];
        bits.iter().chain(&counts).fold(0, |number, bit| 2 * number + usize::from(*bit))
    }

    fn of(number: usize) -> (Self, Count, Count) {
        let bit = |shift: usize| number >> shift & 1 == 1;
        let count = |shift: usize| if bit(shift) { Count::One } else { Count::Many };
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

static ON_SQLITE: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| texts(Dialect::Sqlite));
static ON_POSTGRES: LazyLock<Vec<Arc<str>>> = LazyLock::new(|| texts(Dialect::Postgres));

fn texts(dialect: Dialect) -> Vec<Arc<str>> {
    (0..STATEMENTS).map(|number| Customers::new(dialect, Parts::of(number)).text().into()).collect()
}

/// All texts, in the order of their numbers.
pub(in crate::store) fn statements(dialect: Dialect) -> &'static [Arc<str>] {
    match dialect {
        Dialect::Sqlite => &ON_SQLITE,
        Dialect::Postgres => &ON_POSTGRES,
    }
}

/// The text for these parts of so many customers.
pub(super) fn text(dialect: Dialect, parts: Parts, customers: usize, words: Count) -> &'static str {
    let customers = if customers == 1 { Count::One } else { Count::Many };
    statements(dialect).get(parts.number(customers, words)).map_or("", |text| text)
}

/// How a statement names the customers it is about.
struct Customers {
    dialect: Dialect,
    count: Count,
    /// The rows of [`ASKED`], unless there is one customer.
    rows: String,
    /// The rows of [`WORD`].
    words: String,
    parts: Parts,
}

impl Customers {
    fn new(dialect: Dialect, (parts, count, words): (Parts, Count, Count)) -> Self {
        let (rows, parameters) = match count {
            Count::One => (String::new(), ASKED.len() - 1),
            Count::Many => (dialect.table(ASKED, count, 1), dialect.parameters(ASKED, Count::Many)),
        };
        let words = dialect.table(WORD, words, 1 + parameters);
        Self { dialect, count, rows, words, parts }
    }

    /// A value that is asked with a customer.
    fn asked(&self, column: &str) -> String {
        // The parameter of the place is left out, and parameters count from 1.
        let number = ASKED.iter().position(|(name, _)| *name == column).unwrap_or_default();
        match (self.count, column) {
            (Count::One, "place") => "cast(0 as bigint)".to_owned(),
            (Count::One, _) => format!("${number}"),
            (Count::Many, _) => format!("asked.{column}"),
        }
    }

    /// The rows of a table that belong to the customers.
    fn of(&self, table: &str, alias: &str) -> String {
        let (tenant, customer) = (self.asked("tenant_id"), self.asked("customer_id"));
        let from = match self.count {
            Count::One => format!("{table} {alias}"),
            Count::Many => format!("{} asked cross join {table} {alias}", self.rows),
        };
        format!("{from} where {alias}.tenant_id = {tenant} and {alias}.customer_id = {customer}")
    }

    /// The rows of a table that belong to the words of the customers.
    fn of_words(&self, table: &str, alias: &str) -> String {
        let (tenant, customer) = match self.count {
            Count::One => (self.asked("tenant_id"), self.asked("customer_id")),
            Count::Many => ("w.tenant_id".to_owned(), "w.customer_id".to_owned()),
        };
        format!(
            "{} w cross join {table} {alias}
             where {alias}.tenant_id = {tenant} and {alias}.customer_id = {customer}",
            self.words
        )
    }

    fn text(&self) -> String {
        let mut branches = vec![self.customer(), self.head(), self.reserved()];
        let parts = self.parts;
        branches.extend(parts.request.then(|| self.request()));
        branches.extend(parts.committed.then(|| self.committed()));
        branches.extend(parts.expired.then(|| self.expired()));
        branches.extend(parts.named.then(|| self.named()));
        branches.extend(parts.outcomes.then(|| self.outcomes()));
        branches.extend(parts.consent.then(|| self.consent()));
        branches.join("\nunion all\n")
    }

    fn customer(&self) -> String {
        let row = self.dialect.array("k.version, k.ledger_us, k.applied_seq");
        let (place, customer) = (self.asked("place"), self.of("customer", "k"));
        format!("select {place}, cast({CUSTOMER} as bigint), {row} from {customer}")
    }

    fn head(&self) -> String {
        let row = self.dialect.array("h.revision");
        let (place, tenant) = (self.asked("place"), self.asked("tenant_id"));
        let from = match self.count {
            Count::One => "head h".to_owned(),
            Count::Many => format!("{} asked cross join head h", self.rows),
        };
        format!("select {place}, {HEAD}, {row} from {from} where h.tenant_id = {tenant}")
    }

    fn contact(&self, place: &str) -> String {
        format!("select {place}, {CONTACT}, {}", self.dialect.array(row::CONTACT))
    }

    fn reserved(&self) -> String {
        let (contact, of) = (self.contact(&self.asked("place")), self.of("contact", "c"));
        format!("{contact} from {of} and c.state = 'reserved'")
    }

    fn request(&self) -> String {
        let bytes = match self.dialect {
            Dialect::Sqlite => "hex(r.response)",
            Dialect::Postgres => "encode(r.response, 'hex')",
        };
        let row = self.dialect.array(&format!("r.decision_id, {bytes}"));
        format!(
            "select {}, {REQUEST}, {row} from {} and r.request_key = {} and r.at_us > {}",
            self.asked("place"),
            self.of("grant_request", "r"),
            self.asked("request_key"),
            self.asked("request_after_us"),
        )
    }

    /// The first rows of each customer. To one customer's it is a limit, which reads no further.
    fn first(&self, of: &str, alias: &str, order: &str, most: usize) -> String {
        match self.count {
            Count::One => format!(
                "(select cast(0 as bigint) as place, {alias}.* from {of}
                  order by {order} limit {most}) {alias}"
            ),
            Count::Many => format!(
                "(select * from (
                   select asked.place, {alias}.*, row_number() over (
                     partition by {alias}.tenant_id, {alias}.customer_id, asked.place
                     order by {order}) as nth
                   from {of}) {alias} where {alias}.nth <= {most}) {alias}"
            ),
        }
    }

    fn committed(&self) -> String {
        let of = format!(
            "{} and c.state = 'committed' and c.committed_us > {}",
            self.of("contact", "c"),
            self.asked("committed_after_us")
        );
        let first = self.first(&of, "c", "c.committed_us desc", CONTACTS_MAX + 1);
        format!("{} from {first}", self.contact("c.place"))
    }

    fn expired(&self) -> String {
        format!(
            "{} from {} and c.state = 'expired' and c.reserved_until_us > {}",
            self.contact(&self.asked("place")),
            self.of("contact", "c"),
            self.asked("expired_after_us")
        )
    }

    fn named(&self) -> String {
        let (contact, of) = (self.contact("w.place"), self.of_words("contact", "c"));
        format!(
            "{contact} from {of} and c.decision_id = w.decision_id and c.decision_id <> ''
               and c.rank > 0"
        )
    }

    fn outcomes(&self) -> String {
        let (row, of) = (self.dialect.array(row::OUTCOME), self.of_words("outcome", "o"));
        let most = OUTCOMES_MAX + 1;
        format!(
            "select o.place, {OUTCOME}, {row} from (
               select w.place, o.*, row_number() over (
                 partition by o.tenant_id, o.customer_id, w.place
                 order by o.occurred_us desc) as nth
               from {of} and o.key = w.key and o.occurred_us > w.after_us
                 and o.occurred_us <= w.until_us) o
             where o.nth <= {most}"
        )
    }

    fn consent(&self) -> String {
        let row = self.dialect.array(row::CONSENT);
        let of = format!(
            "{} and (s.channel_id = {} or (not s.granted and (s.channel_folded = {}
               or (s.channel_id = '{EVERY_CHANNEL}' and {} = 1))))",
            self.of("consent", "s"),
            self.asked("channel_id"),
            self.asked("channel_folded"),
            self.asked("is_contacting"),
        );
        let first = self.first(&of, "s", "s.at_us desc, s.granted", 1);
        format!("select s.place, {CONSENT}, {row} from {first}")
    }
}
