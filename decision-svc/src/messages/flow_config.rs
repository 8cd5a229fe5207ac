//! Parses the nodes of a flow: one small function per type.

mod filter;
mod score;

use proffer_proto::decision::v1::{self as proto, node::Config};

use crate::domain::{
    creative::PlacementMatch,
    flow::{Flow, Node},
    rank::Weights,
    step::{
        CATEGORIES_MAX, Compute, ContactPolicy, Enrich, Inventory, MatchCreatives, Optimize,
        Qualify, Rank, Response, Step,
    },
};

type Faults = Vec<(String, String)>;
/// A fault of a node: the field within it, and what is wrong.
type Fault = (String, String);

const NODES: &str = "config.nodes";

/// The flow as the domain knows it, or all faults by path within the resource.
pub fn parse(resource: &proto::DecisionFlow) -> Result<Flow, Faults> {
    let Some(config) = resource.config.as_ref() else {
        return Err(vec![("config".to_owned(), "is required: {\"nodes\": […]}".to_owned())]);
    };
    let mut faults = Faults::new();
    let mut nodes = Vec::new();
    for (index, node) in config.nodes.iter().enumerate() {
        match step(node) {
            Ok(step) => nodes.push(Node { id: node.id.clone(), step }),
            Err((field, message)) => faults
                .push((path_of(Some(index), &field), format!("node `{}`: {message}", node.id))),
        }
    }
    let flow = Flow { nodes };
    // The order is checked when every node is understood: no fault may hide another.
    if faults.is_empty() {
        let found = flow.faults().into_iter();
        let id = |index: usize| flow.nodes.get(index).map(|node| node.id.as_str());
        let named = |(index, message): (Option<usize>, String)| match index.and_then(id) {
            Some(id) if !id.is_empty() && !message.contains(&format!("`{id}`")) => {
                (path_of(index, ""), format!("node `{id}`: {message}"))
            }
            _ => (path_of(index, ""), message),
        };
        faults = found.map(named).collect();
    }
    if faults.is_empty() { Ok(flow) } else { Err(faults) }
}

/// The path of a node's field; of the nodes without an index.
pub fn path_of(index: Option<usize>, field: &str) -> String {
    match index {
        Some(index) if field.is_empty() => format!("{NODES}[{index}]"),
        Some(index) => format!("{NODES}[{index}].{field}"),
        None => NODES.to_owned(),
    }
}

fn step(node: &proto::Node) -> Result<Step, Fault> {
    let Some(config) = &node.config else {
        return Err(fault("type", format!("is required: one of {}", Step::TYPE_NAMES.join(", "))));
    };
    match config {
        Config::Inventory(found) => inventory(found).map(Step::from),
        Config::Enrich(found) => Ok(enrich(found).into()),
        Config::Compute(_) => Ok(Compute.into()),
        Config::Qualify(_) => Ok(Qualify.into()),
        Config::ContactPolicy(_) => Ok(ContactPolicy.into()),
        Config::Filter(found) => filter::parse(found).map(Step::from),
        Config::MatchCreatives(found) => match_creatives(found).map(Step::from),
        Config::Score(found) => score::parse(found).map(Step::from),
        Config::Optimize(found) => optimize(found).map(Step::from),
        Config::Rank(found) => rank(found).map(Step::from),
        Config::Response(_) => Ok(Response.into()),
        Config::Group(_) => Err(unserved("group")),
        Config::Conditional(_) => Err(unserved("conditional")),
        Config::CallFlow(_) => Err(unserved("call_flow")),
        Config::SetProperties(_) => Err(unserved("set_properties")),
    }
}

fn fault(field: &str, message: impl Into<String>) -> Fault {
    (field.to_owned(), message.into())
}

fn unserved(type_name: &str) -> Fault {
    let supported = Step::TYPE_NAMES.join(", ");
    fault("type", format!("type `{type_name}` is not yet supported; supported are {supported}"))
}

fn inventory(found: &proto::InventoryNode) -> Result<Inventory, Fault> {
    let count = found.categories.len();
    if count > CATEGORIES_MAX {
        let message = format!("holds {count}, which exceeds the maximum {CATEGORIES_MAX}");
        return Err(fault("config.categories", message));
    }
    Ok(Inventory { categories: found.categories.clone() })
}

fn enrich(found: &proto::EnrichNode) -> Enrich {
    match found.schema.as_str() {
        "" => Enrich::default(),
        schema => Enrich { schema: schema.to_owned() },
    }
}

fn match_creatives(found: &proto::MatchCreativesNode) -> Result<MatchCreatives, Fault> {
    let placement = match proto::PlacementMatchMode::try_from(found.placement_match_mode) {
        Ok(proto::PlacementMatchMode::Unspecified | proto::PlacementMatchMode::Any) => {
            PlacementMatch::Any
        }
        Ok(proto::PlacementMatchMode::Exact) => PlacementMatch::Exact,
        Ok(proto::PlacementMatchMode::None) => PlacementMatch::None,
        Err(_) => {
            let message = "must be one of any, exact, none";
            return Err(fault("config.placement_match_mode", message));
        }
    };
    Ok(MatchCreatives { is_required: found.require_creative.unwrap_or(true), placement })
}

fn optimize(found: &proto::OptimizeNode) -> Result<Optimize, Fault> {
    if found.profile.trim().is_empty() {
        return Err(fault("config.profile", "is required: id or name of a weight profile"));
    }
    Ok(Optimize { reference: found.profile.clone(), found: None })
}

fn rank(found: &proto::RankNode) -> Result<Rank, Fault> {
    let weights = found.weights.as_ref().map(weights);
    match weights.and_then(|weights| weights.fault()) {
        Some(message) => Err(fault("config.weights", message)),
        None => Ok(Rank { weights }),
    }
}

/// Weights from proto.
pub fn weights(found: &proto::Weights) -> Weights {
    Weights {
        propensity: found.propensity,
        relevance: found.relevance,
        impact: found.impact,
        emphasis: found.emphasis,
        uplift: found.uplift,
    }
}
