//! Writes the changes of several customers together: one statement on PostgreSQL, several
//! statements in the transaction of the only writer on SQLite. Both use the same texts.

use std::{collections::BTreeSet, sync::LazyLock};

use chrono::{DateTime, Utc};
use database::{
    BindRows as _, Cell, Columns, Count, DatabaseError, Dialect, Kind, Rows, Transaction, execute,
};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    known::{Known, Wanted},
    request::Earlier,
};
use crate::{
    domain::{
        consent::ConsentRecord,
        contact::Contact,
        ledger::{Ledger, OutcomeRecord},
    },
    id::new_id,
};

/// What is to be written about one customer.
#[derive(Clone, Debug)]
pub struct Change {
    /// The version it was judged by; of a customer who has another by then nothing is written.
    pub version: i64,
    /// The ledger instant.
    pub ledger_at: DateTime<Utc>,
    /// The last outcome applied.
    pub applied_seq: i64,
    /// New and changed contacts.
    pub contacts: Vec<Contact>,
    /// Outcomes applied.
    pub outcomes: Vec<OutcomeRecord>,
    /// New consent records.
    pub consents: Vec<ConsentRecord>,
    /// The answer kept for repeats of a request.
    pub kept: Option<(String, Earlier)>,
    /// The request whose answer is forgotten.
    pub forgotten: Option<String>,
}

impl Change {
    /// Nothing but the ledger instant.
    pub fn none(known: &Known) -> Self {
        Self {
            version: known.version,
            ledger_at: known.ledger_at,
            applied_seq: known.applied_seq,
            contacts: Vec::new(),
            outcomes: Vec::new(),
            consents: Vec::new(),
            kept: None,
            forgotten: None,
        }
    }

    /// What changed in the ledger.
    pub fn of(version: i64, ledger: Ledger) -> Self {
        let (ledger_at, applied_seq) = (ledger.at(), ledger.applied_seq());
        let changes = ledger.changes();
        let (contacts, outcomes, consents) = (changes.contacts, changes.outcomes, changes.consents);
        Self {
            version,
            ledger_at,
            applied_seq,
            contacts,
            outcomes,
            consents,
            kept: None,
            forgotten: None,
        }
    }

    /// None when it changes nothing but the ledger instant: enough for a repeat, by which nothing
    /// is judged.
    pub fn unless_empty(self) -> Option<Self> {
        let is_empty =
            self.contacts.is_empty() && self.outcomes.is_empty() && self.consents.is_empty();
        (!is_empty).then_some(self)
    }
}

/// Columns of a row about one of a customer's things: the customer's place in the batch, and whose
/// it is.
macro_rules! of_customer {
    ($($name:literal $kind:ident,)*) => {
        &[("place", Kind::Integer), ("tenant_id", Kind::Text), ("customer_id", Kind::Text), $(($name, Kind::$kind),)*]
    };
}

const CUSTOMER: Columns =
    of_customer!["version" Integer, "ledger_us" Integer, "applied_seq" Integer,];
const CONTACT: Columns = of_customer![
    "contact_id" Text, "decision_id" Text, "rank" Integer, "offer_id" Text, "category" Text, "category_id" Text,
    "subcategory" Text, "channel_id" Text, "channel_name" Text, "purpose" Text, "cost" Integer, "state" Text,
    "created_us" Integer, "reserved_us" Integer, "reserved_until_us" Integer, "committed_us" Integer,
    "unreserved" Boolean,
];
const OUTCOME: Columns = of_customer![
    "customer_seq" Integer, "outcome_id" Text, "key" Text, "offer_id" Text, "category" Text, "category_id" Text,
    "subcategory" Text, "channel_id" Text, "channel_name" Text, "occurred_us" Integer,
];
const CONSENT: Columns = of_customer![
    "consent_id" Text, "channel_id" Text, "channel_folded" Text, "granted" Boolean, "at_us" Integer,
    "received_us" Integer, "source" Text, "evidence" Text,
];
const REQUEST: Columns =
    of_customer!["request_key" Text, "decision_id" Text, "response" Bytes, "at_us" Integer,];
const REQUEST_KEY: Columns = of_customer!["request_key" Text,];

/// What becomes of the rows of each table.
struct Table {
    columns: Columns,
    /// A statement over `{rows}`, each of which belongs to a customer; those whose customer is not
    /// `{won}` are left out.
    text: String,
}

