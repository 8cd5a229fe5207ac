//! DecisionFlowService.

use history::{Collection, Resource as _, settle_status};
use proffer_proto::{
    decision::v1::{self as proto, decision_flow_service_server::DecisionFlowService},
    values::v1::ResourceStatus,
};
use serve::Problem;
use tonic::Status;

use super::{
    Context,
    resource::{self, Checked},
};
use crate::{
    background,
    domain::{compile::CompiledFlow, flow::Flow, snapshot::Catalog},
    messages::flow_config,
};

/// The flows of a tenant.
pub struct DecisionFlows(pub Context);

impl Checked for proto::DecisionFlow {
    fn collection(context: &Context) -> &Collection<Self> {
        &context.flows
    }

    async fn check(
        context: &Context,
        tenant: &str,
        resource: &mut Self,
    ) -> Result<Vec<String>, Status> {
        let mut faults = Collection::common_faults(resource);
        settle_status(Self::KIND, &mut resource.status, &mut faults);
        let flow = match flow_config::parse(resource) {
            Ok(flow) => {
                // What does not decide may be put aside whatever has become of its parts.
                if resource.status() == ResourceStatus::Active {
                    faults.extend(context.whole_flows.missing_parts(tenant, &flow).await?);
                }
                flow
            }
            Err(more) => {
                faults.extend(more);
                return Err(Problem::invalid_fields(faults).into());
            }
        };
        if !faults.is_empty() {
            return Err(Problem::invalid_fields(faults).into());
        }
        let mut warnings = flow.warnings();
        warnings.extend(context.warning_of_catalog(tenant, flow).await?);
        Ok(warnings)
    }
}

impl Context {
    /// What a flow's own rules and formula make of the offers there are now, as far as the catalog
    /// is known.
    async fn warning_of_catalog(&self, tenant: &str, flow: Flow) -> Result<Option<String>, Status> {
        if flow.filters().is_empty() && flow.score_formula().is_none() {
            return Ok(None);
        }
        let follower = self.followers.of(tenant).await;
        let catalog = follower.and_then(|follower| follower.borrow().catalog.clone());
        let Some(catalog) = catalog else { return Ok(None) };
        let warning = background::run(move || warning(flow, &catalog)).await;
        warning.map_err(|error| serve::internal(&error))
    }
}

fn warning(flow: Flow, catalog: &Catalog) -> Option<String> {
    let compiled = CompiledFlow::compile(flow, "", "", 0, catalog);
    let is_flows = |why: &&String| why.starts_with("filter: ") || why.starts_with("score: ");
    let broken = compiled.offers.iter().filter_map(|offer| {
        let why = offer.program.as_ref().err().filter(is_flows)?;
        Some((&offer.candidate.offer_id, why))
    });
    let broken: Vec<_> = broken.collect();
    let (offer_id, why) = broken.first()?;
    let (count, all) = (broken.len(), compiled.offers.len());
    Some(format!("{count} of {all} offers are refused, `rule_invalid`; `{offer_id}`: {why}"))
}

resource::service! {
    impl DecisionFlowService for DecisionFlows of DecisionFlow as decision_flow, decision_flows {
        create_decision_flow(CreateDecisionFlowRequest) -> CreateDecisionFlowResponse,
        get_decision_flow(GetDecisionFlowRequest) -> GetDecisionFlowResponse,
        list_decision_flows(ListDecisionFlowsRequest) -> ListDecisionFlowsResponse,
        update_decision_flow(UpdateDecisionFlowRequest) -> UpdateDecisionFlowResponse,
        delete_decision_flow(DeleteDecisionFlowRequest) -> DeleteDecisionFlowResponse,
    }
}
