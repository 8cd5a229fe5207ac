//! Computes what customers add to the sums from their rows, and writes what changed.

use std::collections::{BTreeMap, BTreeSet};

use database::{Columns, DatabaseError, Dialect, Kind, Rows, Statement, Transaction};

use super::{
    arm::{arm, epoch},
    counting, customer, listed,
    put::{put, read},
    sums,
};
use crate::domain::tally::{Changes, Facts, FirstExposure, Outcome, Plan, Tally};

const SINCE: Columns =
    &[("number", Kind::Integer), ("customer_id", Kind::Text), ("since_us", Kind::Integer)];
const TALLY: Columns = &[
    ("number", Kind::Integer),
    ("customer_id", Kind::Text),
    ("experiment_id", Kind::Text),
    ("version", Kind::Integer),
    ("tally", Kind::Text),
];

texts!(ARMS, customer::CUSTOMER, |rows| {
    "select a.customer_id, a.experiment_id, a.is_holdout, a.epoch, a.assigned_us
     from {rows} asked cross join assignment a
     where a.tenant_id = $1 and a.customer_id = asked.customer_id"
});
texts!(EXPOSURES, customer::CUSTOMER, |rows| {
    "select e.customer_id, e.experiment_id, e.exposed_us, e.emptied_by
     from {rows} asked cross join exposure e
     where e.tenant_id = $1 and e.customer_id = asked.customer_id"
});
texts!(COVARIATES, customer::CUSTOMER, |rows| {
    "select c.customer_id, c.experiment_id, c.number_e4
     from {rows} asked cross join covariate c
     where c.tenant_id = $1 and c.customer_id = asked.customer_id"
});
texts!(TALLIES, customer::CUSTOMER, |rows| {
    "select t.customer_id, t.experiment_id, t.version, t.tally
     from {rows} asked cross join tally t
     where t.tenant_id = $1 and t.customer_id = asked.customer_id"
});
texts!(OUTCOMES, SINCE, |rows| {
    "select {OUTCOME}
     from {rows} asked cross join outcome o
     where o.tenant_id = $1 and o.customer_id = asked.customer_id
       and +o.occurred_us >= asked.since_us"
});
texts!(PUT_TALLY, TALLY, |rows| {
    "insert into tally (tenant_id, customer_id, experiment_id, version, tally)
     select $1, customer_id, experiment_id, version, tally
     from {rows} asked where true order by number
     on conflict (tenant_id, customer_id, experiment_id) do update set
       version = excluded.version, tally = excluded.tally"
});

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let all = [
        listed("arms of customers", &ARMS, dialect),
        listed("exposures of customers", &EXPOSURES, dialect),
        listed("covariates of customers", &COVARIATES, dialect),
        listed("tallies of customers", &TALLIES, dialect),
        listed("outcomes of customers", &OUTCOMES, dialect),
        listed("new tallies", &PUT_TALLY, dialect),
    ];
    all.concat()
}

/// Customer and experiment.
type Key = (String, String);

/// What is read of an outcome `o`: [`OutcomeColumns`]. Statements that compare its instant write
/// `+o.occurred_us`: otherwise SQLite takes the index on instants, and reads the outcomes of all
/// customers for each one.
pub(super) const OUTCOME: &str =
    "o.customer_id, o.outcome_key, o.is_positive, o.value_e4, o.is_zero,
    o.occurred_us, o.received_us";

/// Customer, key, positive, value, zero, occurred, received.
pub(super) type OutcomeColumns = (String, String, bool, i64, bool, i64, i64);

#[derive(Debug)]
struct ArmOf {
    is_holdout: bool,
    epoch: i64,
    assigned_us: i64,
}

/// What some customers add to the sums, by their rows and by their tallies.
#[derive(Debug)]
pub(super) struct Recount<'a> {
    tenant: &'a str,
    /// Of the experiments that count.
    plans: BTreeMap<String, (Plan, i64)>,
    arms: BTreeMap<Key, ArmOf>,
    exposures: BTreeMap<Key, (i64, String)>,
    covariates: BTreeMap<Key, Option<i64>>,
    outcomes: BTreeMap<String, Vec<Outcome>>,
    tallies: BTreeMap<Key, (i64, String)>,
}

impl<'a> Recount<'a> {
    /// Reads the rows of customers who are locked.
    pub(super) async fn of(
        transaction: &mut Transaction,
        tenant: &'a str,
        customers: &BTreeSet<&str>,
    ) -> Result<Self, DatabaseError> {
        let asked = customer::rows(customers);
        let arms: Vec<(String, String, bool, i64, i64)> =
            read(transaction, tenant, &ARMS, &asked).await?;
        let arms =
            arms.into_iter().map(|(customer, experiment, is_holdout, epoch, assigned_us)| {
                ((customer, experiment), ArmOf { is_holdout, epoch, assigned_us })
            });
        let mut recount = Self {
            tenant,
            plans: BTreeMap::new(),
            arms: arms.collect(),
            exposures: BTreeMap::new(),
            covariates: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            tallies: BTreeMap::new(),
        };
        let experiments: BTreeSet<&str> =
            recount.arms.keys().map(|(_, experiment)| experiment.as_str()).collect();
        recount.plans = counting::open_plans(transaction, tenant, &experiments).await?;
        if !recount.plans.is_empty() {
            recount.read_rest(transaction).await?;
        }
        Ok(recount)
    }

