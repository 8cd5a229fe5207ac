//! The sums over customers: changed by writers, read by read-outs.

use std::{collections::BTreeMap, hash::BuildHasher as _, sync::LazyLock};

use database::{
    Columns, Count, DatabaseError, Dialect, Kind, Rows, Select, Statement, Texts, Transaction,
    execute,
};

use sqlx::AssertSqlSafe;

use super::{Store, arm::epoch, listed, put::put};
use crate::domain::tally::{ALWAYS, Changes, Group, NEVER, Place, Sums};

/// Writers at once that do not wait for each other, if they are lucky.
const SHARDS: u64 = 8;

/// The numbers of [`Sums::numbers`] by their columns.
const NUMBERS: [&str; 24] = [
    "n", "events", "buyers", "beyond", "x0", "x1", "x2", "x3", "xx0", "xx1", "xx2", "xx3", "y0",
    "y1", "y2", "y3", "yy0", "yy1", "yy2", "yy3", "xy0", "xy1", "xy2", "xy3",
];

const KEY: [(&str, Kind); 9] = [
    ("number", Kind::Integer),
    ("experiment_id", Kind::Text),
    ("version", Kind::Integer),
    ("metric", Kind::Text),
    ("hour", Kind::Integer),
    ("population", Kind::Integer),
    ("is_holdout", Kind::Boolean),
    ("epoch", Kind::Integer),
    ("shard", Kind::Integer),
];

static COLUMNS: LazyLock<Vec<(&'static str, Kind)>> = LazyLock::new(|| {
    let numbers = NUMBERS.map(|name| (name, Kind::Integer));
    KEY.into_iter().chain(numbers).collect()
});

static ADD: LazyLock<Texts> = LazyLock::new(|| Texts::new(add_text));

fn columns() -> Columns {
    COLUMNS.as_slice()
}

fn add_text(dialect: Dialect, count: Count) -> String {
    let names: Vec<_> = columns().iter().skip(1).map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let changed = NUMBERS.map(|name| format!("{name} = tally_sum.{name} + excluded.{name}"));
    format!(
        "insert into tally_sum (tenant_id, {names})
         select $1, {names} from {rows} asked where true order by number
         on conflict (tenant_id, experiment_id, version, metric, hour, population, is_holdout,
           epoch, shard)
         do update set {changed}",
        rows = dialect.table(columns(), count, 2),
        changed = changed.join(", ")
    )
}

/// The sums of a metric over the windows that have closed, over those that never close, and of the
/// customers who are only counted.
static READ: LazyLock<String> = LazyLock::new(|| {
    let sums = NUMBERS.map(|name| format!("cast(sum({name}) as text)")).join(" || ' ' || ");
    format!(
        "select population, is_holdout, epoch, {cut},
           {sums}
         from tally_sum
         where tenant_id = $1 and experiment_id = $2 and version = $3
           and (metric = $4 and hour <= $5 or metric = $4 and hour = {NEVER} or metric = '')
         group by population, is_holdout, epoch, {cut}",
        cut = format_args!("cast(case when hour = {NEVER} then 1 else 0 end as bigint)")
    )
});

/// Sums of windows that have closed, a page.
static CLOSED: LazyLock<String> = LazyLock::new(|| {
    let numbers = NUMBERS.map(|name| format!("cast({name} as text)")).join(" || ' ' || ");
    format!(
        "select metric, hour, population, is_holdout, epoch, shard, {numbers} from tally_sum
         where tenant_id = $1 and experiment_id = $2 and version = $3
           and hour > {ALWAYS} and hour <= $4
         order by metric, hour, population, is_holdout, epoch, shard limit $5 + 0"
    )
});

/// Rows of which nothing is left.
static EMPTY: LazyLock<String> = LazyLock::new(|| {
    let zero = NUMBERS.map(|name| format!("{name} = 0")).join(" and ");
    format!(
        "delete from tally_sum where tenant_id = $1 and experiment_id = $2 and version = $3
           and hour > {ALWAYS} and hour <= $4 and {zero}"
    )
});

/// Rows that are folded in one transaction.
const FOLDED: i64 = 1_000;

const FORGET: &str =
    "delete from tally_sum where tenant_id = $1 and experiment_id = $2 and version < $3";

pub(super) fn statements(dialect: Dialect) -> Vec<Statement> {
    let mut all = listed("change of sums", &ADD, dialect);
    all.push(Statement::new("sums of an experiment", READ.as_str()));
    all.push(Statement::new("sums of closed windows", CLOSED.as_str()));
    all.push(Statement::new("empty sums", EMPTY.as_str()));
    all.push(Statement::new("sums that are no longer served", FORGET));
    all
}

/// Adds changes, by experiment and version. Rows are taken in the order of their keys.
pub(super) async fn add(
    transaction: &mut Transaction,
    tenant: &str,
    changes: &BTreeMap<(&str, i64), Changes>,
) -> Result<(), DatabaseError> {
    let shard = shard();
    let all = changes.iter().flat_map(|((experiment, version), changes)| {
        let of = (*experiment, *version);
        changes.iter().map(move |(place, sums)| (of, place, shard, sums))
    });
    add_all(transaction, tenant, all.collect()).await
}

