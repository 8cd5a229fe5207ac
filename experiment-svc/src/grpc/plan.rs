//! How large an experiment must be, by what the tenant's customers did.

use chrono::TimeDelta;
use history::{ServiceContext as _, timestamp};
use proffer_proto::experiment::v1::{self as proto, Experiment};
use serve::{Problem, metadata};
use tonic::{Status, metadata::MetadataMap};

use super::Context;
use crate::{
    domain::{
        experiment::{CUSTOMERS_DEFAULT, CUSTOMERS_MAX, CUSTOMERS_MIN},
        measure::{Metric, Scale},
        planning::{self, Base, EFFECT_PERCENT, Ground, Size},
        share,
    },
    store::CUSTOMERS_MAX as READ_MAX,
};

/// Days whose outcomes say what customers do.
const DAYS: i64 = 90;
/// Largest effect that can be asked for, in percent.
const EFFECT_MAX: f64 = 1_000.0;

/// What is planned; checked.
struct Wanted {
    metric: Metric,
    basis_points: u32,
    customers: u64,
    effect_percent: f64,
    qualifying: Option<f64>,
    base: Option<Base>,
}

/// Says what an experiment could show.
pub async fn plan(
    context: &Context,
    metadata: &MetadataMap,
    request: proto::PlanExperimentRequest,
) -> Result<proto::PlanExperimentResponse, Status> {
    let tenant = metadata::tenant(metadata)?;
    let wanted = parse(&request).map_err(Problem::invalid_fields)?;
    let plan = Some(planned(context, &tenant, wanted).await?);
    Ok(proto::PlanExperimentResponse { plan })
}

/// The same in words, for an experiment that is about to be written.
pub async fn words(
    context: &Context,
    tenant: &str,
    experiment: &crate::domain::experiment::Experiment,
) -> Result<Vec<String>, Status> {
    if experiment.metrics.primary.scale == Scale::Ratio {
        return Ok(Vec::new());
    }
    let wanted = Wanted {
        metric: experiment.metrics.primary.clone(),
        basis_points: experiment.holdout_basis_points(),
        customers: experiment.expected_customers,
        effect_percent: EFFECT_PERCENT,
        qualifying: None,
        base: None,
    };
    Ok(planned(context, tenant, wanted).await?.words)
}

fn parse(request: &proto::PlanExperimentRequest) -> Result<Wanted, Vec<(String, String)>> {
    let mut faults: Vec<(String, String)> = Vec::new();
    let mut fault = |field: &str, message: String| faults.push((field.to_owned(), message));
    let basis_points = match request.holdout_percentage.map(share::basis_points) {
        None => Err("is required: the share held out, in percent".to_owned()),
        Some(Ok(0 | share::WHOLE)) => {
            Err("must be above 0 and below 100: an empty arm shows nothing".to_owned())
        }
        Some(points) => points,
    };
    let basis_points =
        basis_points.map_err(|message| fault("holdout_percentage", message)).unwrap_or_default();
    let name = if request.metric.is_empty() { Metric::DEFAULT } else { &request.metric };
    let metric = Metric::parse(name).and_then(|metric| match metric.scale {
        Scale::Ratio => Err(format!("`{name}` is a ratio, which cannot be planned")),
        Scale::Rate | Scale::Amount => Ok(metric),
    });
    let metric = metric.map_err(|message| fault("metric", message)).ok();
    let customers = match request.expected_customers {
        0 => CUSTOMERS_DEFAULT,
        given @ CUSTOMERS_MIN..=CUSTOMERS_MAX => given.unsigned_abs(),
        given => {
            let message = format!("is {given}; it must be {CUSTOMERS_MIN} to {CUSTOMERS_MAX}");
            fault("expected_customers", message);
            CUSTOMERS_DEFAULT
        }
    };
    let mut bounded = |field: &str, value: Option<f64>, max: f64| {
        if let Some(value) = value
            && !(value > 0.0 && value <= max)
        {
            fault(field, format!("is {value}; it must be above 0 and at most {max}"));
        }
        value
    };
    let effect_percent =
        bounded("effect_percent", request.effect_percent, EFFECT_MAX).unwrap_or(EFFECT_PERCENT);
    let qualifying = bounded("qualifying_percentage", request.qualifying_percentage, 100.0);
    let mean = bounded("mean", request.mean, f64::MAX);
    let variance = bounded("variance", request.variance, f64::MAX);
    let is_positive = |value: Option<f64>| value.is_none_or(|value| value > 0.0);
    let base = metric.as_ref().and_then(|metric| match (mean, variance) {
        _ if !is_positive(mean) || !is_positive(variance) => None,
        (None, None) => None,
        (None, Some(_)) => {
            fault("variance", "needs a `mean`".to_owned());
            None
        }
        (Some(mean), variance) => {
            let base = Base::given(metric, mean, variance);
            base.map_err(|(field, message)| fault(field, message)).ok()
        }
    });
    match metric {
        Some(metric) if faults.is_empty() => {
            Ok(Wanted { metric, basis_points, customers, effect_percent, qualifying, base })
        }
        _ => Err(faults),
    }
}

