//! SQL of customers' arms: the first decision writes one, none changes it. The first decision that
//! returned an offer, or would have, notes when.

use database::{DatabaseError, Statement, Transaction, execute, within};

use super::new_decision::NewDecision;
use crate::domain::assignment::Arm;

/// What became of an arm that a decision draws.
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
    where tenant_id = $1 and customer_id = $2 and experiment_id = $3 and exposed_us is null";

pub(super) fn statements() -> Vec<Statement> {
    vec![
        Statement::new("new arm", INSERT),
        Statement::new("arm of a customer", READ),
        Statement::new("first exposure of a customer", EXPOSE),
    ]
}

/// Stores an arm that a decision draws. One of another split is another arm: the record and the
/// exposure name the split.
pub(super) async fn store(
    transaction: &mut Transaction,
    NewDecision { tenant, customer_id, .. }: &NewDecision,
    arm: &Arm,
) -> Result<StoredArm, DatabaseError> {
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
    if inserted.rows > 0 {
        return Ok(StoredArm::New);
    }
    let stored: ArmColumns = within!(&mut *transaction, connection =>
            sqlx::query_as(READ)
                .bind(tenant)
                .bind(customer_id)
                .bind(&arm.experiment_id)
                .fetch_one(connection))?;
    let (experiment_id, is_holdout, epoch, assigned_us, exposed_us) = stored;
    if (is_holdout, epoch) == (arm.is_holdout, arm.epoch) {
        return Ok(StoredArm::Same);
    }
    Ok(StoredArm::Other(Arm { experiment_id, is_holdout, epoch, assigned_us, exposed_us }))
}

/// Notes the first exposure of a customer with this arm; false when there was one before. The lock
/// of the customer's row is held, so of two decisions one is the first.
pub(super) async fn expose(
    transaction: &mut Transaction,
    NewDecision { tenant, customer_id, decided_us, .. }: &NewDecision,
    arm: &Arm,
) -> Result<bool, DatabaseError> {
    let exposed = execute!(
        transaction,
        sqlx::query(EXPOSE)
            .bind(tenant)
            .bind(customer_id)
            .bind(&arm.experiment_id)
            .bind(*decided_us)
    )?;
    Ok(exposed.rows > 0)
}
