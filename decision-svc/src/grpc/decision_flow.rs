//! DecisionFlowService: the checks of flows; create, get, list, update and delete are in `history`.

use std::{collections::BTreeSet, sync::Arc};

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
        compile::{CompiledFlow, CompiledOffer, NoFeature, Unfit},
        flow::Flow,
        learning::own,
        reason::Reason,
        snapshot::Snapshot,
    },
    messages::flow_config,
    neighbours::follow,
};

/// The flows of a tenant.
pub struct DecisionFlows(pub Context);

impl ResourceKind<Context> for proto::DecisionFlow {
    fn count_max(context: &Context) -> Option<usize> {
        Some(context.flows.max_flows as usize)
    }

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
        let config = draft.resource.config.as_mut();
        if let Some(learning) = config.and_then(|config| config.learning.as_mut()) {
            flow_config::learning::settle(learning);
        }
        draft.refuse_faults()?;
        draft.warn(flow.warnings());
        let flow = context.whole_flows.with_parts(tenant, flow).await?;
        let found = context.found_in_catalog(tenant, flow).await?;
        draft.add_faults(found.private);
        let is_active = draft.resource.status() == ResourceStatus::Active;
        match found.costly {
            Some(why) if is_active => draft.add_faults([("config".to_owned(), why)]),
            costly => draft.warn(costly),
        }
        draft.warn(found.warnings.into_iter().chain(found.broken));
        Ok(())
    }
}

/// What a flow makes of the catalog as it is now.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Features that must not be learned from: by path within the flow, and why.
    private: Vec<(String, String)>,
    /// What is said about learning and likely not meant.
    warnings: Vec<String>,
    /// Offers that the flow's own rules, formula or model break.
    pub broken: Option<String>,
    /// The offers cost more than a decision may.
    costly: Option<String>,
}

impl Context {
    /// What a flow's own rules, formula, model and features make of the catalog as it is now, as
    /// far as it is known.
    pub(super) async fn found_in_catalog(&self, tenant: &str, flow: Flow) -> Result<Found, Status> {
        let Some(snapshot) = self.newest_catalog(tenant).await else { return Ok(Found::default()) };
        let found = background::run(move || found(flow, &snapshot)).await;
        found.map_err(|error| serve::internal(&error))
    }

    /// The snapshot with all that was written to the catalog before now, as far as it arrives in
    /// time.
    async fn newest_catalog(&self, tenant: &str) -> Option<Arc<Snapshot>> {
        let mut follower = self.followers.of(tenant);
        let log = self.known.names.of_kind(OFFER)?.now(tenant).await;
        let has_all = |snapshot: &Snapshot| {
            snapshot.catalog.as_ref().is_some_and(|catalog| catalog.revision >= log.revision)
        };
        let (snapshot, _) =
            follow::wait_for(&mut follower, follow::SNAPSHOT_WAIT_MAX, has_all).await;
        snapshot.catalog.is_some().then_some(snapshot)
    }
}

fn found(flow: Flow, snapshot: &Snapshot) -> Found {
    let catalog = snapshot.catalog.clone().unwrap_or_default();
    let zones = snapshot.policy.iter().flat_map(|policy| policy.zone_fields());
    let zones: BTreeSet<String> = zones.map(str::to_owned).collect();
    let learning = flow.learning.clone();
    let compiled = CompiledFlow::compile(flow, "", "", 0, &catalog);
    let mut found = Found::default();
    for NoFeature { index, why, is_private } in compiled.no_features.iter().cloned() {
        if is_private {
            found.private.push((flow_config::learning::path_of(index), why));
        } else {
            found.warnings.push(format!("learning: {why}, and nothing is learned from it"));
        }
    }
    for (index, name) in learning.features.iter().enumerate() {
        if zones.contains(own(name)) {
            let why = format!("`{name}` cannot be a feature: it is the customer's time zone");
            found.private.push((flow_config::learning::path_of(index), why));
        }
    }
    if !catalog.outcome_types.contains_key(&learning.outcome) {
        let outcome = &learning.outcome;
        found.warnings.push(format!("learning: outcome type `{outcome}` not found"));
    }
    found.broken = broken_offers(&compiled);
    found.costly = costly_offers(&compiled);
    found
}

/// How many offers the flow's own rules, formula or model break.
fn broken_offers(compiled: &CompiledFlow) -> Option<String> {
    let is_flows = |why: &&str| why.starts_with("filter: ") || why.starts_with("score: ");
    let broken = compiled.offers.iter().filter_map(|offer| {
        let why = offer.program.as_ref().err().map(|unfit| unfit.why.as_str()).filter(is_flows)?;
        Some((&offer.candidate.offer_id, why))
    });
    let broken: Vec<_> = broken.collect();
    let (offer_id, why) = broken.first()?;
    let (count, all) = (broken.len(), compiled.offers.len());
    Some(format!("{count} of {all} offers are refused, `rule_invalid`; `{offer_id}`: {why}"))
}

/// How many offers cost more than what others leave of a decision's budget.
fn costly_offers(compiled: &CompiledFlow) -> Option<String> {
    let unfit = |offer: &CompiledOffer| offer.program.as_ref().err().cloned();
    let costly = compiled.offers.iter().filter_map(|offer| Some((offer, unfit(offer)?)));
    let costly: Vec<_> = costly.filter(|(_, unfit)| unfit.code == Reason::RuleTooCostly).collect();
    let (offer, Unfit { why, .. }) = costly.first()?;
    let (count, all, offer_id) = (costly.len(), compiled.offers.len(), &offer.candidate.offer_id);
    Some(format!(
        "{count} of {all} offers would be refused, `rule_too_costly`; `{offer_id}`: {why}"
    ))
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
