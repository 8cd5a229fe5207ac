//! SQL of customers' arms: the first decision writes one, none changes it.

use database::{DatabaseError, Statement, Transaction, execute, within};

use super::new_decision::NewDecision;
use crate::domain::assignment::Arm;

/// What became of an arm.
pub(super) enum StoredArm {
    /// It is the customer's first.
    New,
    /// It was stored before.
    Same,
    /// Another one was stored before.
    Other(Arm),
}

type ArmColumns = (String, bool, i32, i64, Option<i64>);

const INSERT: &str = "insert into first_arm
      (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us, exposed_us)
    values ($1, $2, $3, $4, $5, $6, null)
    on conflict (tenant_id, customer_id, experiment_id) do nothing";

const READ: &str = "select experiment_id, is_holdout, epoch, assigned_us, exposed_us from first_arm
    where tenant_id = $1 and customer_id = $2 and experiment_id = $3";

const EXPOSE: &str = "update first_arm set exposed_us = $4
    where tenant_id = $1 and customer_id = $2 and experiment_id = $3";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("new arm", INSERT),
        Statement::new("arm of a customer", READ),
        Statement::new("first exposure of a customer", EXPOSE),
    ]
}

/// Stores an arm of a decision, or the first exposure under it.
pub(super) async fn store(
    transaction: &mut Transaction,
    decision: &NewDecision,
    arm: &Arm,
) -> Result<StoredArm, DatabaseError> {
    let NewDecision { tenant, customer_id, exposed_us, .. } = decision;
    let inserted = execute!(
        &mut *transaction,
        sqlx::query(INSERT)
            .bind(tenant)
            .bind(customer_id)
            .bind(&arm.experiment_id)
            .bind(arm.is_holdout)
            .bind(arm.epoch)
            .bind(arm.assigned_us)
    )?;
    let stored: ArmColumns = within!(&mut *transaction, connection =>
            sqlx::query_as(READ)
                .bind(tenant)
                .bind(customer_id)
                .bind(&arm.experiment_id)
                .fetch_one(connection))?;
    let (experiment_id, is_holdout, epoch, assigned_us, stored_exposed_us) = stored;
    if is_holdout != arm.is_holdout {
        let exposed_us = stored_exposed_us;
        return Ok(StoredArm::Other(Arm {
            experiment_id,
            is_holdout,
            epoch,
            assigned_us,
            exposed_us,
        }));
    }
    if exposed_us.is_some() && stored_exposed_us.is_none() {
        execute!(
            transaction,
            sqlx::query(EXPOSE)
                .bind(tenant)
                .bind(customer_id)
                .bind(&arm.experiment_id)
                .bind(exposed_us)
        )?;
    }
    Ok(if inserted.rows > 0 { StoredArm::New } else { StoredArm::Same })
}
