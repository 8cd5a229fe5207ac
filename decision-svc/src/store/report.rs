//! SQL of reports: the rows that are counted, the counts, and how far they are counted.

use std::collections::BTreeMap;

use database::{DatabaseError, Select, Statement, Transaction, execute};

use super::Store;
use crate::domain::report::cell::{Cell, Counted};

/// Rows that are counted, and up to which instant of receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountedRows {
    /// Outcomes.
    Outcomes,
    /// Decisions.
    Decisions,
}

impl CountedRows {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Outcomes => "outcomes",
            Self::Decisions => "decisions",
        }
    }
}

/// How far rows are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportPosition {
    /// The instant, in microseconds since 1970.
    pub through_us: i64,
    /// Another number after a process has started.
    pub epoch: i64,
}

/// An outcome to be counted.
#[derive(Clone, Debug)]
pub struct CountedOutcome {
    /// The tenant.
    pub tenant: String,
    /// The customer.
    pub customer_id: String,
    /// Key of its type.
    pub outcome_key: String,
    /// The decision it names; empty without.
    pub decision_id: String,
    /// When it happened, in microseconds since 1970.
    pub occurred_us: i64,
    /// Its value in 1/10,000; none without one.
    pub value_e4: Option<i64>,
    /// The report and what it meant, encoded.
    pub record: Vec<u8>,
}

/// A decision to be counted.
#[derive(Clone, Debug)]
pub struct CountedDecision {
    /// Id of its flow.
    pub flow_id: String,
    /// Its reason code as a word; empty without.
    pub reason: String,
    /// When it was made, in microseconds since 1970.
    pub decided_us: i64,
    /// The record, encoded.
    pub record: Vec<u8>,
}

/// The counts of a day for some cells.
#[derive(Clone, Debug)]
pub struct DayRow {
    /// The day, counted from 1970.
    pub day: i64,
    /// The number of the chunk.
    pub chunk: i64,
    /// The counts, encoded.
    pub counts: Vec<u8>,
}

/// The zone in which days of a tenant are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportZone {
    /// IANA name.
    pub time_zone: String,
    /// From this instant of receipt on, in microseconds since 1970; 0 from the beginning.
    pub since_us: i64,
}

const POSITIONS: &str = "select source, through_us, epoch from report_position order by source";

const ADVANCE: &str = "update report_position set through_us = $4
    where source = $1 and through_us = $2 and epoch = $3";

const JOIN: &str = "update report_position set epoch = epoch + 1";

const OUTCOMES: &str = "select tenant_id, customer_id, outcome_key, decision_id, occurred_us,
      value_e4, record
    from outcome where received_us > $1 and received_us <= $2 limit $3 + 0";

const DECISIONS: &str = "select flow_id, reason, decided_us, record from decision
    where tenant_id = $1 and decided_us > $2 and decided_us <= $3 limit $4 + 0";

const CELLS: &str = "select cell, flow_id, offer_id, category_id, channel, what from report_cell
    where tenant_id = $1 and counted = $2 and cell >= $3 order by cell";

const NEW_CELL: &str = "insert into report_cell
      (tenant_id, counted, cell, flow_id, offer_id, category_id, channel, what)
    values ($1, $2, $3, $4, $5, $6, $7, $8)";

const CHUNK: &str = "select counts from report_day
    where tenant_id = $1 and counted = $2 and day = $3 and chunk = $4";

const PUT_CHUNK: &str = "insert into report_day (tenant_id, counted, day, chunk, counts)
    values ($1, $2, $3, $4, $5)
    on conflict (tenant_id, counted, day, chunk) do update set counts = excluded.counts";

const DAYS: &str = "select day, chunk, counts from report_day
    where tenant_id = $1 and counted = $2 and day <= $5
      and (day > $3 or (day = $3 and chunk > $4))
    order by day, chunk limit $6 + 0";

const ZONE: &str = "select time_zone, since_us from report_zone
    where tenant_id = $1 and source = $2";

const PUT_ZONE: &str = "insert into report_zone (tenant_id, source, time_zone, since_us)
    values ($1, $2, $3, $4)
    on conflict (tenant_id, source) do update
      set time_zone = excluded.time_zone, since_us = excluded.since_us";

