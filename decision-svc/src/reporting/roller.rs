//! The report roller: counts recorded outcomes and decisions in the background, each once.
//!
//! It reads the rows that were received after its position and are settled, so nothing in flight is
//! passed over. One transaction adds their counts and moves the position on, and only if no other
//! process has moved it. A decision and a report of an outcome never wait for it.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    time::Duration,
};

use anyhow::Context as _;
use metrics::Unit;
use serve::{Clock, Recent};

use super::{
    kept_chunk,
    rolled::{Earlier, ReportedRecord, add_decision, add_outcome, decisions_needed},
};
use crate::{
    domain::{
        report::{
            cell::{Cell, Count, Counted, Sums},
            chunk::{self, Chunk},
            day,
            stretch::Stretch,
        },
        snapshot::{Policy, Snapshot},
    },
    neighbours::follow::{self, Followers},
    settled::Settled,
    store::{CountedOutcome, CountedRows, Counting, ReportPosition, ReportZone, Store},
};

/// Pause when everything that is settled is counted.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest pause between two parts of what is left to count.
const REST_MAX: Duration = Duration::from_secs(1);
/// Rows that are counted together. The record of a decision is several times as large as that of an
/// outcome.
const OUTCOMES_MAX: usize = 2_000;
const DECISIONS_MAX: usize = 500;
/// Cells of a tenant that are counted apart, for each kind of count. What is beyond is counted as
/// `other`.
pub const CELLS_MAX: usize = 50_000;
/// Lists of cells that are kept in memory.
const LISTS_MAX: usize = 16;
/// Longest wait for the time zone of a tenant.
const ZONE_WAIT_MAX: Duration = Duration::from_secs(5);

/// What the roller works with. Cheap to clone.
#[derive(Clone)]
pub struct Parts {
    /// The rows and the counts.
    pub store: Store,
    /// Up to which instant rows are recorded or refused.
    pub settled: Settled,
    /// The time zones of tenants.
    pub followers: Followers,
    /// The time.
    pub clock: Clock,
}

/// Counts rows.
pub struct Roller {
    parts: Parts,
    stretches: BTreeMap<CountedRows, Stretch>,
    known: Recent<(String, Counted), Numbers>,
}

/// The numbers of the cells that are stored.
#[derive(Debug, Default)]
struct Numbers(HashMap<Cell, usize>);

/// What became of a part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Round {
    /// Everything that is settled is counted.
    Done,
    /// Another process was first.
    Lost,
    /// Something is left.
    More,
}

/// A tenant as its rows are counted.
struct Tenant {
    policy: std::sync::Arc<Policy>,
    zone: ReportZone,
    /// The zone is not stored yet.
    is_new: bool,
}

impl Roller {
    /// A roller that has counted nothing yet.
    pub fn new(parts: Parts) -> Self {
        let stretches = [
            (CountedRows::Outcomes, Stretch::new(OUTCOMES_MAX)),
            (CountedRows::Decisions, Stretch::new(DECISIONS_MAX)),
        ];
        Self { parts, stretches: stretches.into(), known: Recent::new(LISTS_MAX) }
    }

    /// Counts for ever.
    pub async fn run(mut self) {
        metrics::describe_gauge!(
            "proffer.reports.counted.age",
            Unit::Seconds,
            "Time since the instant up to which rows are counted for reports, by kind of row"
        );
        // What went wrong in the last round; it is logged once while it lasts.
        let mut fault = String::new();
        loop {
            let took = self.parts.clock.stopwatch();
            let (pause, found) = match self.round().await {
                Ok(Round::More) => (took.elapsed().min(REST_MAX), String::new()),
                Ok(Round::Done | Round::Lost) => (PAUSE, String::new()),
                Err(error) => (PAUSE, format!("{error:#}")),
            };
            if !found.is_empty() && found != fault {
                tracing::warn!(error = found, "reports were not counted; they are tried again");
            }
            fault = found;
            tokio::time::sleep(pause).await;
        }
    }

    /// Counts a part of each kind of row.
    pub async fn round(&mut self) -> anyhow::Result<Round> {
        // The positions first: a process that starts later raises their epoch, and one that started
        // before is among those that are asked how far they have settled.
        let positions = self.parts.store.report_positions().await?;
        let settled = self.parts.settled.found().await?;
        let mut worst = Round::Done;
        for (rows, through) in [
            (CountedRows::Outcomes, settled.through),
            (CountedRows::Decisions, settled.decisions_through),
        ] {
            let position = positions.get(&rows).copied().context("a position is missing")?;
            let age = self.parts.clock.now() - serve::from_micros(position.through_us);
            metrics::gauge!("proffer.reports.counted.age", "rows" => rows.name())
                .set(age.num_milliseconds() as f64 / 1000.0);
            let round = self.count(rows, position, through.timestamp_micros()).await?;
            worst = worst.max(round);
        }
        Ok(worst)
    }

