//! Writes the arms of external experiments.

use std::collections::{BTreeMap, BTreeSet};

use database::{Columns, DatabaseError, Dialect, Kind, Rows, Statement};

use super::{
    Store, customer,
    ledger::{Assignment, put_assignments},
    listed,
    put::{put, read},
    recount::Recount,
};

/// The arm of a customer, drawn elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedArm {
    /// The arm.
    pub assignment: Assignment,
    /// What was known of the customer before, as the caller wrote it.
    pub covariates: Vec<u8>,
    /// The covariate that the experiment names, in 1/10,000.
    pub number_e4: Option<i64>,
}

/// Why an arm is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    /// The customer has the other arm.
    Arm,
    /// The customer was assigned at another instant.
    Instant,
    /// The customer has other covariates.
    Covariates,
}

const COVARIATE: Columns = &[
    ("number", Kind::Integer),
    ("customer_id", Kind::Text),
    ("experiment_id", Kind::Text),
    ("covariates", Kind::Bytes),
    ("number_e4", Kind::Integer),
];

texts!(INSERT, COVARIATE, |rows| {
    "insert into covariate (tenant_id, customer_id, experiment_id, covariates, number_e4)
     select $1, customer_id, experiment_id, covariates, number_e4
     from {rows} asked where true order by number
     on conflict (tenant_id, customer_id, experiment_id) do nothing"
});
texts!(STORED, customer::CUSTOMER, |rows| {
    "select c.customer_id, c.experiment_id, c.covariates
     from {rows} asked cross join covariate c
     where c.tenant_id = $1 and c.customer_id = asked.customer_id"
});

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let all = [
        listed("new covariates", &INSERT, dialect),
        listed("stored covariates of customers", &STORED, dialect),
    ];
    all.concat()
}

impl Store {
    /// Stores arms of one experiment, and says of each what differs from the stored one. What
    /// differs is not stored.
    pub async fn import(
        &self,
        tenant: &str,
        experiment_id: &str,
        arms: &[ImportedArm],
    ) -> Result<Vec<Option<Differs>>, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let customers: BTreeSet<&str> =
            arms.iter().map(|arm| arm.assignment.customer_id.as_str()).collect();
        customer::lock(&mut transaction, tenant, &customers).await?;
        let assignments: Vec<Assignment> = arms.iter().map(|arm| arm.assignment.clone()).collect();
        put_assignments(&mut transaction, tenant, &assignments).await?;
        let mut rows = Rows::new(COVARIATE);
        for (number, arm) in arms.iter().enumerate() {
            rows.push([
                number.into(),
                (&arm.assignment.customer_id).into(),
                experiment_id.into(),
                arm.covariates.as_slice().into(),
                arm.number_e4.into(),
            ]);
        }
        put(&mut transaction, tenant, &INSERT, &rows).await?;
        let asked = customer::rows(&customers);
        let stored: Vec<(String, String, Vec<u8>)> =
            read(&mut transaction, tenant, &STORED, &asked).await?;
        let covariates: BTreeMap<String, Vec<u8>> = stored
            .into_iter()
            .filter(|(_, experiment, _)| experiment == experiment_id)
            .map(|(customer, _, covariates)| (customer, covariates))
            .collect();
        let recount = Recount::of(&mut transaction, tenant, &customers).await?;
        recount.write(&mut transaction).await?;
        let differs = arms.iter().map(|arm| differs(&recount, &covariates, arm)).collect();
        transaction.commit().await?;
        Ok(differs)
    }
}

/// What of an arm is not as it is stored. A row that differs was not written: the first one stays.
fn differs(
    recount: &Recount<'_>,
    covariates: &BTreeMap<String, Vec<u8>>,
    arm: &ImportedArm,
) -> Option<Differs> {
    let assignment = &arm.assignment;
    let (is_holdout, assigned_us) =
        recount.arm(&assignment.customer_id, &assignment.experiment_id)?;
    if is_holdout != assignment.is_holdout {
        Some(Differs::Arm)
    } else if assigned_us != assignment.assigned_at.timestamp_micros() {
        Some(Differs::Instant)
    } else if covariates.get(&assignment.customer_id) != Some(&arm.covariates) {
        Some(Differs::Covariates)
    } else {
        None
    }
}
