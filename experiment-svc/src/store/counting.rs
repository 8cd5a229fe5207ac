//! What each experiment counts, and which version of it is served.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use database::{Count, DatabaseError, Dialect, Select, Statement, Transaction, execute};

use super::Store;
use crate::domain::tally::Plan;

/// Plans of experiments that outcomes may still change. On PostgreSQL they cannot change until the
/// transaction ends: a new plan waits for everyone who counts by the old one, and never the other
/// way round for longer than its own short transaction.
fn open_text(dialect: Dialect, count: Count) -> String {
    let share = match dialect {
        Dialect::Postgres => " for share",
        Dialect::Sqlite => "",
    };
    format!(
        "select experiment_id, plan, version from counting
         where tenant_id = $1 and {is_one} and not is_closed order by experiment_id{share}",
        is_one = dialect.is_any("experiment_id", count, 2)
    )
}

const PUT: &str = "insert into counting
      (tenant_id, experiment_id, plan, version, changed_us, served_plan, served_version, is_closed)
    values ($1, $2, $3, 1, $4, '', 0, false)
    on conflict (tenant_id, experiment_id) do update set plan = excluded.plan,
      version = counting.version + 1, changed_us = excluded.changed_us, is_closed = false
    where counting.plan <> excluded.plan";

/// The change of a plan by the service itself, if it is still the plan that was compared: whoever
/// changes the experiment meanwhile writes the plan, and is not overwritten.
const ADOPT: &str = "update counting set plan = $4, version = version + 1, changed_us = $5,
      is_closed = false
    where tenant_id = $1 and experiment_id = $2 and version = $3";

const ADOPT_NEW: &str = "insert into counting
      (tenant_id, experiment_id, plan, version, changed_us, served_plan, served_version, is_closed)
    values ($1, $2, $3, 1, $4, '', 0, false)
    on conflict (tenant_id, experiment_id) do nothing";

const PLANS: &str = "select experiment_id, plan, version from counting where tenant_id = $1";

/// A version that was closed while it was counted is not complete.
const SERVE: &str = "update counting set served_plan = plan, served_version = version
    where tenant_id = $1 and experiment_id = $2 and version = $3 and not is_closed";

/// Counted from the beginning, as another version: whoever still counts this one skipped customers
/// while it was closed.
const REOPEN: &str = "update counting set is_closed = false, version = version + 1
    where tenant_id = $1 and experiment_id = $2 and version = $3 and is_closed
      and served_version < version";

const SERVE_EMPTY: &str = "update counting set served_plan = plan, served_version = version
    where tenant_id = $1 and experiment_id = $2 and served_version < version
      and not exists (select 1 from assignment a
        where a.tenant_id = $1 and a.experiment_id = $2)";

const STATE: &str = "select served_plan, served_version, version, changed_us from counting
    where tenant_id = $1 and experiment_id = $2";

const PENDING: &str = "select tenant_id, experiment_id, version, is_closed from counting
    where served_version < version order by tenant_id, experiment_id";

const OPEN: &str = "select c.tenant_id, c.experiment_id, c.plan, t.through_us
    from counting c left join counted_through t on t.tenant_id = c.tenant_id
    where not c.is_closed order by c.tenant_id, c.experiment_id";

const CLOSE: &str = "update counting set is_closed = true
    where tenant_id = $1 and experiment_id = $2 and plan = $3 and served_version = version";

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let open = |count| Statement::new("what experiments count", open_text(dialect, count));
    vec![
        open(Count::One),
        open(Count::Many),
        Statement::new("new plan", PUT),
        Statement::new("adopt a plan", ADOPT),
        Statement::new("adopt a new plan", ADOPT_NEW),
        Statement::new("plans of a tenant", PLANS),
        Statement::new("serve a version", SERVE),
        Statement::new("open a version that is not counted", REOPEN),
        Statement::new("serve an experiment without customers", SERVE_EMPTY)
            .scan("it looks for any customer of the experiment"),
        Statement::new("what is served", STATE),
        Statement::new("experiments to count again", PENDING),
        Statement::new("experiments that outcomes may change", OPEN),
        Statement::new("close an experiment", CLOSE),
    ]
}

/// What is served of an experiment.
#[derive(Clone, Debug)]
pub(super) struct Served {
    /// What the served sums count; none before the first count is complete.
    pub plan: Option<Plan>,
    /// Their version.
    pub version: i64,
    /// When they stopped to change, while a newer version is being counted.
    pub computed_at: Option<DateTime<Utc>>,
}

/// An experiment whose customers must be counted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its tenant.
    pub tenant: String,
    /// Its id.
    pub experiment_id: String,
    /// The version that is wanted.
    version: i64,
    /// True when it was closed before it was counted.
    is_closed: bool,
}

/// A plan as it is stored: its text and its version.
pub type StoredPlan = (String, i64);

/// An experiment that outcomes may still change.
#[derive(Clone, Debug)]
pub struct OpenExperiment {
    /// Its tenant.
    pub tenant: String,
    /// Its id.
    pub experiment_id: String,
    /// What it counts; none when another version of this service wrote it.
    pub plan: Option<Plan>,
    /// Every outcome received up to here is counted.
    pub counted_through: Option<DateTime<Utc>>,
}