    /// Counts the next rows of one kind.
    async fn count(
        &mut self,
        rows: CountedRows,
        position: ReportPosition,
        through_us: i64,
    ) -> anyhow::Result<Round> {
        let stretch = self.stretches.get(&rows).copied();
        let mut stretch = stretch.context("a stretch is missing")?;
        let (end_us, tenants) = loop {
            let Some(end_us) = stretch.end(position.through_us, through_us) else {
                return Ok(Round::Done);
            };
            let span = (position.through_us, end_us);
            let limit = stretch.limit();
            let (read, tenants) = match rows {
                CountedRows::Outcomes => self.outcomes(span, limit).await?,
                CountedRows::Decisions => self.decisions(span, limit).await?,
            };
            let holds = stretch.holds(read);
            self.stretches.insert(rows, stretch);
            if holds {
                break (end_us, tenants);
            }
        };
        let Some(mut counting) = self.parts.store.advance_report(rows, position, end_us).await?
        else {
            return Ok(Round::Lost);
        };
        for (name, (tenant, sums)) in tenants {
            if tenant.is_new {
                counting.put_zone(&name, &tenant.zone).await?;
            }
            self.add(&mut counting, &name, sums).await?;
        }
        counting.finish().await?;
        Ok(if end_us < through_us { Round::More } else { Round::Done })
    }

    /// The outcomes of a span, added up by tenant, and how many they are. More than `limit` are not
    /// added up.
    async fn outcomes(
        &self,
        span: (i64, i64),
        limit: usize,
    ) -> anyhow::Result<(usize, BTreeMap<String, (Tenant, Sums)>)> {
        let found = self.parts.store.outcomes_to_count(span, rows_max(limit)).await?;
        let read = found.len();
        if read == limit {
            return Ok((read, BTreeMap::new()));
        }
        let mut by_tenant: BTreeMap<String, Vec<CountedOutcome>> = BTreeMap::new();
        for outcome in found {
            by_tenant.entry(outcome.tenant.clone()).or_default().push(outcome);
        }
        let mut all = BTreeMap::new();
        for (name, outcomes) in by_tenant {
            let tenant = self.tenant(&name, CountedRows::Outcomes, span.0).await?;
            let needed = decisions_needed(&outcomes);
            let decisions = self.parts.store.decisions_of(&name, &needed).await?.into_iter();
            let decisions = decisions.map(|(ids, row)| (ids, ReportedRecord::read(&row.record)));
            let earlier = Earlier { decisions: decisions.collect(), policy: &tenant.policy };
            let (mut sums, zone) = (Sums::default(), day::zone(&tenant.zone.time_zone));
            for outcome in &outcomes {
                add_outcome(&mut sums, zone, outcome, &earlier);
            }
            all.insert(name, (tenant, sums));
        }
        Ok((read, all))
    }

    /// The decisions of a span, added up by tenant, and how many they are. More than `limit` are
    /// not added up.
    async fn decisions(
        &self,
        span: (i64, i64),
        limit: usize,
    ) -> anyhow::Result<(usize, BTreeMap<String, (Tenant, Sums)>)> {
        let (mut read, mut all) = (0, BTreeMap::new());
        // Tenants are few, and the index of their decisions by time finds nothing at once.
        for name in self.parts.store.tenants().await? {
            let left = rows_max(limit - read);
            let found = self.parts.store.decisions_to_count(&name, span, left).await?;
            if found.is_empty() {
                continue;
            }
            read += found.len();
            if read == limit {
                return Ok((read, BTreeMap::new()));
            }
            let tenant = self.tenant(&name, CountedRows::Decisions, span.0).await?;
            let (mut sums, zone) = (Sums::default(), day::zone(&tenant.zone.time_zone));
            found.iter().for_each(|decision| add_decision(&mut sums, zone, decision));
            all.insert(name, (tenant, sums));
        }
        Ok((read, all))
    }

