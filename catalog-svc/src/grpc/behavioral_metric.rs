//! BehavioralMetricService.

use history::{Collection, Resource as _};
use proffer_proto::{
    catalog::v1::{self as proto, behavioral_metric_service_server::BehavioralMetricService},
    values::v1::ResourceStatus,
};
use tonic::Status;

use super::{
    Context, configuration,
    resource::{self, Checked, settle_status},
    status::{invalid, refused, within},
};
use crate::domain::{
    Faults,
    behavioral_metric::{Aggregate, BehavioralMetric},
    breakage::bereft,
    name::hint,
    outcome_type::SYSTEM_TYPES,
};

/// The behavioral metrics of a tenant.
pub struct BehavioralMetrics(pub Context);

/// A metric as names are resolved to it.
pub fn stored(found: &proto::BehavioralMetric) -> BehavioralMetric {
    BehavioralMetric {
        key: found.key.clone(),
        is_active: matches!(found.status(), ResourceStatus::Active | ResourceStatus::Unspecified),
        outcome: found.outcome.clone(),
        aggregate: aggregate(found.aggregate),
        window_days: found.window_days,
    }
}

fn aggregate(number: i32) -> Option<Aggregate> {
    Some(match proto::MetricAggregate::try_from(number).ok()? {
        proto::MetricAggregate::Unspecified => return None,
        proto::MetricAggregate::Count => Aggregate::Count,
        proto::MetricAggregate::Sum => Aggregate::Sum,
        proto::MetricAggregate::Last => Aggregate::Last,
    })
}

impl Checked for proto::BehavioralMetric {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.metrics
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
        stored_before: Option<&Self>,
    ) -> Result<Vec<String>, Status> {
        let mut faults: Faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        let edited = stored(resource);
        faults.extend(within(Self::KIND, edited.faults()));
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let mut warnings: Vec<String> =
            unknown_outcome(context, tenant, &edited.outcome).await?.into_iter().collect();
        if stored_before.map(stored).is_some_and(|before| before.is_active) && !edited.is_active {
            let catalogue = configuration::catalogue(context, tenant).await?;
            let offers = configuration::offers(context, tenant).await?;
            warnings.extend(
                configuration::aside(move || bereft(&catalogue, &edited.key, &offers)).await?,
            );
        }
        Ok(warnings)
    }
}

async fn unknown_outcome(
    context: &Context,
    tenant: &str,
    key: &str,
) -> Result<Option<String>, Status> {
    let custom = context.outcome_types.all(tenant).await.map_err(refused)?;
    let known = SYSTEM_TYPES
        .iter()
        .map(|system| system.key)
        .chain(custom.iter().map(|custom| custom.key.as_str()));
    if known.clone().any(|known| known == key) {
        return Ok(None);
    }
    let hint = hint(key, known);
    Ok(Some(format!("outcome type `{key}` does not exist: no outcome counts until it does{hint}")))
}

resource::service! {
    impl BehavioralMetricService for BehavioralMetrics of BehavioralMetric as behavioral_metric, behavioral_metrics {
        create_behavioral_metric(CreateBehavioralMetricRequest) -> CreateBehavioralMetricResponse,
        get_behavioral_metric(GetBehavioralMetricRequest) -> GetBehavioralMetricResponse,
        list_behavioral_metrics(ListBehavioralMetricsRequest) -> ListBehavioralMetricsResponse,
        update_behavioral_metric(UpdateBehavioralMetricRequest) -> UpdateBehavioralMetricResponse,
        delete_behavioral_metric(DeleteBehavioralMetricRequest) -> DeleteBehavioralMetricResponse,
    }
}