/// In the order in which rows are gathered.
static TABLES: LazyLock<[Table; 5]> = LazyLock::new(|| {
    let insert = |table: &str, columns: Columns, conflict: &str| {
        let names = columns.iter().skip(1).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let text = format!(
            "insert into {table} ({names}) select {names} from {{rows}} rows where {{won}} {conflict}"
        );
        Table { columns, text }
    };
    [
        insert(
            "contact",
            CONTACT,
            "on conflict (tenant_id, customer_id, contact_id) do update set state = excluded.state,
               reserved_us = excluded.reserved_us, reserved_until_us = excluded.reserved_until_us,
               committed_us = excluded.committed_us, unreserved = excluded.unreserved",
        ),
        insert("outcome", OUTCOME, ""),
        insert("consent", CONSENT, ""),
        insert(
            "grant_request",
            REQUEST,
            "on conflict (tenant_id, customer_id, request_key) do update set decision_id = excluded.decision_id,
               response = excluded.response, at_us = excluded.at_us",
        ),
        Table {
            columns: REQUEST_KEY,
            text: "delete from grant_request where (tenant_id, customer_id, request_key) in (
                select tenant_id, customer_id, request_key from {rows} rows where {won})"
                .to_owned(),
        },
    ]
});

/// For one row, and for any other number.
static ON_SQLITE: LazyLock<[Vec<String>; 2]> =
    LazyLock::new(|| [on_sqlite(Count::One), on_sqlite(Count::Many)]);

fn on_sqlite(count: Count) -> Vec<String> {
    let table = |columns| Dialect::Sqlite.table(columns, count, 1);
    let customers = format!(
        "insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
         select tenant_id, customer_id, version + 1, ledger_us, applied_seq from {} where true
         on conflict (tenant_id, customer_id) do update set version = excluded.version,
           ledger_us = excluded.ledger_us, applied_seq = excluded.applied_seq",
        table(CUSTOMER)
    );
    let texts =
        TABLES.iter().map(|Table { columns, text }| text.replace("{rows}", &table(columns)));
    std::iter::once(customers).chain(texts.map(|text| text.replace("{won}", "true"))).collect()
}

/// By which of [`TABLES`] have rows: what a statement could do costs as well.
static ON_POSTGRES: LazyLock<Vec<String>> = LazyLock::new(|| {
    (0..1 << TABLES.len()).map(|number| on_postgres(|table| number >> table & 1 == 1)).collect()
});

/// A customer is won whose row has still the version that was judged by, or is still missing. Rows
/// are taken in the order of places, which is that of ids.
fn on_postgres(has_rows: impl Fn(usize) -> bool) -> String {
    let dialect = Dialect::Postgres;
    let (mut tables, mut next) = (String::new(), 1 + dialect.parameters(CUSTOMER, Count::Many));
    for (number, Table { columns, text }) in
        TABLES.iter().enumerate().filter(|(number, _)| has_rows(*number))
    {
        let text = text.replace("{rows}", &dialect.table(columns, Count::Many, next));
        let text = text.replace("{won}", "place in (select place from won)");
        tables.push_str(&format!(", table_{number} as ({text})"));
        next += dialect.parameters(columns, Count::Many);
    }
    format!(
        "with asked as (select * from {customers} asked),
         born as (
           insert into customer (tenant_id, customer_id, version, ledger_us, applied_seq)
           select tenant_id, customer_id, 1, ledger_us, applied_seq from asked where version = 0 order by place
           on conflict (tenant_id, customer_id) do nothing returning tenant_id, customer_id),
         held as (
           select a.* from asked a join customer c on c.tenant_id = a.tenant_id and c.customer_id = a.customer_id
             and c.version = a.version where a.version > 0 order by a.place for update of c),
         grown as (
           update customer c set version = c.version + 1, ledger_us = h.ledger_us, applied_seq = h.applied_seq
           from held h where c.tenant_id = h.tenant_id and c.customer_id = h.customer_id and c.version = h.version
           returning h.place),
         won as (
           select place from grown union all
           select a.place from asked a join born b on b.tenant_id = a.tenant_id and b.customer_id = a.customer_id)
         {tables} select place from won",
        customers = dialect.table(CUSTOMER, Count::Many, 1),
    )
}