/// The plans of those of these experiments that outcomes may still change, with their versions.
pub(super) async fn open_plans(
    transaction: &mut Transaction,
    tenant: &str,
    experiments: &BTreeSet<&str>,
) -> Result<BTreeMap<String, (Plan, i64)>, DatabaseError> {
    if experiments.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<&str> = experiments.iter().copied().collect();
    let text = open_text(transaction.dialect(), Count::of(ids.len()));
    let rows: Vec<(String, String, i64)> =
        Select::new(text).bind(tenant).bind_any(&ids).all(transaction).await?;
    let plan = |(id, text, version): (String, String, i64)| {
        Plan::read(&text).map(|plan| (id, (plan, version)))
    };
    Ok(rows.into_iter().filter_map(plan).collect())
}

/// Writes what an experiment counts from now on. A change makes every customer count again, unless
/// there is none yet.
pub async fn put_plan(
    transaction: &mut Transaction,
    tenant: &str,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(), DatabaseError> {
    let (text, now_us) = (plan.text(), now.timestamp_micros());
    execute!(
        &mut *transaction,
        sqlx::query(PUT).bind(tenant).bind(&plan.id).bind(&text).bind(now_us)
    )?;
    execute!(transaction, sqlx::query(SERVE_EMPTY).bind(tenant).bind(&plan.id)).map(drop)
}

/// Serves a version that is counted, unless a newer one is wanted by now or it was closed before
/// the end of the count.
pub(super) async fn serve(
    transaction: &mut Transaction,
    tenant: &str,
    (experiment_id, version): (&str, i64),
) -> Result<bool, DatabaseError> {
    let done =
        execute!(transaction, sqlx::query(SERVE).bind(tenant).bind(experiment_id).bind(version))?;
    Ok(done.rows == 1)
}

impl Store {
    /// What the experiments of a tenant count, by id.
    pub async fn plans(&self, tenant: &str) -> Result<BTreeMap<String, StoredPlan>, DatabaseError> {
        let rows: Vec<(String, String, i64)> =
            Select::new(PLANS).bind(tenant).all(&self.database).await?;
        Ok(rows.into_iter().map(|(id, plan, version)| (id, (plan, version))).collect())
    }

    /// Writes what an experiment counts, outside of a change of the experiment. `seen` was read
    /// before the experiment was: if it has changed by now, the other writer knows better.
    pub async fn adopt(
        &self,
        tenant: &str,
        plan: &Plan,
        seen: Option<&StoredPlan>,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseError> {
        let (text, now_us) = (plan.text(), now.timestamp_micros());
        if seen.is_some_and(|(stored, _)| *stored == text) {
            return Ok(());
        }
        let mut transaction = self.database.begin().await?;
        match seen {
            None => {
                execute!(
                    &mut transaction,
                    sqlx::query(ADOPT_NEW).bind(tenant).bind(&plan.id).bind(&text).bind(now_us)
                )?;
            }
            Some((_, version)) => {
                execute!(
                    &mut transaction,
                    sqlx::query(ADOPT)
                        .bind(tenant)
                        .bind(&plan.id)
                        .bind(*version)
                        .bind(&text)
                        .bind(now_us)
                )?;
            }
        }
        execute!(&mut transaction, sqlx::query(SERVE_EMPTY).bind(tenant).bind(&plan.id))?;
        transaction.commit().await
    }

    pub(super) async fn served(
        &self,
        tenant: &str,
        experiment_id: &str,
    ) -> Result<Option<Served>, DatabaseError> {
        let select = Select::new(STATE).bind(tenant).bind(experiment_id).brief();
        let row: Option<(String, i64, i64, i64)> = select.optional(&self.database).await?;
        Ok(row.map(|(plan, version, wanted, changed_us)| Served {
            plan: Plan::read(&plan),
            version,
            computed_at: (version < wanted).then(|| serve::from_micros(changed_us)),
        }))
    }

    /// Experiments whose customers must be counted again.
    pub async fn pending(&self) -> Result<Vec<Pending>, DatabaseError> {
        let rows: Vec<(String, String, i64, bool)> =
            Select::new(PENDING).all(&self.database).await?;
        let pending = |(tenant, experiment_id, version, is_closed)| Pending {
            tenant,
            experiment_id,
            version,
            is_closed,
        };
        Ok(rows.into_iter().map(pending).collect())
    }

    /// The version to count: a closed one is opened again first. None when another writer has
    /// changed it by now.
    pub(super) async fn opened(&self, pending: &Pending) -> Result<Option<i64>, DatabaseError> {
        let Pending { tenant, experiment_id, version, is_closed } = pending;
        if !is_closed {
            return Ok(Some(*version));
        }
        let mut transaction = self.database.begin().await?;
        let done = execute!(
            &mut transaction,
            sqlx::query(REOPEN).bind(tenant).bind(experiment_id).bind(*version)
        )?;
        transaction.commit().await?;
        Ok((done.rows == 1).then_some(version + 1))
    }

    /// Experiments that outcomes may still change.
    pub async fn open_experiments(&self) -> Result<Vec<OpenExperiment>, DatabaseError> {
        let rows: Vec<(String, String, String, Option<i64>)> =
            Select::new(OPEN).all(&self.database).await?;
        let open =
            |(tenant, experiment_id, plan, through): (String, String, String, Option<i64>)| {
                OpenExperiment {
                    tenant,
                    experiment_id,
                    plan: Plan::read(&plan),
                    counted_through: through.map(serve::from_micros),
                }
            };
        Ok(rows.into_iter().map(open).collect())
    }

    /// No outcome changes the experiment any more, if its plan is still this one and every customer
    /// is counted by it.
    pub async fn close(&self, tenant: &str, plan: &Plan) -> Result<(), DatabaseError> {
        let text = plan.text();
        let mut transaction = self.database.begin().await?;
        execute!(&mut transaction, sqlx::query(CLOSE).bind(tenant).bind(&plan.id).bind(&text))?;
        transaction.commit().await
    }
}