pub(super) fn statements() -> Vec<Statement> {
    let why = "reports count the rows of all customers, each once, in the background";
    vec![
        Statement::new("how far reports are counted", POSITIONS),
        Statement::new("a position moves on", ADVANCE),
        Statement::new("a process starts", JOIN),
        Statement::new("outcomes to count", OUTCOMES).scan(why),
        Statement::new("decisions to count", DECISIONS).scan(why),
        Statement::new("what is counted apart", CELLS),
        Statement::new("new cell", NEW_CELL),
        Statement::new("counts of cells on a day", CHUNK),
        Statement::new("change of counts", PUT_CHUNK),
        Statement::new("counts of days", DAYS),
        Statement::new("zone of days", ZONE),
        Statement::new("change of zone", PUT_ZONE),
    ]
}

type OutcomeColumns = (String, String, String, String, i64, Option<i64>, Vec<u8>);
type CellColumns = (i64, String, String, String, String, String);

impl Store {
    /// How far rows are counted, by kind.
    pub async fn report_positions(
        &self,
    ) -> Result<BTreeMap<CountedRows, ReportPosition>, DatabaseError> {
        let rows: Vec<(String, i64, i64)> =
            Select::new(POSITIONS).brief().all(&self.database).await?;
        let of = |rows: CountedRows, name: &str| rows.name() == name;
        let position = |(source, through_us, epoch): (String, i64, i64)| {
            let kinds = [CountedRows::Outcomes, CountedRows::Decisions];
            let kind = kinds.into_iter().find(|kind| of(*kind, &source))?;
            Some((kind, ReportPosition { through_us, epoch }))
        };
        Ok(rows.into_iter().filter_map(position).collect())
    }

    /// Announces a process that starts, once its row is there: counting that did not see the row is
    /// not finished. Returns up to which instant rows are counted at the latest, in microseconds
    /// since 1970.
    pub async fn join_reports(&self) -> Result<i64, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        execute!(&mut transaction, sqlx::query(JOIN))?;
        transaction.commit().await?;
        let positions = self.report_positions().await?;
        Ok(positions.values().map(|position| position.through_us).max().unwrap_or_default())
    }

    /// Outcomes received after an instant and up to another, in no order, at most `limit`.
    pub async fn outcomes_to_count(
        &self,
        (after_us, until_us): (i64, i64),
        limit: i64,
    ) -> Result<Vec<CountedOutcome>, DatabaseError> {
        let select = Select::new(OUTCOMES).bind(after_us).bind(until_us).bind(limit);
        let rows: Vec<OutcomeColumns> = select.all(&self.database).await?;
        let outcome = |columns: OutcomeColumns| {
            let (tenant, customer_id, outcome_key, decision_id, occurred_us, value_e4, record) =
                columns;
            CountedOutcome {
                tenant,
                customer_id,
                outcome_key,
                decision_id,
                occurred_us,
                value_e4,
                record,
            }
        };
        Ok(rows.into_iter().map(outcome).collect())
    }

    /// A tenant's decisions made after an instant and up to another, in no order, at most `limit`.
    pub async fn decisions_to_count(
        &self,
        tenant: &str,
        (after_us, until_us): (i64, i64),
        limit: i64,
    ) -> Result<Vec<CountedDecision>, DatabaseError> {
        let select = Select::new(DECISIONS).bind(tenant).bind(after_us).bind(until_us).bind(limit);
        let rows: Vec<(String, String, i64, Vec<u8>)> = select.all(&self.database).await?;
        let decision = |(flow_id, reason, decided_us, record)| CountedDecision {
            flow_id,
            reason,
            decided_us,
            record,
        };
        Ok(rows.into_iter().map(decision).collect())
    }

    /// What is counted apart, in the order of the numbers, from `first` on.
    pub async fn report_cells(
        &self,
        tenant: &str,
        counted: Counted,
        first: usize,
    ) -> Result<Vec<Cell>, DatabaseError> {
        let select = Select::new(CELLS).bind(tenant).bind(counted.name()).bind(first);
        cells(select.all(&self.database).await?, first)
    }

    /// The counts after a day and chunk and up to another day, in their order, at most `limit`.
    pub async fn report_days(
        &self,
        (tenant, counted): (&str, Counted),
        (day, chunk): (i64, i64),
        until: i64,
        limit: i64,
    ) -> Result<Vec<DayRow>, DatabaseError> {
        let select = Select::new(DAYS)
            .bind(tenant)
            .bind(counted.name())
            .bind(day)
            .bind(chunk)
            .bind(until)
            .bind(limit);
        let rows: Vec<(i64, i64, Vec<u8>)> = select.all(&self.database).await?;
        Ok(rows.into_iter().map(|(day, chunk, counts)| DayRow { day, chunk, counts }).collect())
    }

    /// The zone in which a tenant's days are counted; none before anything is.
    pub async fn report_zone(
        &self,
        tenant: &str,
        rows: CountedRows,
    ) -> Result<Option<ReportZone>, DatabaseError> {
        let select = Select::new(ZONE).bind(tenant).bind(rows.name()).brief();
        let row: Option<(String, i64)> = select.optional(&self.database).await?;
        Ok(row.map(|(time_zone, since_us)| ReportZone { time_zone, since_us }))
    }

    /// Moves a position on to `through_us`; none when another process has moved it, or one has
    /// started. What is added to the counts belongs to the returned transaction.
    pub async fn advance_report(
        &self,
        rows: CountedRows,
        from: ReportPosition,
        through_us: i64,
    ) -> Result<Option<Counting>, DatabaseError> {
        let mut transaction = self.database.begin().await?;
        let done = execute!(
            &mut transaction,
            sqlx::query(ADVANCE)
                .bind(rows.name())
                .bind(from.through_us)
                .bind(from.epoch)
                .bind(through_us)
        )?;
        Ok((done.rows == 1).then_some(Counting { transaction, rows }))
    }
}

