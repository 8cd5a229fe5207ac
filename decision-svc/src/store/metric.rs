//! Counts behavioral metrics from stored outcomes, in SQL.

use std::{collections::BTreeMap, sync::LazyLock};

use database::{Cell, Columns, Count, DatabaseError, Dialect, Kind, Rows, Select, Texts};

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

fn metrics_statement(dialect: Dialect, count: Count) -> String {
    // Sums of whole parts below 2^53 are exact and do not depend on the order.
    format!(
        "select asked.place, count(counted.outcome_id), sum(cast(counted.value_e4 as double precision)),
           case when asked.is_last then (
             select latest.value_e4 from outcome latest
             where latest.tenant_id = $1 and latest.customer_id = asked.customer_id
               and latest.outcome_key = asked.outcome_key and latest.occurred_us > asked.after_us
               and latest.occurred_us <= asked.until_us and latest.value_e4 is not null
             order by latest.occurred_us desc, latest.received_us desc, latest.outcome_id desc limit 1) end
         from {} asked
         left join outcome counted on counted.tenant_id = $1 and counted.customer_id = asked.customer_id
           and counted.outcome_key = asked.outcome_key and counted.occurred_us > asked.after_us
           and counted.occurred_us <= asked.until_us and not asked.is_last
         group by asked.place, asked.customer_id, asked.outcome_key, asked.after_us, asked.until_us, asked.is_last",
        dialect.table(ASKED, count, 2)
    )
}

impl Store {
    /// Values of metrics, by place among those asked for; one without a value is left out. One
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
        static METRICS: LazyLock<Texts> = LazyLock::new(|| Texts::new(metrics_statement));
        let statement = METRICS.get(self.database.dialect(), rows.count());
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
        Ok(found.into_iter().filter_map(value).collect())
    }
}
