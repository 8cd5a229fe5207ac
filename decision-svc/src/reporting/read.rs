//! Answers what a report is asked, from the counts.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use history::{Heard, Names};
use serve::{Clock, Problem};
use tonic::Status;
use wire::{
    name::{folded, hint},
    named::{CATEGORY, CHANNEL, FLOW, OFFER, OUTCOME_TYPE},
    reason,
};

use super::kept_chunk;
use crate::{
    deciding::whole_flow::WholeFlows,
    domain::report::{
        answer::{Adding, Figures, ROWS_MAX, Row},
        cell::{Cell, Counted, NO_REASON},
        day,
        question::{ALL, Dimension, Question, Rate, Report},
        table::Titles,
    },
    neighbours::follow::Followers,
    store::{CountedRows, ReportZone, Store},
};

/// Days of a report at most: two years.
const DAYS_MAX: i64 = 731;
/// Days when the first is left out.
const DAYS_DEFAULT: i64 = 30;
/// Chunks that are read at once.
const CHUNKS_READ: i64 = 500;

/// The use case. Cheap to clone.
#[derive(Clone)]
pub struct Reports {
    /// The counts.
    pub store: Store,
    /// The zones of tenants.
    pub followers: Followers,
    /// The names of what is counted.
    pub names: Names,
    /// The flows.
    pub flows: WholeFlows,
    /// The time.
    pub clock: Clock,
}

/// What is asked, before names are looked up.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The report.
    pub report: Report,
    /// The first day.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub to: Option<NaiveDate>,
    /// What rows are divided by.
    pub dimensions: Vec<Dimension>,
    /// What they are narrowed to, by id or name.
    pub filters: BTreeMap<Dimension, Vec<String>>,
    /// Rates.
    pub rates: Vec<Rate>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was asked, with ids in place of names.
    pub question: Question,
    /// The rows in order.
    pub rows: Vec<Row>,
    /// All of them together.
    pub total: Figures,
    /// Names of what rows are divided by.
    pub titles: Titles,
    /// In which days are counted.
    pub zone: ReportZone,
    /// Everything received up to this instant is counted, in microseconds since 1970.
    pub counted_through_us: i64,
}

type Faults = Vec<(String, String)>;

impl Reports {
    /// The report.
    pub async fn find(&self, tenant: &str, asked: Asked) -> Result<Found, Status> {
        let (rows, kinds): (_, &[Counted]) = match asked.report {
            Report::Outcomes => (CountedRows::Outcomes, &[Counted::Outcomes]),
            Report::Decisions => (CountedRows::Decisions, &[Counted::Decisions, Counted::Offers]),
        };
        let stored = |error| serve::store_status(&error);
        // Before the counts: these have at least everything up to there.
        let positions = self.store.report_positions().await.map_err(stored)?;
        let counted_through_us = positions.get(&rows).map_or(0, |position| position.through_us);
        let zone = self.store.report_zone(tenant, rows).await.map_err(stored)?;
        let zone = zone.unwrap_or_else(|| self.present_zone(tenant));
        let mut cells = BTreeMap::new();
        for counted in kinds {
            let found = self.store.report_cells(tenant, *counted, 0).await.map_err(stored)?;
            cells.insert(*counted, found);
        }
        let (question, heard) = self.question(tenant, asked, &zone, &cells).await?;
        let mut adding = Adding::new(&question, &cells);
        for counted in kinds {
            self.add(tenant, *counted, &question, &mut adding).await?;
        }
        let (rows, total) = adding.finish().map_err(|_| too_many_rows())?;
        let titles = titles(&question, &rows, &heard);
        Ok(Found { question, rows, total, titles, zone, counted_through_us })
    }

    /// The zone of the settings, for a tenant of whom nothing is counted.
    fn present_zone(&self, tenant: &str) -> ReportZone {
        let snapshot = self.followers.of(tenant).borrow().clone();
        let time_zone = snapshot.policy.as_ref().map(|policy| policy.timezone.clone());
        ReportZone { time_zone: time_zone.unwrap_or_else(|| "UTC".to_owned()), since_us: 0 }
    }

    /// The question with days and ids, and what the logs name.
    async fn question(
        &self,
        tenant: &str,
        asked: Asked,
        zone: &ReportZone,
        cells: &BTreeMap<Counted, Vec<Cell>>,
    ) -> Result<(Question, BTreeMap<Dimension, Heard>), Problem> {
        let Asked { report, from, to, dimensions, filters, rates } = asked;
        let today = day::of(self.clock.now(), day::zone(&zone.time_zone));
        let to = to.map_or(today, day::number);
        let from = from.map_or(to - (DAYS_DEFAULT - 1), day::number);
        let mut faults = Faults::new();
        if from > to {
            faults.push(("from".to_owned(), "is after `to`: no day is in that range".to_owned()));
        } else if to - from >= DAYS_MAX {
            let days = to - from + 1;
            let message = format!("is {days} days before the end; a report has at most {DAYS_MAX}");
            faults.push(("from".to_owned(), message));
        }
        let wanted: BTreeSet<_> = dimensions.iter().chain(filters.keys()).copied().collect();
        let wants_kinds = !rates.is_empty() && report == Report::Outcomes;
        let what = wants_kinds.then_some(Dimension::What);
        let mut heard = BTreeMap::new();
        for dimension in wanted.into_iter().chain(what) {
            if let Some(kind) = kind_of(dimension, report)
                && let Some(follower) = self.names.of_kind(kind)
            {
                heard.insert(dimension, follower.now(tenant).await);
            }
        }
        let known = Known { report, heard: &heard, cells };
        let mut resolved = BTreeMap::new();
        for (dimension, texts) in filters {
            let ids: Result<BTreeSet<_>, _> =
                texts.iter().map(|text| known.id(dimension, text)).collect();
            match ids {
                Ok(ids) => drop(resolved.insert(dimension, ids)),
                Err(message) => faults.push((dimension.name(report).to_owned(), message)),
            }
        }
        for term in rates.iter().flat_map(|rate| [&rate.of, &rate.by]).filter(|it| *it != ALL) {
            if let Err(message) = known.id(Dimension::What, term) {
                faults.push(("rate".to_owned(), message));
            }
        }
        if !faults.is_empty() {
            return Err(Problem::invalid_fields(faults));
        }
        let question = Question { report, from, to, dimensions, filters: resolved, rates };
        Ok((question, heard))
    }