    /// Reads what is needed of the customers with an arm in an experiment that counts.
    async fn read_rest(&mut self, transaction: &mut Transaction) -> Result<(), DatabaseError> {
        let tenant = self.tenant;
        let is_counted = |(_, experiment): &&Key| self.plans.contains_key(experiment);
        let counted = self.arms.keys().filter(is_counted).map(|(customer, _)| customer.as_str());
        let asked = customer::rows(&counted.collect());
        let exposures: Vec<(String, String, i64, String)> =
            read(transaction, tenant, &EXPOSURES, &asked).await?;
        let pair = |(customer, experiment, one, two)| ((customer, experiment), (one, two));
        self.exposures = exposures.into_iter().map(pair).collect();
        let mut since: BTreeMap<&str, i64> = BTreeMap::new();
        for (key, arm) in &self.arms {
            let Some((plan, _)) = self.plans.get(&key.1) else { continue };
            let exposed = self.exposures.get(key).map_or(arm.assigned_us, |(at_us, _)| *at_us);
            let from = arm.assigned_us.min(exposed);
            let from = from.saturating_sub(plan.look_back_us.unwrap_or_default());
            let earliest = since.entry(&key.0).or_insert(from);
            *earliest = from.min(*earliest);
        }
        let tallies: Vec<(String, String, i64, String)> =
            read(transaction, tenant, &TALLIES, &asked).await?;
        let mut covariates: Vec<(String, String, Option<i64>)> = Vec::new();
        if self.plans.values().any(|(plan, _)| plan.imported.is_some()) {
            covariates = read(transaction, tenant, &COVARIATES, &asked).await?;
        }
        let mut rows = Rows::new(SINCE);
        for (number, (customer, since_us)) in since.iter().enumerate() {
            rows.push([number.into(), (*customer).into(), (*since_us).into()]);
        }
        let found: Vec<OutcomeColumns> = read(transaction, tenant, &OUTCOMES, &rows).await?;
        let mut outcomes: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        for row in found {
            let (customer, outcome) = outcome(row);
            outcomes.entry(customer).or_default().push(outcome);
        }
        self.tallies = tallies
            .into_iter()
            .map(|(customer, experiment, version, text)| ((customer, experiment), (version, text)))
            .collect();
        self.covariates = covariates
            .into_iter()
            .map(|(customer, experiment, number)| ((customer, experiment), number))
            .collect();
        self.outcomes = outcomes;
        Ok(())
    }

    /// The stored arm of a customer, and when it was drawn.
    pub(super) fn arm(&self, customer_id: &str, experiment_id: &str) -> Option<(bool, i64)> {
        let arm = self.arms.get(&(customer_id.to_owned(), experiment_id.to_owned()))?;
        Some((arm.is_holdout, arm.assigned_us))
    }

    /// Writes the tallies that changed, and adds the change to the sums.
    pub(super) async fn write(&self, transaction: &mut Transaction) -> Result<(), DatabaseError> {
        let mut written: Vec<(&Key, i64, String)> = Vec::new();
        let mut changes: BTreeMap<(&str, i64), Changes> = BTreeMap::new();
        for (key, arm) in &self.arms {
            let Some((plan, version)) = self.plans.get(&key.1) else { continue };
            let tally = plan.tally(&self.facts(key, plan, arm)?);
            let (text, stored) = (tally.text(), self.tallies.get(key));
            if stored.is_some_and(|(then, stored)| then == version && *stored == text) {
                continue;
            }
            let changed = changes.entry((key.1.as_str(), *version)).or_default();
            plan.change(changed, &tally, 1);
            // A tally of an earlier version stays in the sums of that version.
            if let Some((_, stored)) = stored.filter(|(then, _)| then == version) {
                let stored = Tally::read(stored)
                    .ok_or_else(|| DatabaseError::Corrupt(format!("tally `{stored}`")))?;
                plan.change(changed, &stored, -1);
            }
            written.push((key, *version, text));
        }
        let mut rows = Rows::new(TALLY);
        for (number, ((customer, experiment), version, text)) in written.iter().enumerate() {
            let experiment = experiment.as_str();
            rows.push([
                number.into(),
                customer.as_str().into(),
                experiment.into(),
                (*version).into(),
                text.as_str().into(),
            ]);
        }
        put(transaction, self.tenant, &PUT_TALLY, &rows).await?;
        sums::add(transaction, self.tenant, &changes).await
    }

    fn facts<'f>(
        &'f self,
        key: &Key,
        plan: &Plan,
        found: &ArmOf,
    ) -> Result<Facts<'f>, DatabaseError> {
        let exposure = self.exposures.get(key);
        let imported = self.covariates.get(key).filter(|_| plan.imported.is_some());
        Ok(Facts {
            arm: arm(found.is_holdout),
            epoch: epoch(found.epoch)?,
            assigned_us: found.assigned_us,
            exposure: exposure
                .map(|(at_us, emptied_by)| FirstExposure { at_us: *at_us, emptied_by }),
            outcomes: self.outcomes.get(&key.0).map(Vec::as_slice).unwrap_or_default(),
            imported_e4: imported.copied().flatten(),
        })
    }
}

/// A zero is a value where the sender said so.
pub(super) fn outcome(row: OutcomeColumns) -> (String, Outcome) {
    let (customer, key, is_positive, value_e4, is_zero, occurred_us, received_us) = row;
    let value_e4 = (value_e4 != 0 || is_zero).then_some(value_e4);
    (customer, Outcome { key, is_positive, value_e4, occurred_us, received_us })
}
