//! BehavioralMetricService: the checks of behavioral metrics; create, get, list, update and delete
//! are in `history`.

use history::{Draft, ResourceKind, ServiceContext as _};
use proffer_proto::catalog::v1::{
    self as proto, behavioral_metric_service_server::BehavioralMetricService,
};
use tonic::Status;
use wire::named::OUTCOME_TYPE;

use super::{Context, blocking, catalogue, parse};
use crate::domain::{breakage::bereft, name::hint, outcome_type::SYSTEM_TYPES};

/// The behavioral metrics of a tenant.
pub struct BehavioralMetrics(pub Context);

impl ResourceKind<Context> for proto::BehavioralMetric {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let edited = parse::behavioral_metric(&draft.resource);
        draft.add_faults(edited.faults());
        draft.refuse_faults()?;
        let (context, tenant) = (draft.context, draft.tenant());
        draft.warn(unknown_outcome(context, tenant, &edited.outcome).await?);
        draft.bind(&context.known.names, vec![(OUTCOME_TYPE, edited.outcome.clone())]).await;
        let before = draft.stored.as_ref().map(parse::behavioral_metric);
        if before.is_some_and(|before| before.is_active) && !edited.is_active {
            draft.warn(readers(context, tenant, edited.key).await?);
        }
        Ok(())
    }

    async fn losses(context: &Context, tenant: &str, stored: &Self) -> Result<Vec<String>, Status> {
        readers(context, tenant, stored.key.clone()).await
    }
}

/// What reads a metric and misses it from now on.
async fn readers(context: &Context, tenant: &str, key: String) -> Result<Vec<String>, Status> {
    let catalogue = catalogue::catalogue(context, tenant).await?;
    let offers = catalogue::offers(context, tenant).await?;
    blocking(move || bereft(&catalogue, &key, &offers)).await
}

async fn unknown_outcome(
    context: &Context,
    tenant: &str,
    key: &str,
) -> Result<Option<String>, Status> {
    let custom = context.stored::<proto::OutcomeType>().all(tenant).await?;
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

history::resource_service! {
    impl BehavioralMetricService for BehavioralMetrics
        of BehavioralMetric as behavioral_metric, behavioral_metrics by id
    {
        create create_behavioral_metric(CreateBehavioralMetricRequest)
            -> CreateBehavioralMetricResponse,
        get get_behavioral_metric(GetBehavioralMetricRequest) -> GetBehavioralMetricResponse,
        list list_behavioral_metrics(ListBehavioralMetricsRequest) -> ListBehavioralMetricsResponse
            by [status],
        update update_behavioral_metric(UpdateBehavioralMetricRequest)
            -> UpdateBehavioralMetricResponse,
        delete delete_behavioral_metric(DeleteBehavioralMetricRequest)
            -> DeleteBehavioralMetricResponse,
    }
}
