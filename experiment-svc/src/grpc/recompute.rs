//! Figures that need the customers one by one. Of few customers they are computed at once; of many
//! in the background, and answers say when.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use history::ServiceContext as _;
use proffer_proto::{
    experiment::v1::{Experiment, ExposureEntry},
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use serve::Recent;
use tonic::Status;

use super::{Context, leak, resource};
use crate::{
    domain::{
        analysis::{Breakdown, Contacts, Counts, Recomputed},
        leak::Scope,
        measure::Metric,
        tally::{NEVER, Plan, Windowed},
    },
    store::{Seen, closed_hour},
};

/// Customers up to which figures are computed while the caller waits.
const AT_ONCE_MAX: u64 = 5_000;
/// Figures that are younger are not computed again.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// Figures that are kept.
const KEPT_MAX: usize = 256;
/// Figures that wait to be computed; further ones are asked for again.
const WAITING_MAX: usize = 256;
/// Longest name of a group, in characters.
const GROUP_MAX: usize = 100;

/// What is computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// The tenant.
    pub tenant: String,
    /// The experiment.
    pub experiment_id: String,
    /// Name of the metric.
    pub metric: String,
    /// `category`, `channel`, the name of a recorded field, or empty.
    pub breakdown: String,
}

/// What was computed.
#[derive(Clone, Debug)]
pub struct Found {
    /// Winsorized figures and the breakdown.
    pub figures: Recomputed,
    /// The contacts of both arms; none of an experiment that ran elsewhere.
    pub contacts: Option<Contacts>,
}

/// What was computed, and what is to be. Cheap to clone.
#[derive(Clone)]
pub struct Recomputes(Arc<Mutex<Inner>>);

struct Inner {
    kept: Recent<Wanted, Found>,
    waiting: BTreeSet<Wanted>,
}

impl Default for Recomputes {
    fn default() -> Self {
        let inner = Inner { kept: Recent::new(KEPT_MAX), waiting: BTreeSet::new() };
        Self(Arc::new(Mutex::new(inner)))
    }
}

impl Recomputes {
    /// What was computed last; asks for it again when it is old.
    fn last(&self, wanted: &Wanted, now: DateTime<Utc>) -> Option<Found> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = inner.kept.get(wanted).cloned();
        let is_fresh = found.as_ref().is_some_and(|found| found.figures.at + FRESH > now);
        if !is_fresh && inner.waiting.len() < WAITING_MAX {
            inner.waiting.insert(wanted.clone());
        }
        found
    }

    fn keep(&self, wanted: Wanted, found: Found) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.kept.insert(wanted, found);
    }

    fn take(&self) -> Option<Wanted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_first()
    }
}

/// The figures of an experiment with so many customers; none when they are not computed yet.
pub async fn of(
    context: &Context,
    wanted: &Wanted,
    customers: u64,
) -> Result<Option<Found>, Status> {
    if customers <= AT_ONCE_MAX {
        return compute(context, wanted).await.map(Some);
    }
    Ok(context.recomputes.last(wanted, context.clock.now()))
}

/// Computes everything that was asked for; returns how much.
pub async fn run_waiting(context: &Context) -> Result<usize, Status> {
    let mut count = 0;
    while let Some(wanted) = context.recomputes.take() {
        let found = compute(context, &wanted).await?;
        context.recomputes.keep(wanted, found);
        count += 1;
    }
    Ok(count)
}

async fn compute(context: &Context, wanted: &Wanted) -> Result<Found, Status> {
    let status = |error| serve::store_status(&error);
    let (tenant, now) = (wanted.tenant.as_str(), context.clock.now());
    let stored: Experiment = context.stored().get(tenant, &wanted.experiment_id).await?;
    let experiment = resource::stored(&stored)?;
    // INVARIANT: the name was parsed before it was asked for.
    let metric = Metric::parse(&wanted.metric).map_err(|fault| serve::internal(&fault))?;
    let plan = Plan::of(&stored.id, &experiment).only(&metric);
    let through = context.store.counted_through(tenant).await.map_err(status)?;
    let closed = closed_hour(through).unwrap_or_default();
    let figure = |windowed: &Windowed| {
        let is_closed = windowed.hour <= closed && windowed.hour != NEVER;
        windowed.figures.first().copied().filter(|_| is_closed)
    };
    let mut counts = Counts::new(metric.clone()).keeping_figures();
    let mut breakdown = Breakdown::new(wanted.breakdown.clone(), metric);
    let visit = |seen: Seen| {
        let tally = &seen.tally;
        let matched = tally.matched.as_ref().and_then(figure);
        counts.add_figures((tally.epoch, tally.arm), figure(&tally.assigned), matched);
        if let Some(matched) = matched.filter(|_| !wanted.breakdown.is_empty()) {
            breakdown.add(&group(&seen, &wanted.breakdown), tally.epoch, tally.arm, matched);
        }
    };
    context.store.walk(tenant, &plan, visit).await.map_err(status)?;
    let scope = leak::scope(&stored, &experiment);
    let until = experiment.concluded_at.map_or(i64::MAX, |at| at.timestamp_micros());
    let mut contacts = None;
    if scope != Scope::Nothing {
        let of = (stored.id.as_str(), &scope);
        let audit = context.store.audit(tenant, of, until, ("", ""), 0).await.map_err(status)?;
        contacts = Some(Contacts {
            delivered: audit.treatment.contacts,
            cost_e4: audit.treatment.cost_e4,
            leaks: audit.holdout.contacts,
        });
    }
    let breakdowns = if wanted.breakdown.is_empty() { Vec::new() } else { vec![breakdown] };
    Ok(Found { figures: Recomputed::of(&counts, breakdowns, now), contacts })
}

/// The group of a customer; empty when it is not known.
fn group(seen: &Seen, by: &str) -> String {
    match by {
        "category" => seen.category_id.clone(),
        "channel" => seen.channel.clone(),
        field => {
            let entry = ExposureEntry::decode(seen.features.as_slice()).unwrap_or_default();
            entry.features.get(field).map(text).unwrap_or_default()
        }
    }
}

fn text(value: &Value) -> String {
    let text = match &value.kind {
        Some(Kind::StringValue(text) | Kind::DecimalValue(text)) => text.clone(),
        Some(Kind::IntegerValue(number)) => number.to_string(),
        Some(Kind::DoubleValue(number)) => number.to_string(),
        Some(Kind::BooleanValue(is)) => is.to_string(),
        Some(Kind::ListValue(_)) | None => String::new(),
    };
    text.chars().take(GROUP_MAX).collect()
}
