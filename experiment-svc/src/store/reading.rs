//! Reads an experiment out: from the sums where the metric is counted, else from the customers'
//! rows.

use chrono::{DateTime, Utc};
use database::{DatabaseError, Select, Statement};

use super::{
    Store,
    arm::{PAGE, PAGE_OF, WITH_EXPOSURE, arm, epoch},
    counting::Served,
    recount::{OUTCOME, OutcomeColumns, outcome},
    sums::Summed,
};
use crate::domain::{
    analysis::{Arm, Counts, LeftOut, Population},
    measure::Metric,
    tally::{Changes, Facts, FirstExposure, Group, NEVER, Outcome, Plan, Tally},
};

/// What the ledger holds of an experiment.
#[derive(Clone, Debug)]
pub struct Read {
    /// The customers whose windows have closed.
    pub counts: Counts,
    /// Every outcome received up to here is counted.
    pub counted_through: Option<DateTime<Utc>>,
    /// The sums are those of this instant, while what the experiment counts is computed again.
    pub computed_at: Option<DateTime<Utc>>,
    /// Everyone assigned, by split and arm, whatever their windows.
    pub assigned: Vec<(i32, Arm, u64)>,
    /// Everyone matched, likewise.
    pub matched: Vec<(i32, Arm, u64)>,
}

/// Sums of one version.
#[derive(Debug)]
pub(super) struct ServedSums {
    /// What they count.
    plan: Plan,
    /// When they stopped to change, while a newer version is being counted.
    computed_at: Option<DateTime<Utc>>,
    /// Every outcome received up to here is in them.
    through: Option<DateTime<Utc>>,
    /// The sums of the windows that have closed.
    pub sums: Vec<Summed>,
}

const THROUGH: &str = "select through_us from counted_through where tenant_id = $1";

const SIZES: &str = "select epoch, is_holdout, count(*) from assignment
    where tenant_id = $1 and experiment_id = $2 group by epoch, is_holdout";

fn customers_text() -> String {
    format!(
        "select a.customer_id, a.is_holdout, a.epoch, a.assigned_us, e.exposed_us, e.emptied_by,
           c.number_e4, e.category_id, e.channel, e.features
         from {PAGE_OF} {WITH_EXPOSURE}
         order by a.customer_id"
    )
}

/// The outcomes of these customers from the look back before their arm on, whatever decision or
/// flow they name. The clock of another replica may have put the exposure before the arm.
fn outcomes_text() -> String {
    format!(
        "select {OUTCOME}
         from {PAGE_OF} {WITH_EXPOSURE}
         join outcome o on o.tenant_id = a.tenant_id and o.customer_id = a.customer_id
           and (+o.occurred_us >= a.assigned_us - $5 or +o.occurred_us >= e.exposed_us)
         order by o.customer_id"
    )
}

/// Customer, arm, split, assignment; exposure and what emptied it; covariate; category, channel and
/// features of the exposure.
type Columns = (
    String,
    bool,
    i64,
    i64,
    Option<i64>,
    Option<String>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<Vec<u8>>,
);

/// A customer of an experiment, computed from the customer's rows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What the customer adds to the sums.
    pub tally: Tally,
    /// Category of the first exposure; empty without one.
    pub category_id: String,
    /// Its channel; empty without one.
    pub channel: String,
    /// Its features as the sender wrote them; empty without any.
    pub features: Vec<u8>,
}

pub(super) fn statements() -> Vec<Statement> {
    let why = "a read-out of a metric that is not kept reads all customers of an experiment";
    vec![
        Statement::new("instant of the ledger", THROUGH),
        Statement::new("sizes of arms", SIZES)
            .scan("until its sums are there all customers of an experiment are counted"),
        Statement::new("customers of an experiment", customers_text()).scan(why),
        Statement::new("outcomes of an experiment's customers", outcomes_text()).scan(why),
    ]
}

impl Store {
    /// Everything the ledger holds of an experiment on one metric. Outcomes that arrive meanwhile
    /// may be in it or not.
    pub async fn read(
        &self,
        tenant: &str,
        plan: &Plan,
        metric: Metric,
    ) -> Result<Read, DatabaseError> {
        let is_kept = |served: &Plan| served.metrics.contains(&metric);
        let Some(found) = self.served_sums(tenant, &plan.id, &metric.name, is_kept).await? else {
            return self.read_rows(tenant, plan, metric).await;
        };
        let mut read = collected(metric, found.through, plan, &found.sums)?;
        // A process of an earlier version has changed the experiment: its plan is adopted soon.
        let is_other = found.plan.text() != plan.text();
        read.computed_at = found.computed_at.or_else(|| found.through.filter(|_| is_other));
        Ok(read)
    }