/// Where changes are written.
pub(super) enum Target<'a> {
    /// In a transaction that holds the locks of all.
    Within(&'a mut Transaction),
    /// On a connection without a transaction: only on PostgreSQL, where the statement is one of its
    /// own.
    Alone(&'a mut PgConnection),
}

/// Writes the changes, each with the customer it belongs to; gives the places of the customers who
/// were written to. The others were changed by somebody else since they were read, and nothing of
/// theirs is written.
pub(super) async fn write(
    target: Target<'_>,
    changes: &[(&Wanted, &Change)],
) -> Result<BTreeSet<usize>, DatabaseError> {
    // Repeats and refused requests write nothing.
    if changes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (customers, tables) = rows(changes);
    let filled = tables.iter().enumerate().filter(|(_, rows)| !rows.is_empty());
    let on_postgres = async |connection: &mut PgConnection| {
        let number = filled.clone().fold(0, |number, (table, _)| number | 1 << table);
        let query =
            sqlx::query_as(AssertSqlSafe(ON_POSTGRES.get(number).map_or("", String::as_str)));
        let query = filled
            .clone()
            .fold(query.bind_rows(&customers), |query, (_, rows)| query.bind_rows(rows));
        let places: Vec<(i64,)> = query.fetch_all(connection).await?;
        Ok(places.into_iter().filter_map(|(place,)| usize::try_from(place).ok()).collect())
    };
    match target {
        Target::Alone(connection) => on_postgres(connection).await,
        Target::Within(Transaction::Postgres(inner)) => on_postgres(&mut *inner).await,
        Target::Within(transaction) => {
            let all = std::iter::once(&customers).chain(&tables).enumerate();
            for (number, rows) in all.filter(|(_, rows)| !rows.is_empty()) {
                let [one, many] = &*ON_SQLITE;
                let texts = if rows.count() == Count::One { one } else { many };
                let text = texts.get(number).map_or("", String::as_str);
                execute!(&mut *transaction, sqlx::query(AssertSqlSafe(text)).bind_rows(rows))?;
            }
            Ok((0..changes.len()).collect())
        }
    }
}

/// The rows of the customers, and of each of [`TABLES`].
fn rows<'a>(changes: &[(&'a Wanted, &'a Change)]) -> (Rows<'a>, [Rows<'a>; 5]) {
    let us = |at: DateTime<Utc>| at.timestamp_micros();
    let mut customers = Rows::new(CUSTOMER);
    let (mut contacts, mut outcomes, mut consents) =
        (Rows::new(CONTACT), Rows::new(OUTCOME), Rows::new(CONSENT));
    let (mut kept, mut forgotten) = (Rows::new(REQUEST), Rows::new(REQUEST_KEY));
    for (place, (wanted, change)) in changes.iter().enumerate() {
        let (tenant_id, customer_id) = (wanted.tenant.as_str(), wanted.customer_id.as_str());
        let (version, ledger_us, applied_seq) =
            (change.version, us(change.ledger_at), change.applied_seq);
        let of = || [Cell::from(place), tenant_id.into(), customer_id.into()].into_iter();
        customers.push(of().chain([version.into(), ledger_us.into(), applied_seq.into()]));
        for contact in &change.contacts {
            let Contact { offer, channel, .. } = contact;
            let row: [Cell<'a>; _] = [
                (&contact.contact_id).into(),
                (&contact.decision_id).into(),
                contact.rank.into(),
                (&offer.offer_id).into(),
                (&offer.category).into(),
                (&offer.category_id).into(),
                (&offer.subcategory).into(),
                (&channel.id).into(),
                (&channel.name).into(),
                (&offer.purpose).into(),
                offer.cost.into(),
                contact.state.name().into(),
                us(contact.created_at).into(),
                contact.reserved_at.map(us).into(),
                contact.reserved_until.map(us).into(),
                contact.committed_at.map(us).into(),
                contact.is_unreserved.into(),
            ];
            contacts.push(of().chain(row));
        }
        for outcome in &change.outcomes {
            let OutcomeRecord { offer, channel, .. } = outcome;
            let row: [Cell<'a>; _] = [
                outcome.customer_seq.into(),
                (&outcome.outcome_id).into(),
                (&outcome.key).into(),
                (&offer.offer_id).into(),
                (&offer.category).into(),
                (&offer.category_id).into(),
                (&offer.subcategory).into(),
                (&channel.id).into(),
                (&channel.name).into(),
                us(outcome.at).into(),
            ];
            outcomes.push(of().chain(row));
        }
        for (record, nth) in change.consents.iter().zip(0..) {
            let row: [Cell<'a>; _] = [
                new_id("cons", change.ledger_at, change.version, nth).into(),
                (&record.channel_id).into(),
                (&record.channel_folded).into(),
                record.is_grant.into(),
                us(record.at).into(),
                us(record.received_at).into(),
                (&record.source).into(),
                (&record.evidence).into(),
            ];
            consents.push(of().chain(row));
        }
        if let Some((request_key, Earlier { decision_id, response })) = &change.kept {
            kept.push(of().chain([
                request_key.into(),
                decision_id.into(),
                response.as_slice().into(),
                ledger_us.into(),
            ]));
        }
        if let Some(request_key) = &change.forgotten {
            forgotten.push(of().chain([request_key.into()]));
        }
    }
    (customers, [contacts, outcomes, consents, kept, forgotten])
}
