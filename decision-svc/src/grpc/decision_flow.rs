//! DecisionFlowService.

use history::{Author, Collection, HistoryError, Resource as _};
use proffer_proto::{
    decision::v1::{self as proto, decision_flow_service_server::DecisionFlowService, node::Config},
    values::v1::ResourceStatus,
};
use serve::metadata;
use tonic::{Request, Response, Status};

use super::Context;
use crate::domain::flow::{DEFAULT_SCHEMA, Flow, Node, ScoreMethod, Step, Weights};

/// The flows of a tenant.
pub struct DecisionFlows(pub Context);

type Faults = Vec<(String, String)>;

const NODES: &str = "decision_flow.config.nodes";
const SUPPORTED: &str = "inventory, enrich, compute, qualify, contact_policy, score, rank, response";
/// Most categories of an inventory.
const CATEGORIES_MAX: usize = 100;

/// The flow as the domain knows it, or all faults by path.
pub fn parse(resource: &proto::DecisionFlow) -> Result<Flow, Faults> {
    let Some(config) = resource.config.as_ref() else {
        return Err(vec![("decision_flow.config".to_owned(), "is required: {\"nodes\": […]}".to_owned())]);
    };
    let mut faults = Faults::new();
    let mut nodes = Vec::new();
    for (index, node) in config.nodes.iter().enumerate() {
        match step(node) {
            Ok(step) => nodes.push(Node { id: node.id.clone(), step }),
            Err((field, message)) => {
                faults.push((format!("{NODES}[{index}].{field}"), format!("node `{}`: {message}", node.id)));
            }
        }
    }
    let flow = Flow { nodes };
    // The order is judged when every node is understood: a fault must not hide behind another's.
    if faults.is_empty() {
        faults = flow
            .faults()
            .into_iter()
            .map(|(index, message)| match index {
                Some(index) => (format!("{NODES}[{index}]"), message),
                None => (NODES.to_owned(), message),
            })
            .collect();
    }
    if faults.is_empty() { Ok(flow) } else { Err(faults) }
}

fn step(node: &proto::Node) -> Result<Step, (&'static str, String)> {
    let unserved = |name: &str| Err(("type", format!("type `{name}` is not yet supported; supported are {SUPPORTED}")));
    Ok(match &node.config {
        None => return Err(("type", format!("is required: one of {SUPPORTED}"))),
        Some(Config::Inventory(inventory)) if inventory.categories.len() > CATEGORIES_MAX => {
            let count = inventory.categories.len();
            return Err(("config.categories", format!("holds {count}, which exceeds the maximum {CATEGORIES_MAX}")));
        }
        Some(Config::Inventory(inventory)) => Step::Inventory(inventory.categories.clone()),
        Some(Config::Enrich(enrich)) if enrich.schema.is_empty() => Step::Enrich(DEFAULT_SCHEMA.to_owned()),
        Some(Config::Enrich(enrich)) => Step::Enrich(enrich.schema.clone()),
        Some(Config::Compute(_)) => Step::Compute,
        Some(Config::Qualify(_)) => Step::Qualify,
        Some(Config::ContactPolicy(_)) => Step::ContactPolicy,
        Some(Config::Score(score)) => Step::Score(method(score)?),
        Some(Config::Rank(rank)) => {
            let weights = rank.weights.as_ref().map(weights).unwrap_or_default();
            match weights.fault() {
                Some(fault) => return Err(("config.weights", fault)),
                None => Step::Rank(weights),
            }
        }
        Some(Config::Response(_)) => Step::Response,
        Some(Config::Filter(_)) => return unserved("filter"),
        Some(Config::MatchCreatives(_)) => return unserved("match_creatives"),
        Some(Config::Optimize(_)) => return unserved("optimize"),
        Some(Config::Group(_)) => return unserved("group"),
        Some(Config::Conditional(_)) => return unserved("conditional"),
        Some(Config::CallFlow(_)) => return unserved("call_flow"),
        Some(Config::SetProperties(_)) => return unserved("set_properties"),
    })
}