    /// True when a metric of an experiment is being counted and is not in the sums that are shown
    /// meanwhile.
    pub async fn is_counting(
        &self,
        tenant: &str,
        plan: &Plan,
        metric: &Metric,
    ) -> Result<bool, DatabaseError> {
        let served = self.served(tenant, &plan.id).await?;
        let pending = served.filter(|served| served.computed_at.is_some());
        Ok(pending.is_some_and(|served| {
            !served.plan.is_some_and(|served| served.metrics.contains(metric))
                && plan.metrics.contains(metric)
        }))
    }

    /// The sums of a metric that are served, all of one version; none when the plan they count by
    /// is not as wanted, or there is none yet.
    pub(super) async fn served_sums(
        &self,
        tenant: &str,
        experiment_id: &str,
        metric: &str,
        is_wanted: impl Fn(&Plan) -> bool,
    ) -> Result<Option<ServedSums>, DatabaseError> {
        let mut served = self.served(tenant, experiment_id).await?;
        loop {
            let Some(Served { plan: Some(plan), version, computed_at }) = served else {
                return Ok(None);
            };
            if !is_wanted(&plan) {
                return Ok(None);
            }
            // Read first: what is counted through then is in every sum.
            let through = self.counted_through(tenant).await?;
            // Sums that nobody changes any more lack what came after.
            let through = through.map(|through| computed_at.map_or(through, |at| at.min(through)));
            let of = (experiment_id, version);
            let sums = self.sums(tenant, of, metric, plan.closed_hour(through)).await?;
            // When another version is served by now, the sums of this one may be gone.
            served = self.served(tenant, experiment_id).await?;
            if served.as_ref().is_some_and(|served| served.version == version) {
                return Ok(Some(ServedSums { plan, computed_at, through, sums }));
            }
        }
    }

    /// The same from the customers' rows: slow, and always right.
    pub async fn read_rows(
        &self,
        tenant: &str,
        plan: &Plan,
        metric: Metric,
    ) -> Result<Read, DatabaseError> {
        let through = self.counted_through(tenant).await?;
        let changes = self.changes(tenant, &plan.only(&metric)).await?;
        let closed = plan.closed_hour(through).unwrap_or_default();
        let is_read = |hour: i64| hour == NEVER || hour <= closed;
        let summed = changes.iter().filter(|(place, _)| is_read(place.hour));
        let summed: Vec<_> = summed
            .map(|(place, sums)| Summed {
                group: place.group,
                is_holdout: place.is_holdout,
                epoch: place.epoch.into(),
                is_cut: place.hour == NEVER,
                sums: *sums,
            })
            .collect();
        collected(metric, through, plan, &summed)
    }

    /// The sums over all customers, computed from their rows.
    async fn changes(&self, tenant: &str, plan: &Plan) -> Result<Changes, DatabaseError> {
        let mut changes = Changes::new();
        self.walk(tenant, plan, |seen| plan.change(&mut changes, &seen.tally, 1)).await?;
        Ok(changes)
    }

    /// Computes every customer of an experiment from the customer's rows.
    pub async fn walk(
        &self,
        tenant: &str,
        plan: &Plan,
        mut visit: impl FnMut(Seen) + Send,
    ) -> Result<(), DatabaseError> {
        let mut after = String::new();
        loop {
            let page = |text: String| {
                Select::new(text).bind(tenant).bind(&plan.id).bind(after.as_str()).bind(PAGE)
            };
            let customers: Vec<Columns> = page(customers_text()).all(&self.database).await?;
            let outcomes = page(outcomes_text()).bind(plan.look_back_us.unwrap_or_default());
            let outcomes: Vec<OutcomeColumns> = outcomes.all(&self.database).await?;
            let outcomes: Vec<(String, Outcome)> = outcomes.into_iter().map(outcome).collect();
            let mut rest = outcomes.as_slice();
            let Some(last) = customers.last().map(|row| row.0.clone()) else { return Ok(()) };
            for row in customers {
                let (own, others) = split(rest, &row.0);
                rest = others;
                let own: Vec<Outcome> = own.iter().map(|(_, outcome)| outcome.clone()).collect();
                let tally = plan.tally(&facts(&row, plan, &own)?);
                let (category_id, channel) = (row.7.unwrap_or_default(), row.8.unwrap_or_default());
                let features = row.9.unwrap_or_default();
                visit(Seen { tally, category_id, channel, features });
            }
            after = last;
        }
    }