async fn planned(
    context: &Context,
    tenant: &str,
    wanted: Wanted,
) -> Result<proto::ExperimentPlan, Status> {
    let now = context.clock.now();
    let since = now - TimeDelta::days(DAYS);
    let mut base = proto::PlanBase::default();
    let (known, ground) = match wanted.base {
        Some(given) => (Some(given), Ground::Given),
        None => {
            let sample = context.store.base(tenant, &wanted.metric, since.timestamp_micros()).await;
            let sample = sample.map_err(|error| serve::store_status(&error))?;
            (base.customers, base.since) =
                (i64::try_from(sample.n).unwrap_or(i64::MAX), Some(timestamp(since)));
            let units = wanted.metric.units;
            let known = sample.mean(units).zip(sample.variance(units));
            let known = known.map(|(mean, variance)| Base { mean, variance });
            let is_full = sample.n >= READ_MAX as u64;
            (known, Ground::Assigned { customers: sample.n, is_full })
        }
    };
    let found = known.filter(|base| base.mean > 0.0 && base.variance > 0.0);
    let qualifying = match wanted.qualifying {
        Some(given) => Some(given),
        None => exposed_share(context, tenant).await?,
    };
    base.mean = found.map(|base| base.mean);
    base.variance = found.map(|base| base.variance);
    base.qualifying_percentage = qualifying;
    let size = |customers: u64| {
        planning::size(found?, wanted.basis_points, customers, wanted.effect_percent)
    };
    let assigned = size(wanted.customers);
    let few = qualifying.map(|percent| (wanted.customers as f64 * percent / 100.0) as u64);
    let qualified = few.filter(|few| *few > 0).and_then(size);
    let mut words = Vec::new();
    let mut say = |size: &Option<Size>, share| {
        if let Some(size) = size {
            words.extend(planning::words(&wanted.metric, wanted.basis_points, size, share));
        }
    };
    say(&assigned, None);
    say(&qualified, qualifying);
    words.extend(match found {
        Some(_) => ground.words(),
        None => Some(ground.unknown(known, wanted.customers)),
    });
    Ok(proto::ExperimentPlan {
        metric: wanted.metric.name,
        base: Some(base),
        assigned: assigned.map(into_proto),
        qualifying: qualified.map(into_proto),
        words,
    })
}

/// The share of the assigned who were exposed, in percent, over the experiments that ran within the
/// last 90 days; none without a customer.
async fn exposed_share(context: &Context, tenant: &str) -> Result<Option<f64>, Status> {
    let since = timestamp(context.clock.now() - TimeDelta::days(DAYS));
    let (mut assigned, mut exposed) = (0, 0);
    for experiment in context.stored::<Experiment>().all(tenant).await? {
        let is_over = experiment.concluded_at.is_some_and(|at| at.seconds < since.seconds);
        if is_over || experiment.assignment_source() == proto::AssignmentSource::External {
            continue;
        }
        let found = context.store.exposed(tenant, &experiment.id).await;
        let (all, some) = found.map_err(|error| serve::store_status(&error))?;
        (assigned, exposed) = (assigned + all, exposed + some);
    }
    Ok((exposed > 0).then(|| 100.0 * exposed as f64 / assigned as f64))
}

fn into_proto(size: Size) -> proto::PlannedSize {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    proto::PlannedSize {
        customers: count(size.customers),
        held_out: count(size.held_out),
        detectable_difference: size.detectable,
        detectable_percent: size.detectable_percent,
        effect_percent: size.effect_percent,
        customers_needed: count(size.needed),
        held_out_needed: count(size.held_out_needed),
    }
}