fn method(score: &proto::ScoreNode) -> Result<ScoreMethod, (&'static str, String)> {
    let unserved = |name: &str| {
        Err(("config.method", format!("method `{name}` is not yet supported; supported are propensity, priority")))
    };
    match proto::ScoreMethod::try_from(score.method) {
        Ok(proto::ScoreMethod::Unspecified | proto::ScoreMethod::Propensity) => Ok(ScoreMethod::Propensity),
        Ok(proto::ScoreMethod::Priority) => Ok(ScoreMethod::Priority),
        Ok(proto::ScoreMethod::Formula) => unserved("formula"),
        Ok(proto::ScoreMethod::Model) => unserved("model"),
        Err(_) => unserved(&score.method.to_string()),
    }
}

fn weights(found: &proto::Weights) -> Weights {
    Weights {
        propensity: found.propensity,
        relevance: found.relevance,
        impact: found.impact,
        emphasis: found.emphasis,
        uplift: found.uplift,
    }
}

/// All faults of a flow, and what is allowed and likely not meant.
fn check(resource: &proto::DecisionFlow) -> Result<Vec<String>, HistoryError> {
    let mut faults = Collection::common_faults(resource);
    match parse(resource) {
        Ok(flow) if faults.is_empty() => return Ok(flow.warnings()),
        Ok(_) => {}
        Err(more) => faults.extend(more),
    }
    Err(HistoryError::Invalid(faults))
}

#[tonic::async_trait]
impl DecisionFlowService for DecisionFlows {
    async fn create_decision_flow(
        &self,
        request: Request<proto::CreateDecisionFlowRequest>,
    ) -> Result<Response<proto::CreateDecisionFlowResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let mut resource = request.into_inner().decision_flow.unwrap_or_default();
        if resource.status() == ResourceStatus::Unspecified {
            resource.set_status(ResourceStatus::Active);
        }
        let warnings = check(&resource)?;
        let mut stored = self.0.flows.create(&author, resource).await?;
        stored.warn(warnings);
        Ok(Response::new(proto::CreateDecisionFlowResponse { decision_flow: Some(stored) }))
    }

    async fn get_decision_flow(
        &self,
        request: Request<proto::GetDecisionFlowRequest>,
    ) -> Result<Response<proto::GetDecisionFlowResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let found = self.0.flows.get(&tenant, &request.into_inner().id).await?;
        Ok(Response::new(proto::GetDecisionFlowResponse { decision_flow: Some(found) }))
    }

    async fn list_decision_flows(
        &self,
        request: Request<proto::ListDecisionFlowsRequest>,
    ) -> Result<Response<proto::ListDecisionFlowsResponse>, Status> {
        let tenant = metadata::tenant(request.metadata())?;
        let request = request.into_inner();
        let page = self.0.flows.list(&tenant, request.page_size, &request.page_token).await?;
        let (decision_flows, next_page_token) = (page.items, page.next);
        Ok(Response::new(proto::ListDecisionFlowsResponse { decision_flows, next_page_token }))
    }

    async fn update_decision_flow(
        &self,
        request: Request<proto::UpdateDecisionFlowRequest>,
    ) -> Result<Response<proto::UpdateDecisionFlowResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        let paths = request.update_mask.unwrap_or_default().paths;
        let patch = request.decision_flow.unwrap_or_default();
        let draft = self.0.flows.merge(&author.tenant, &request.id, patch, &paths).await?;
        let warnings = check(&draft.resource)?;
        let mut stored = self.0.flows.update(&author, draft).await?;
        stored.warn(warnings);
        Ok(Response::new(proto::UpdateDecisionFlowResponse { decision_flow: Some(stored) }))
    }

    async fn delete_decision_flow(
        &self,
        request: Request<proto::DeleteDecisionFlowRequest>,
    ) -> Result<Response<proto::DeleteDecisionFlowResponse>, Status> {
        let author = Author::of(request.metadata(), &self.0.clock)?;
        let request = request.into_inner();
        self.0.flows.delete(&author, &request.id, &request.etag).await?;
        Ok(Response::new(proto::DeleteDecisionFlowResponse {}))
    }
}
