//! Figures that need the customers one by one. Of few customers they are computed at once; of many
//! in the background, and answers say when.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
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

use super::{Context, id_fault, leak, resource, upkeep::Failures};
use crate::{
    domain::{
        analysis::{Breakdown, Contacts, Counts, Design, Findings, Population, Recomputed},
        experiment::Experiment as Checked,
        leak::{Contact, Meaning, Scope},
        measure::Metric,
        tally::{NEVER, Plan, Windowed},
    },
    store::Seen,
};

/// Customers up to which figures are computed while the caller waits.
const AT_ONCE_MAX: u64 = 5_000;
/// Figures that are younger are not computed again.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// Figures that are kept.
const KEPT_MAX: usize = 256;
/// Figures of one tenant that wait to be computed; further ones are asked for again.
const WAITING_MAX: usize = 8;
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
    /// By tenant, in the order in which they were asked for.
    waiting: BTreeMap<String, VecDeque<Wanted>>,
    /// The tenant whose figures were computed last: the next one comes first.
    served: String,
}

impl Default for Recomputes {
    fn default() -> Self {
        let kept = Recent::new(KEPT_MAX);
        let inner = Inner { kept, waiting: BTreeMap::new(), served: String::new() };
        Self(Arc::new(Mutex::new(inner)))
    }
}

impl Recomputes {
    /// What was computed last; asks for it again when it is old.
    fn last(&self, wanted: &Wanted, now: DateTime<Utc>) -> Option<Found> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = inner.kept.get(wanted).cloned();
        let is_fresh = found.as_ref().is_some_and(|found| found.figures.at + FRESH > now);
        if !is_fresh {
            let line = inner.waiting.entry(wanted.tenant.clone()).or_default();
            if line.len() < WAITING_MAX && !line.contains(wanted) {
                line.push_back(wanted.clone());
            }
        }
        found
    }

    fn keep(&self, wanted: Wanted, found: Found) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.kept.insert(wanted, found);
    }

    /// The next one, of each tenant in turn.
    fn take(&self) -> Option<Wanted> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let after = (Bound::Excluded(inner.served.clone()), Bound::Unbounded);
        let next = inner.waiting.range::<String, _>(after).next();
        let tenant = next.or_else(|| inner.waiting.iter().next())?.0.clone();
        let line = inner.waiting.get_mut(&tenant)?;
        let wanted = line.pop_front();
        if line.is_empty() {
            inner.waiting.remove(&tenant);
        }
        inner.served = tenant;
        wanted
    }

    /// How many wait.
    fn waiting(&self) -> usize {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.values().map(VecDeque::len).sum()
    }
}

/// Why the matched cannot be grouped by `name`; an empty name groups by nothing.
pub fn breakdown_fault(name: &str) -> Option<String> {
    if name.is_empty() { None } else { id_fault(name) }
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

/// Computes what waits now; returns how much. What is asked for meanwhile waits for the next call.
pub async fn run_waiting(context: &Context) -> Result<usize, Status> {
    let (mut failures, mut count) = (Failures::default(), 0);
    for _ in 0..context.recomputes.waiting() {
        let Some(wanted) = context.recomputes.take() else { break };
        let computed = failures.note(&wanted.experiment_id, compute(context, &wanted).await);
        if let Some(found) = computed {
            context.recomputes.keep(wanted, found);
            count += 1;
        }
    }
    failures.first().map(|()| count)
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
    let closed = plan.closed_hour(through).unwrap_or_default();
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
    let mut contacts = None;
    if scope != Scope::Nothing {
        let assigned = Findings::of(&Design::of(&experiment), &counts, Population::Assigned, None);
        let compared = assigned.effect.iter().flat_map(|effect| &effect.splits);
        let compared = compared.map(|split| split.epoch).collect();
        let of = (tenant, stored.id.as_str());
        let in_total = InTotal { plan: &plan, closed, compared };
        contacts = Some(contacts_of(context, of, &scope, (&experiment, in_total)).await?);
    }
    let breakdowns = if wanted.breakdown.is_empty() { Vec::new() } else { vec![breakdown] };
    Ok(Found { figures: Recomputed::of(&counts, breakdowns, now), contacts })
}

/// Whose contacts the total covers: treated customers of a split that is compared, within their
/// window when it has closed.
struct InTotal<'a> {
    plan: &'a Plan,
    /// The last hour of which the windows have closed.
    closed: i64,
    compared: BTreeSet<i32>,
}

impl InTotal<'_> {
    fn covers(&self, contact: &Contact) -> bool {
        let until_us = self.plan.closed_until_us(contact.assigned_us, self.closed);
        self.compared.contains(&contact.epoch)
            && until_us.is_some_and(|until_us| contact.happened_us < until_us)
    }
}

/// The contacts behind the total, and the leaks until the conclusion.
async fn contacts_of(
    context: &Context,
    (tenant, id): (&str, &str),
    scope: &Scope,
    (experiment, in_total): (&Checked, InTotal<'_>),
) -> Result<Contacts, Status> {
    let until = experiment.concluded_at.map_or(i64::MAX, |at| at.timestamp_micros());
    let mut contacts = Contacts::default();
    let mut visit = |contact: &Contact, meaning| match meaning {
        Meaning::Leak => contacts.leaks += 1,
        Meaning::Treatment if in_total.covers(contact) => {
            contacts.delivered += 1;
            contacts.cost_e4 += i128::from(contact.cost_e4);
        }
        Meaning::Treatment | Meaning::Other => {}
    };
    let audited = context.store.visit_contacts(tenant, (id, scope), until, &mut visit).await;
    audited.map_err(|error| serve::store_status(&error))?;
    Ok(contacts)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(tenant: &str, breakdown: usize) -> Wanted {
        Wanted {
            tenant: tenant.to_owned(),
            experiment_id: "exp_a".to_owned(),
            metric: "conversion_rate".to_owned(),
            breakdown: format!("field{breakdown}"),
        }
    }

    #[test]
    fn tenants_take_turns_and_each_has_a_short_line() {
        let recomputes = Recomputes::default();
        for number in 0..1_000 {
            recomputes.last(&wanted("loud", number), DateTime::UNIX_EPOCH);
        }
        recomputes.last(&wanted("quiet", 1), DateTime::UNIX_EPOCH);
        recomputes.last(&wanted("quiet", 1), DateTime::UNIX_EPOCH);
        assert_eq!(recomputes.waiting(), WAITING_MAX + 1);
        let taken: Vec<_> = std::iter::from_fn(|| recomputes.take()).collect();
        let first: Vec<_> = taken.iter().take(3).map(|wanted| wanted.tenant.as_str()).collect();
        assert_eq!((taken.len(), first), (WAITING_MAX + 1, vec!["loud", "quiet", "loud"]));
        assert_eq!(recomputes.waiting(), 0);
    }
}