fn cells(rows: Vec<CellColumns>, first: usize) -> Result<Vec<Cell>, DatabaseError> {
    let mut found = Vec::with_capacity(rows.len());
    for (row, expected) in rows.into_iter().zip(first..) {
        let (number, flow_id, offer_id, category_id, channel, what) = row;
        if usize::try_from(number) != Ok(expected) {
            let message = format!("cell {number} of a report takes the place of {expected}");
            return Err(DatabaseError::Corrupt(message));
        }
        found.push(Cell { flow_id, offer_id, category_id, channel, what });
    }
    Ok(found)
}

/// The transaction that advances a position and adds the counts. No other process is in one of the
/// same rows.
pub struct Counting {
    transaction: Transaction,
    rows: CountedRows,
}

impl Counting {
    /// What is counted apart, in the order of the numbers, from `first` on.
    pub async fn cells(
        &mut self,
        tenant: &str,
        counted: Counted,
        first: usize,
    ) -> Result<Vec<Cell>, DatabaseError> {
        let select = Select::new(CELLS).bind(tenant).bind(counted.name()).bind(first);
        cells(select.all(&mut self.transaction).await?, first)
    }

    /// Adds a cell under the next number.
    pub async fn add_cell(
        &mut self,
        tenant: &str,
        counted: Counted,
        number: usize,
        cell: &Cell,
    ) -> Result<(), DatabaseError> {
        execute!(
            &mut self.transaction,
            sqlx::query(NEW_CELL)
                .bind(tenant)
                .bind(counted.name())
                .bind(i64::try_from(number).unwrap_or(i64::MAX))
                .bind(&cell.flow_id)
                .bind(&cell.offer_id)
                .bind(&cell.category_id)
                .bind(&cell.channel)
                .bind(&cell.what)
        )
        .map(drop)
    }

    /// The counts of a chunk on a day, encoded; none when there are none.
    pub async fn chunk(
        &mut self,
        (tenant, counted): (&str, Counted),
        (day, chunk): (i64, i64),
    ) -> Result<Option<Vec<u8>>, DatabaseError> {
        let select = Select::new(CHUNK).bind(tenant).bind(counted.name()).bind(day).bind(chunk);
        let row: Option<(Vec<u8>,)> = select.optional(&mut self.transaction).await?;
        Ok(row.map(|(counts,)| counts))
    }

    /// Replaces the counts of a chunk on a day.
    pub async fn put_chunk(
        &mut self,
        (tenant, counted): (&str, Counted),
        (day, chunk): (i64, i64),
        counts: &[u8],
    ) -> Result<(), DatabaseError> {
        execute!(
            &mut self.transaction,
            sqlx::query(PUT_CHUNK)
                .bind(tenant)
                .bind(counted.name())
                .bind(day)
                .bind(chunk)
                .bind(counts)
        )
        .map(drop)
    }

    /// Says in which zone a tenant's days are counted from now on.
    pub async fn put_zone(&mut self, tenant: &str, zone: &ReportZone) -> Result<(), DatabaseError> {
        execute!(
            &mut self.transaction,
            sqlx::query(PUT_ZONE)
                .bind(tenant)
                .bind(self.rows.name())
                .bind(&zone.time_zone)
                .bind(zone.since_us)
        )
        .map(drop)
    }

    /// Makes all of it durable.
    pub async fn finish(self) -> Result<(), DatabaseError> {
        self.transaction.commit().await
    }
}
