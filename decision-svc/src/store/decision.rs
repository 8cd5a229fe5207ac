//! SQL of decision records.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use database::{
    Cell, Columns, Count, DatabaseError, Dialect, Kind, Rows, Select, Statement, Texts,
    Transaction, execute,
};

use super::{Store, narrowed, new_decision::NewDecision};

/// A stored decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRow {
    /// Its id.
    pub decision_id: String,
    /// When it was made, in microseconds since 1970.
    pub decided_us: i64,
    /// The record, encoded.
    pub record: Vec<u8>,
}

/// Names a decision: by its id, and by its customer when that is known.
#[derive(Clone, Copy, Debug)]
pub struct DecisionName<'a> {
    /// Its id.
    pub decision_id: &'a str,
    /// Its customer. A decision of another customer is not found.
    pub customer_id: Option<&'a str>,
}

/// Which decisions are listed.
#[derive(Clone, Copy, Debug)]
pub struct DecisionFilter<'a> {
    /// The customer; all when empty.
    pub customer_id: &'a str,
    /// Id of their flow; any when empty.
    pub flow_id: &'a str,
    /// Their reason code as a word; any or none when empty.
    pub reason: &'a str,
    /// The first instant, in microseconds since 1970.
    pub from_us: i64,
}

impl<'a> DecisionFilter<'a> {
    /// All decisions of a customer.
    pub fn of_customer(customer_id: &'a str) -> Self {
        Self { customer_id, flow_id: "", reason: "", from_us: i64::MIN }
    }

    /// What the columns of [`NARROWING`] must be; empty where they may be anything.
    fn values(&self) -> [&'a str; NARROWING.len()] {
        [self.customer_id, self.flow_id, self.reason]
    }
}

type DecisionColumns = (String, i64, Vec<u8>);

/// Columns that a list may be narrowed by.
const NARROWING: [&str; 3] = ["customer_id", "flow_id", "reason"];

/// Customers with one id each, as a statement takes them.
pub(super) const IDS: Columns =
    &[("place", Kind::Integer), ("customer_id", Kind::Text), ("id", Kind::Text)];

const BY_ID: &str = "select decision_id, decided_us, record from decision
    where tenant_id = $1 and decision_id = $2";

const OF_CUSTOMER_BY_ID: &str = "select decision_id, decided_us, record from decision
    where tenant_id = $1 and decision_id = $2 and customer_id = $3";

const KNOWN_IDS_WHY: &str = "a report with a wrong decision id differs from one with a wrong \
    customer; no valid report runs it";

const INSERT: &str = "insert into decision
      (tenant_id, customer_id, decided_us, decision_id, flow_id, reason, record)
    values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (tenant_id, customer_id, decided_us, decision_id) do nothing";

/// The list of decisions, narrowed by some of the columns of [`NARROWING`].
fn list_statement(is_narrowed: [bool; NARROWING.len()]) -> String {
    let narrowed = narrowed::conditions(NARROWING.into_iter().zip(is_narrowed), 6);
    format!(
        "select decision_id, decided_us, record from decision
         where tenant_id = $1 and decided_us >= $2 and decided_us <= $3
           and (decided_us < $3 or decision_id < $4){narrowed}
         order by decided_us desc, decision_id desc limit $5 + 0"
    )
}

fn list_statements() -> impl Iterator<Item = Statement> {
    let each =
        (0..1_usize << NARROWING.len()).map(|bits| [0, 1, 2].map(|bit| bits >> bit & 1 == 1));
    each.map(|is_narrowed| {
        let text = list_statement(is_narrowed);
        match is_narrowed {
            [true, ..] => Statement::new("decisions of a customer", text),
            [false, ..] => Statement::new("decisions of all customers", text)
                .scan("people who look for decisions may know a time, a flow or a reason only"),
        }
    })
}

fn of_customers_statement(dialect: Dialect, count: Count) -> String {
    let asked = dialect.bound("asked", IDS, count, 2);
    format!(
        "{} select d.customer_id, d.decision_id, d.decided_us, d.record from {}
         where d.tenant_id = $1 and {} and d.decision_id = {}",
        asked.with(&[]),
        asked.joined("decision d"),
        asked.is_cell("d.customer_id", "customer_id"),
        asked.cell("id"),
    )
}

