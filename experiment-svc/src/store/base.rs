//! What the customers of a tenant do, for planning.

use database::{DatabaseError, Select, Statement};

use super::{
    Store,
    arm::PAGE,
    recount::{OUTCOME, OutcomeColumns, outcome},
};
use crate::domain::{
    analysis::{Figure, Sample},
    measure::{Happened, Metric},
    tally::Group,
};

/// Customers that are read at most.
pub const CUSTOMERS_MAX: usize = 20_000;
/// Customers with an arm, treated or held out. Who is known by an outcome only is left out: those
/// who did nothing are not known, so every rate would be too high.
const PAGE_OF: &str = "(select distinct tenant_id, customer_id from assignment
    where tenant_id = $1 and customer_id > $2 order by customer_id limit $3 + 0) a";

fn customers_text() -> String {
    format!("select a.customer_id from {PAGE_OF} order by a.customer_id")
}

fn outcomes_text() -> String {
    format!(
        "select {OUTCOME}
         from {PAGE_OF}
         join outcome o on o.tenant_id = a.tenant_id and o.customer_id = a.customer_id
           and +o.occurred_us >= $4
         order by o.customer_id"
    )
}

pub(super) fn statements() -> Vec<Statement> {
    let why = "a plan reads some thousand customers";
    vec![
        Statement::new("customers with an arm", customers_text()).scan(why),
        Statement::new("outcomes of customers with an arm", outcomes_text()).scan(why),
    ]
}

impl Store {
    /// The figures of a metric per customer, over the outcomes since `since_us`; of customers with
    /// an arm in any experiment, the first [`CUSTOMERS_MAX`] by id.
    pub async fn base(
        &self,
        tenant: &str,
        metric: &Metric,
        since_us: i64,
    ) -> Result<Sample, DatabaseError> {
        let (mut sample, mut after) = (Sample::default(), String::new());
        while sample.n < CUSTOMERS_MAX as u64 {
            let page =
                |text: String| Select::new(text).bind(tenant).bind(after.as_str()).bind(PAGE);
            let customers: Vec<(String,)> = page(customers_text()).all(&self.database).await?;
            let outcomes = page(outcomes_text()).bind(since_us);
            let outcomes: Vec<OutcomeColumns> = outcomes.all(&self.database).await?;
            let Some((last,)) = customers.last().cloned() else { break };
            let outcomes: Vec<_> = outcomes.into_iter().map(outcome).collect();
            for own in outcomes.chunk_by(|(one, _), (other, _)| one == other) {
                let happened = |sum: &crate::domain::measure::Sum| {
                    own.iter()
                        .map(|(_, outcome)| {
                            sum.of(&Happened {
                                key: &outcome.key,
                                is_positive: outcome.is_positive,
                                value_e4: outcome.value_e4,
                            })
                        })
                        .sum()
                };
                let sums: Vec<i128> = metric.sums.iter().map(happened).collect();
                sample.add(Figure { value: metric.figure_of(&sums), ..Figure::default() });
            }
            let active = outcomes.chunk_by(|(one, _), (other, _)| one == other).count();
            // The others did nothing, which adds nothing to the sums.
            sample.n += customers.len().saturating_sub(active) as u64;
            after = last;
        }
        Ok(sample)
    }

    /// How many customers an experiment has assigned, and how many of them were exposed.
    pub async fn exposed(
        &self,
        tenant: &str,
        experiment_id: &str,
    ) -> Result<(u64, u64), DatabaseError> {
        let found = self.served_sums(tenant, experiment_id, "", |_| true).await?;
        let sums = found.map(|found| found.sums).unwrap_or_default();
        let count = |group: Group| {
            sums.iter().filter(|sum| sum.group == group).map(|sum| sum.sums.sample().n).sum()
        };
        Ok((count(Group::EveryoneAssigned), count(Group::EveryoneMatched)))
    }
}
