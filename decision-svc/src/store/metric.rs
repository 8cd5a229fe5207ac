//! Counts behavioral metrics from stored outcomes, in SQL.

use std::{collections::BTreeMap, sync::LazyLock};

use database::{
    Cell, Columns, Count, DatabaseError, Dialect, Kind, Rows, Select, Statement, Texts,
};

use super::Store;
use crate::domain::metric::{Aggregate, Metric};

/// Asked metrics as the statement takes them.
const ASKED: Columns = &[
    ("place", Kind::Integer),
    ("customer_id", Kind::Text),
    ("outcome_key", Kind::Text),
    ("after_us", Kind::Integer),
    ("until_us", Kind::Integer),
    ("is_last", Kind::Boolean),
];

/// Values are kept in this part of one.
const VALUE_PARTS: f64 = 10_000.0;

/// A metric of a customer.
#[derive(Clone, Copy, Debug)]
pub struct AskedMetric<'a> {
    /// The customer.
    pub customer_id: &'a str,
    /// The metric.
    pub metric: &'a Metric,
    /// The latest instant that no longer counts, in microseconds since 1970.
    pub after_us: i64,
    /// The last instant that counts.
    pub until_us: i64,
}

/// Sums and counts of the asked metrics, then the last values. A metric without outcomes may have
/// no row.
fn metrics_statement(dialect: Dialect, count: Count) -> String {
    let asked = dialect.bound("asked", ASKED, count, 2);
    let (place, is_last) = (asked.cell("place"), asked.cell("is_last"));
    let counted = format!(
        "from {} where o.tenant_id = $1 and {} and o.outcome_key = {}
           and o.occurred_us > {} and o.occurred_us <= {}",
        asked.joined("outcome o"),
        asked.is_cell("o.customer_id", "customer_id"),
        asked.cell("outcome_key"),
        asked.cell("after_us"),
        asked.cell("until_us"),
    );
    // The sum of one asked metric needs no groups, which SQLite would keep in a temporary table.
    let group = match (dialect, count) {
        (Dialect::Sqlite, Count::One) => String::new(),
        _ => format!("group by {place}"),
    };
    // Sums of whole parts below 2^53 are exact and do not depend on the order. PostgreSQL takes
    // the types of a column from the first branch.
    format!(
        "{with} select {place}, count(o.outcome_id), sum(cast(o.value_e4 as double precision)),
           cast(null as bigint)
         {counted} and not {is_last} {group}
         union all
         select latest.place, 0, null, latest.value_e4 from (
           select {place} as place, o.value_e4, row_number() over (
             partition by o.customer_id, {place}
             order by o.occurred_us desc, o.customer_seq desc) as nth
           {counted} and {is_last} and o.value_e4 is not null) latest
         where latest.nth = 1",
        with = asked.with(&[]),
    )
}

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    vec![
        Statement::new("one metric of a customer", metrics_statement(dialect, Count::One)),
        Statement::new("metrics of customers", metrics_statement(dialect, Count::Many)),
    ]
}

impl Store {
    /// Values of metrics, by index among those asked for; one without a value is left out. One
    /// statement, however many.
    pub async fn metrics(
        &self,
        tenant: &str,
        asked: &[AskedMetric<'_>],
    ) -> Result<BTreeMap<usize, f64>, DatabaseError> {
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut rows = Rows::new(ASKED);
        for (place, one) in (0..).zip(asked) {
            rows.push([
                Cell::Integer(Some(place)),
                Cell::Text(Some(one.customer_id.into())),
                Cell::Text(Some(one.metric.outcome.as_str().into())),
                Cell::Integer(Some(one.after_us)),
                Cell::Integer(Some(one.until_us)),
                Cell::Boolean(Some(one.metric.aggregate == Aggregate::Last)),
            ]);
        }
        static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts::new(metrics_statement));
        let statement = TEXTS.get(self.database.dialect(), rows.count());
        let found: Vec<(i64, i64, Option<f64>, Option<i64>)> = Select::new(statement)
            .bind(tenant)
            .bind_rows(&rows)
            .brief()
            .all(&self.database)
            .await?;
        let value = |(place, count, sum, last): (i64, i64, Option<f64>, Option<i64>)| {
            let place = usize::try_from(place).ok()?;
            let value = match asked.get(place)?.metric.aggregate {
                Aggregate::Count => count as f64,
                Aggregate::Sum => sum.unwrap_or_default() / VALUE_PARTS,
                Aggregate::Last => last? as f64 / VALUE_PARTS,
            };
            Some((place, value))
        };
        // Without outcomes there is no row: nothing was counted, and the sum is 0.
        let has_zero =
            |(_, one): &(usize, &AskedMetric<'_>)| one.metric.aggregate != Aggregate::Last;
        let zeros = asked.iter().enumerate().filter(has_zero).map(|(place, _)| (place, 0.0));
        Ok(zeros.chain(found.into_iter().filter_map(value)).collect())
    }
}