    /// How many customers each split gave to each arm.
    pub async fn sizes(
        &self,
        tenant: &str,
        experiment_id: &str,
    ) -> Result<Vec<(i32, Arm, u64)>, DatabaseError> {
        if let Some(found) = self.served_sums(tenant, experiment_id, "", |_| true).await? {
            let everyone = found.sums.iter().filter(|sum| sum.group == Group::EveryoneAssigned);
            return everyone
                .map(|sum| Ok((epoch(sum.epoch)?, arm(sum.is_holdout), sum.sums.sample().n)))
                .collect();
        }
        let select = Select::new(SIZES).bind(tenant).bind(experiment_id);
        let rows: Vec<(i64, bool, i64)> = select.all(&self.database).await?;
        let size = |(stored, is_holdout, n): (i64, bool, i64)| {
            Ok((epoch(stored)?, arm(is_holdout), u64::try_from(n).unwrap_or_default()))
        };
        rows.into_iter().map(size).collect()
    }

    /// Every outcome of the tenant received up to here is counted.
    pub async fn counted_through(
        &self,
        tenant: &str,
    ) -> Result<Option<DateTime<Utc>>, DatabaseError> {
        let select = Select::new(THROUGH).bind(tenant).brief();
        let through: Option<(i64,)> = select.optional(&self.database).await?;
        Ok(through.map(|(us,)| serve::from_micros(us)))
    }
}

/// A customer and one of the customer's outcomes.
pub(super) type Owned = (String, Outcome);

/// The outcomes of a customer, and those of the customers after. Both lists are in the order of
/// customers.
pub(super) fn split<'o>(outcomes: &'o [Owned], customer: &str) -> (&'o [Owned], &'o [Owned]) {
    // An outcome of a customer whose arm came in between the two statements belongs to nobody here.
    let before = outcomes.partition_point(|(of, _)| of.as_str() < customer);
    let until = outcomes.partition_point(|(of, _)| of.as_str() <= customer);
    (outcomes.get(before..until).unwrap_or_default(), outcomes.get(until..).unwrap_or_default())
}

fn facts<'f>(
    row: &'f Columns,
    plan: &Plan,
    outcomes: &'f [Outcome],
) -> Result<Facts<'f>, DatabaseError> {
    let (_, is_holdout, split, assigned_us, exposed_us, emptied_by, number_e4, ..) = row;
    let emptied_by = emptied_by.as_deref().unwrap_or_default();
    Ok(Facts {
        arm: arm(*is_holdout),
        epoch: epoch(*split)?,
        assigned_us: *assigned_us,
        exposure: exposed_us.map(|at_us| FirstExposure { at_us, emptied_by }),
        outcomes,
        imported_e4: number_e4.filter(|_| plan.imported.is_some()),
    })
}

/// A read-out of sums.
fn collected(
    metric: Metric,
    counted_through: Option<DateTime<Utc>>,
    plan: &Plan,
    sums: &[Summed],
) -> Result<Read, DatabaseError> {
    let mut counts = Counts::new(metric);
    counts.covariate = plan.covariate_name();
    let (mut assigned, mut matched) = (Vec::new(), Vec::new());
    let (mut of_assigned, mut of_matched) = (Whole::default(), Whole::default());
    for Summed { group, is_holdout, epoch: split, is_cut, sums } in sums {
        let (arm, epoch, sample) = (arm(*is_holdout), epoch(*split)?, sums.sample());
        let (population, whole) = match group {
            Group::Assigned => (Population::Assigned, &mut of_assigned),
            Group::Matched => (Population::Matched, &mut of_matched),
            Group::EveryoneAssigned => {
                of_assigned.everyone += sample.n;
                assigned.push((epoch, arm, sample.n));
                continue;
            }
            Group::EveryoneMatched => {
                of_matched.everyone += sample.n;
                matched.push((epoch, arm, sample.n));
                continue;
            }
            Group::Emptied => {
                of_matched.emptied += sample.n;
                continue;
            }
        };
        if *is_cut {
            whole.cut += sample.n;
        } else {
            whole.closed += sample.n;
            counts.add_sample(population, epoch, arm, &sample);
        }
    }
    counts.set_sizes(Population::Assigned, &assigned);
    counts.set_sizes(Population::Matched, &matched);
    counts.assigned_left_out = of_assigned.left_out();
    counts.matched_left_out = of_matched.left_out();
    Ok(Read { counts, counted_through, computed_at: None, assigned, matched })
}

/// Customers of one population, by what became of their windows.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    everyone: u64,
    closed: u64,
    cut: u64,
    emptied: u64,
}

impl Whole {
    fn left_out(self) -> LeftOut {
        let open = self.everyone.saturating_sub(self.closed + self.cut);
        LeftOut { open, cut: self.cut, emptied: self.emptied }
    }
}