    /// Adds the counts of the days in question.
    async fn add(
        &self,
        tenant: &str,
        counted: Counted,
        question: &Question,
        adding: &mut Adding<'_>,
    ) -> Result<(), Status> {
        let mut after = (question.from - 1, i64::MAX);
        loop {
            let of = (tenant, counted);
            let page = self.store.report_days(of, after, question.to, CHUNKS_READ).await;
            let page = page.map_err(|error| serve::store_status(&error))?;
            for row in &page {
                let broken = || serve::internal(&"counts of a report are broken");
                let chunk = kept_chunk::read(&row.counts).ok_or_else(broken)?;
                let number = usize::try_from(row.chunk).map_err(|_| broken())?;
                adding.add(counted, row.day, number, &chunk).map_err(|_| too_many_rows())?;
            }
            match page.last() {
                Some(last) if page.len() as i64 == CHUNKS_READ => after = (last.day, last.chunk),
                _ => return Ok(()),
            }
        }
    }
}

fn too_many_rows() -> Problem {
    let hint = ": the report has more rows than that; divide it by less, filter it, or ask for \
                fewer days";
    Problem::limit("group_by", ROWS_MAX + 1, ROWS_MAX).hint(hint)
}

/// The kind of resource whose ids a dimension has.
fn kind_of(dimension: Dimension, report: Report) -> Option<&'static str> {
    match dimension {
        Dimension::Day => None,
        Dimension::Flow => Some(FLOW),
        Dimension::Offer => Some(OFFER),
        Dimension::Category => Some(CATEGORY),
        Dimension::Channel => Some(CHANNEL),
        Dimension::What if report == Report::Outcomes => Some(OUTCOME_TYPE),
        Dimension::What => None,
    }
}

/// What filters may name.
struct Known<'a> {
    report: Report,
    heard: &'a BTreeMap<Dimension, Heard>,
    cells: &'a BTreeMap<Counted, Vec<Cell>>,
}

impl Known<'_> {
    /// The id that a filter means. What was counted is known, also when it was deleted since.
    fn id(&self, dimension: Dimension, text: &str) -> Result<String, String> {
        if dimension == Dimension::What && self.report == Report::Decisions {
            let mut known: Vec<_> = reason::words().collect();
            known.push(NO_REASON);
            if known.contains(&text) {
                return Ok(text.to_owned());
            }
            let hint = hint(text, known.iter().copied());
            return Err(format!("`{}` is not a reason{hint}", wire::text::quoted(text)));
        }
        let heard = self.heard.get(&dimension);
        let kind = kind_of(dimension, self.report).unwrap_or_default();
        let listed = heard.and_then(|heard| match dimension {
            Dimension::What => heard.directory.listed(kind, text).map(|_| text),
            _ => heard.directory.find(kind, text),
        });
        if let Some(id) = listed {
            return Ok(id.to_owned());
        }
        let is_counted = |id: &str| {
            let mut cells = self.cells.values().flatten();
            cells.any(|cell| dimension.of(cell) == Some(id))
        };
        let name = folded(text);
        if text.is_empty() || is_counted(text) {
            return Ok(text.to_owned());
        }
        if is_counted(&name) {
            return Ok(name);
        }
        let Some(heard) = heard.filter(|heard| heard.is_current) else {
            return Ok(text.to_owned());
        };
        let known: Vec<&str> = match dimension {
            Dimension::What => {
                let all = heard.directory.all().filter(|(of, _, _)| *of == kind);
                all.map(|(_, key, _)| key).collect()
            }
            _ => heard.directory.names(kind).collect(),
        };
        let hint = hint(text, known.into_iter());
        let what = kind.replace('_', " ").replace("decision ", "");
        Err(format!("`{}` is not a known {what}{hint}", wire::text::quoted(text)))
    }
}

/// Names of what the rows are divided by.
fn titles(question: &Question, rows: &[Row], heard: &BTreeMap<Dimension, Heard>) -> Titles {
    let mut titles = Titles::new();
    for (place, dimension) in question.dimensions.iter().enumerate() {
        let (Some(kind), Some(heard)) =
            (kind_of(*dimension, question.report), heard.get(dimension))
        else {
            continue;
        };
        let ids: BTreeSet<&String> = rows.iter().filter_map(|row| row.key.get(place)).collect();
        for id in ids {
            if let Some(listed) = heard.directory.listed(kind, id) {
                titles.insert((*dimension, id.clone()), listed.name.clone());
            }
        }
    }
    titles
}