fn known_ids_statement(dialect: Dialect, count: Count) -> String {
    let is_named = dialect.is_any("decision_id", count, 2);
    format!("select decision_id from decision where tenant_id = $1 and {is_named}")
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let of_customers = |count| of_customers_statement(dialect, count);
    let mut all = vec![
        Statement::new("decision by its id alone", BY_ID)
            .scan("callers of commit, release and replay may know nothing but the id"),
        Statement::new("decision of a customer by its id", OF_CUSTOMER_BY_ID),
        Statement::new("new decision", INSERT),
        Statement::new("decision of one customer by id", of_customers(Count::One)),
        Statement::new("decisions of customers by ids", of_customers(Count::Many)),
        Statement::new("known id", known_ids_statement(dialect, Count::One)).scan(KNOWN_IDS_WHY),
        Statement::new("known ids", known_ids_statement(dialect, Count::Many)).scan(KNOWN_IDS_WHY),
    ];
    all.extend(list_statements());
    all
}

/// Rows of [`IDS`].
pub(super) fn id_rows<'a>(ids: &[(&'a str, &'a str)]) -> Rows<'a> {
    let text = |text: &'a str| Cell::Text(Some(Cow::Borrowed(text)));
    let mut rows = Rows::new(IDS);
    for (place, (customer_id, id)) in (0..).zip(ids) {
        rows.push([Cell::Integer(Some(place)), text(customer_id), text(id)]);
    }
    rows
}

impl Store {
    /// Those of these ids that some customer's decision has. One statement, however many.
    pub async fn known_decisions(
        &self,
        tenant: &str,
        ids: &[&str],
    ) -> Result<BTreeSet<String>, DatabaseError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(known_ids_statement));
        let count = if ids.len() == 1 { Count::One } else { Count::Many };
        let statement = TEXTS.get(self.database.dialect(), count);
        let found: Vec<(String,)> =
            Select::new(statement).bind(tenant).bind_any(ids).brief().all(&self.database).await?;
        Ok(found.into_iter().map(|(id,)| id).collect())
    }

    /// One decision.
    pub async fn decision(
        &self,
        tenant: &str,
        DecisionName { decision_id, customer_id }: DecisionName<'_>,
    ) -> Result<Option<DecisionRow>, DatabaseError> {
        let select = match customer_id {
            None => Select::new(BY_ID).bind(tenant).bind(decision_id),
            Some(customer_id) => {
                Select::new(OF_CUSTOMER_BY_ID).bind(tenant).bind(decision_id).bind(customer_id)
            }
        };
        Ok(select.brief().optional(&self.database).await?.map(row))
    }

    /// The decisions of these customers and ids, by both; unknown ones are left out. One statement,
    /// however many.
    pub async fn decisions_of(
        &self,
        tenant: &str,
        ids: &[(&str, &str)],
    ) -> Result<BTreeMap<(String, String), DecisionRow>, DatabaseError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(of_customers_statement));
        let asked = id_rows(ids);
        let statement = TEXTS.get(self.database.dialect(), asked.count());
        let found: Vec<(String, String, i64, Vec<u8>)> = Select::new(statement)
            .bind(tenant)
            .bind_rows(&asked)
            .brief()
            .all(&self.database)
            .await?;
        let entry = |(customer_id, decision_id, decided_us, record): (String, String, _, _)| {
            ((customer_id, decision_id.clone()), row((decision_id, decided_us, record)))
        };
        Ok(found.into_iter().map(entry).collect())
    }

    /// Decisions before (`decided_us`, `decision_id`), newest first, at most `limit`.
    pub async fn decisions(
        &self,
        tenant: &str,
        filter: DecisionFilter<'_>,
        before: (i64, &str),
        limit: i64,
    ) -> Result<Vec<DecisionRow>, DatabaseError> {
        let values = filter.values();
        let mut select = Select::new(list_statement(values.map(|value| !value.is_empty())))
            .bind(tenant)
            .bind(filter.from_us)
            .bind(before.0)
            .bind(before.1)
            .bind(limit);
        for value in values.into_iter().filter(|value| !value.is_empty()) {
            select = select.bind(value);
        }
        let rows: Vec<DecisionColumns> = select.all(&self.database).await?;
        Ok(rows.into_iter().map(row).collect())
    }
}

/// Stores the record of a decision; once more changes nothing.
pub(super) async fn insert(
    transaction: &mut Transaction,
    decision: &NewDecision,
) -> Result<(), DatabaseError> {
    execute!(
        transaction,
        sqlx::query(INSERT)
            .bind(&decision.tenant)
            .bind(&decision.customer_id)
            .bind(decision.decided_us)
            .bind(&decision.decision_id)
            .bind(&decision.flow_id)
            .bind(decision.reason)
            .bind(&decision.record)
    )
    .map(drop)
}

fn row((decision_id, decided_us, record): DecisionColumns) -> DecisionRow {
    DecisionRow { decision_id, decided_us, record }
}