    /// A tenant, with the zone in which what is received from now on is counted.
    async fn tenant(
        &self,
        name: &str,
        rows: CountedRows,
        position_us: i64,
    ) -> anyhow::Result<Tenant> {
        let mut follower = self.parts.followers.of(name);
        let is_known = |snapshot: &Snapshot| snapshot.policy.is_some();
        let (snapshot, _) = follow::wait_for(&mut follower, ZONE_WAIT_MAX, is_known).await;
        let policy = snapshot.policy.clone();
        let policy = policy.with_context(|| format!("the time zone of `{name}` is not known"))?;
        let stored = self.parts.store.report_zone(name, rows).await?;
        let time_zone = policy.timezone.clone();
        Ok(match stored {
            Some(zone) if zone.time_zone == time_zone => Tenant { policy, zone, is_new: false },
            other => {
                let since_us = if other.is_some() { position_us } else { 0 };
                Tenant { policy, zone: ReportZone { time_zone, since_us }, is_new: true }
            }
        })
    }

    /// Adds sums of a tenant to the counts.
    pub async fn add(
        &mut self,
        counting: &mut Counting,
        tenant: &str,
        sums: Sums,
    ) -> anyhow::Result<()> {
        let mut added: BTreeMap<Counted, Numbers> = BTreeMap::new();
        let mut chunks: BTreeMap<(Counted, i64, usize), Vec<(usize, Count)>> = BTreeMap::new();
        for (place, count) in sums.0 {
            let counted = place.counted;
            let added = match added.entry(counted) {
                Entry::Occupied(added) => added.into_mut(),
                Entry::Vacant(new) => {
                    self.learn(counting, tenant, counted).await?;
                    new.insert(Numbers::default())
                }
            };
            let (of, empty) = ((tenant, counted), Numbers::default());
            let known = self.known.get(&(tenant.to_owned(), counted)).unwrap_or(&empty);
            let number = number(counting, of, (known, added), place.cell).await?;
            let (chunk, at) = chunk::place_of(number);
            chunks.entry((counted, place.day, chunk)).or_default().push((at, count));
        }
        for ((counted, day, chunk), counts) in chunks {
            let of = (tenant, counted);
            let at = (day, i64::try_from(chunk)?);
            let mut all = match counting.chunk(of, at).await? {
                Some(bytes) => kept_chunk::read(&bytes).context("counts of a report are broken")?,
                None => Chunk::default(),
            };
            counts.iter().for_each(|(at, count)| all.add(*at, count));
            counting.put_chunk(of, at, &kept_chunk::bytes(&all)).await?;
        }
        Ok(())
    }

    /// Reads the cells that are stored and not known yet.
    async fn learn(
        &mut self,
        counting: &mut Counting,
        tenant: &str,
        counted: Counted,
    ) -> anyhow::Result<()> {
        let key = (tenant.to_owned(), counted);
        let mut known = self.known.take(&key).unwrap_or_default();
        let first = known.0.len();
        let cells = counting.cells(tenant, counted, first).await?;
        known.0.extend(cells.into_iter().zip(first..));
        self.known.insert(key, known);
        Ok(())
    }
}

/// The number of a cell; a new one gets the next, up to the limit of cells.
async fn number(
    counting: &mut Counting,
    (tenant, counted): (&str, Counted),
    (known, added): (&Numbers, &mut Numbers),
    cell: Cell,
) -> anyhow::Result<usize> {
    let find =
        |cell: &Cell, added: &Numbers| known.0.get(cell).or_else(|| added.0.get(cell)).copied();
    if let Some(number) = find(&cell, added) {
        return Ok(number);
    }
    let next = known.0.len() + added.0.len();
    let cell = counted_apart(next, cell);
    if let Some(number) = find(&cell, added) {
        return Ok(number);
    }
    counting.add_cell(tenant, counted, next, &cell).await?;
    added.0.insert(cell, next);
    Ok(next)
}

/// The cell as it is counted under the next number.
fn counted_apart(next: usize, cell: Cell) -> Cell {
    if next < CELLS_MAX { cell } else { cell.beyond() }
}

fn rows_max(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_of_cells_is_counted_as_other() {
        let cell = Cell {
            flow_id: "flow_a".to_owned(),
            channel: "street".to_owned(),
            what: "click".to_owned(),
            ..Cell::default()
        };
        assert_eq!(counted_apart(CELLS_MAX - 1, cell.clone()), cell);
        let other = counted_apart(CELLS_MAX, cell);
        let parts = [&other.flow_id, &other.offer_id, &other.category_id, &other.channel];
        assert_eq!(parts, [&"other".to_owned(); 4]);
        assert_eq!(other.what, "click");
    }
}