/// Adds to sums, each given by experiment and version, place and shard.
async fn add_all(
    transaction: &mut Transaction,
    tenant: &str,
    all: Vec<((&str, i64), &Place, i64, &Sums)>,
) -> Result<(), DatabaseError> {
    let mut rows = Rows::new(columns());
    let all = all.into_iter().filter(|(.., sums)| !sums.is_zero());
    for (number, ((experiment, version), place, shard, sums)) in all.enumerate() {
        let key = [
            number.into(),
            experiment.into(),
            version.into(),
            (&place.metric).into(),
            place.hour.into(),
            place.group.number().into(),
            place.is_holdout.into(),
            i64::from(place.epoch).into(),
            shard.into(),
        ];
        rows.push(key.into_iter().chain(sums.numbers().into_iter().map(Into::into)));
    }
    put(transaction, tenant, &ADD, &rows).await.map(drop)
}

/// Any shard: the sum over all of them is what counts.
fn shard() -> i64 {
    let random = std::hash::RandomState::new().hash_one(());
    i64::try_from(random % SHARDS).unwrap_or_default()
}

/// One sum of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summed {
    /// Whom it is over.
    pub group: Group,
    /// True for the holdout.
    pub is_holdout: bool,
    /// The split.
    pub epoch: i64,
    /// True for windows that never close.
    pub is_cut: bool,
    /// The sums.
    pub sums: Sums,
}

impl Store {
    /// The sums of one version over the windows that closed by `hour`, in hours since 1970.
    pub(super) async fn sums(
        &self,
        tenant: &str,
        (experiment_id, version): (&str, i64),
        metric: &str,
        hour: Option<i64>,
    ) -> Result<Vec<Summed>, DatabaseError> {
        let hour = hour.unwrap_or(ALWAYS).clamp(ALWAYS, NEVER - 1);
        let select = Select::new(READ.as_str())
            .bind(tenant)
            .bind(experiment_id)
            .bind(version)
            .bind(metric)
            .bind(hour);
        let rows: Vec<(i64, bool, i64, i64, String)> = select.all(&self.database).await?;
        let summed = |(group, is_holdout, epoch, cut, numbers): (i64, bool, i64, i64, String)| {
            let (group, sums) = group_and_sums(group, &numbers)?;
            Ok(Summed { group, is_holdout, epoch, is_cut: cut == 1, sums })
        };
        rows.into_iter().map(summed).collect()
    }
}

impl Store {
    /// Moves the sums of windows that closed by `hour` to one place, so that a read-out adds few
    /// rows however many hours have closed. What arrives for such a window later makes a row again.
    /// Everything is an addition, so other writers lose nothing and count nothing twice.
    pub async fn fold(
        &self,
        tenant: &str,
        experiment_id: &str,
        hour: i64,
    ) -> Result<u64, DatabaseError> {
        let Some(served) = self.served(tenant, experiment_id).await? else { return Ok(0) };
        let (of, mut folded) = ((experiment_id, served.version), 0);
        loop {
            let mut transaction = self.database.begin().await?;
            let select = Select::new(CLOSED.as_str()).bind(tenant).bind(experiment_id);
            let rows: Vec<ClosedColumns> =
                select.bind(served.version).bind(hour).bind(FOLDED).all(&mut transaction).await?;
            let found: Vec<_> = rows.into_iter().map(closed).collect::<Result<_, _>>()?;
            let (mut moved, mut emptied) = (Changes::new(), Vec::new());
            for (place, shard, sums) in &found {
                let always = Place { hour: ALWAYS, ..place.clone() };
                moved.entry(always).or_default().add(sums, 1);
                let mut negative = Sums::default();
                negative.add(sums, -1);
                emptied.push((place, *shard, negative));
            }
            let added = moved.iter().map(|(place, sums)| (of, place, 0, sums));
            let taken = emptied.iter().map(|(place, shard, sums)| (of, *place, *shard, sums));
            let mut all: Vec<_> = added.chain(taken).collect();
            // In the order in which every writer takes them.
            all.sort_by_key(|(_, place, shard, _)| ((*place).clone(), *shard));
            add_all(&mut transaction, tenant, all).await?;
            let query = AssertSqlSafe(EMPTY.as_str());
            let done = execute!(
                &mut transaction,
                sqlx::query(query).bind(tenant).bind(experiment_id).bind(served.version).bind(hour)
            )?;
            transaction.commit().await?;
            folded += done.rows;
            if (found.len() as i64) < FOLDED {
                return Ok(folded);
            }
        }
    }
}

/// Metric, hour, population, arm, split, shard, numbers.
type ClosedColumns = (String, i64, i64, bool, i64, i64, String);

fn closed(row: ClosedColumns) -> Result<(Place, i64, Sums), DatabaseError> {
    let (metric, hour, group, is_holdout, split, shard, text) = row;
    let (group, sums) = group_and_sums(group, &text)?;
    let epoch = epoch(split)?;
    Ok((Place { metric, hour, group, is_holdout, epoch }, shard, sums))
}

fn group_and_sums(group: i64, text: &str) -> Result<(Group, Sums), DatabaseError> {
    let numbers: Option<Vec<i64>> = text.split(' ').map(|number| number.parse().ok()).collect();
    let found = Group::of(group).zip(numbers.as_deref().and_then(Sums::read));
    found.ok_or_else(|| DatabaseError::Corrupt(format!("sums `{text}`")))
}

/// Forgets the sums of versions before `version`.
pub(super) async fn forget(
    transaction: &mut Transaction,
    tenant: &str,
    (experiment_id, version): (&str, i64),
) -> Result<(), DatabaseError> {
    execute!(transaction, sqlx::query(FORGET).bind(tenant).bind(experiment_id).bind(version))
        .map(drop)
}
