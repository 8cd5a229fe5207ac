//! DecisionFlowService: the checks of flows; create, get, list, update and delete are in `history`.

use std::sync::Arc;

use history::{Draft, ResourceKind};
use proffer_proto::{
    decision::v1::{self as proto, decision_flow_service_server::DecisionFlowService},
    values::v1::ResourceStatus,
};
use serve::background;
use tonic::Status;
use wire::named::OFFER;

use super::Context;
use crate::{
    domain::{
        compile::CompiledFlow,
        flow::Flow,
        snapshot::{Catalog, Snapshot},
    },
    messages::flow_config,
    neighbours::follow,
};

/// The flows of a tenant.
pub struct DecisionFlows(pub Context);

impl ResourceKind<Context> for proto::DecisionFlow {
    async fn check(draft: &mut Draft<'_, Context, Self>) -> Result<(), Status> {
        let (context, tenant) = (draft.context, draft.tenant());
        let flow = match flow_config::parse(&draft.resource) {
            Ok(flow) => flow,
            Err(faults) => {
                draft.add_faults(faults);
                return Ok(());
            }
        };
        for (node, wanted) in flow_config::refers(&draft.resource.clone()) {
            draft.refer(&context.known.names, &format!("node `{node}`"), wanted).await;
        }
        // What is bound is read by its id from here on.
        let flow = flow_config::parse(&draft.resource).unwrap_or(flow);
        // A flow that does not decide may name parts that no longer exist.
        if draft.resource.status() == ResourceStatus::Active {
            draft.add_faults(context.whole_flows.missing_parts(tenant, &flow).await?);
        }
        draft.refuse_faults()?;
        draft.warn(flow.warnings());
        let flow = context.whole_flows.with_parts(tenant, flow).await?;
        draft.warn(context.warning_of_catalog(tenant, flow).await?);
        Ok(())
    }
}

impl Context {
    /// What a flow's own rules, formula and model make of the offers there are now, as far as the
    /// catalog is known.
    pub(super) async fn warning_of_catalog(
        &self,
        tenant: &str,
        flow: Flow,
    ) -> Result<Option<String>, Status> {
        if flow.filters().is_empty() && flow.score_method().inputs().is_empty() {
            return Ok(None);
        }
        let Some(catalog) = self.newest_catalog(tenant).await else { return Ok(None) };
        let warning = background::run(move || warning(flow, &catalog)).await;
        warning.map_err(|error| serve::internal(&error))
    }

    /// The catalog with all that was written before now, as far as it arrives in time.
    async fn newest_catalog(&self, tenant: &str) -> Option<Arc<Catalog>> {
        let mut follower = self.followers.of(tenant);
        let log = self.known.names.of_kind(OFFER)?.now(tenant).await;
        let has_all = |snapshot: &Snapshot| {
            snapshot.catalog.as_ref().is_some_and(|catalog| catalog.revision >= log.revision)
        };
        let (snapshot, _) =
            follow::wait_for(&mut follower, follow::SNAPSHOT_WAIT_MAX, has_all).await;
        snapshot.catalog.clone()
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

history::resource_service! {
    impl DecisionFlowService for DecisionFlows
        of DecisionFlow as decision_flow, decision_flows by id {
        create create_decision_flow(CreateDecisionFlowRequest) -> CreateDecisionFlowResponse,
        get get_decision_flow(GetDecisionFlowRequest) -> GetDecisionFlowResponse,
        list list_decision_flows(ListDecisionFlowsRequest) -> ListDecisionFlowsResponse
            by [status],
        update update_decision_flow(UpdateDecisionFlowRequest) -> UpdateDecisionFlowResponse,
        delete delete_decision_flow(DeleteDecisionFlowRequest) -> DeleteDecisionFlowResponse,
    }
}
