//! Parses the nodes of a flow: one small function per type.

mod filter;
pub mod learning;
mod score;

use proffer_proto::{
    decision::v1::{self as proto, node::Config},
    values::v1::Reference,
};
use wire::{
    named::{CATEGORY, MODEL, SCHEMA, WEIGHT_PROFILE},
    reference::meant,
};

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
        match step(node, &resource.references) {
            Ok(step) => nodes.push(Node { id: node.id.clone(), step }),
            Err((field, message)) => faults
                .push((path_of(Some(index), &field), format!("node `{}`: {message}", node.id))),
        }
    }
    let learning = learning::parse(config.learning.as_ref(), &mut faults);
    let flow = Flow { nodes, learning };
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
    let online = flow.online_fault().map(|message| (learning::ONLINE_PATH.to_owned(), message));
    faults.extend(online);
    if faults.is_empty() { Ok(flow) } else { Err(faults) }
}

/// What the nodes of a flow refer to, by node: kinds, and names as written. What is left out is no
/// reference.
pub fn refers(resource: &proto::DecisionFlow) -> Vec<(&str, Vec<(&'static str, String)>)> {
    let nodes = resource.config.iter().flat_map(|config| &config.nodes);
    let of_node = |node: &proto::Node| match node.config.as_ref()? {
        Config::Inventory(found) => {
            Some(found.categories.iter().map(|named| (CATEGORY, named.clone())).collect())
        }
        Config::Enrich(found) => named(SCHEMA, &found.schema),
        Config::Score(found) => named(MODEL, &found.model),
        Config::Optimize(found) => named(WEIGHT_PROFILE, &found.profile),
        _ => None,
    };
    nodes.filter_map(|node| Some((node.id.as_str(), of_node(node)?))).collect()
}

fn named(kind: &'static str, named: &str) -> Option<Vec<(&'static str, String)>> {
    (!named.trim().is_empty()).then(|| vec![(kind, named.to_owned())])
}

/// The path of a node's field; of the nodes without an index.
pub fn path_of(index: Option<usize>, field: &str) -> String {
    match index {
        Some(index) if field.is_empty() => format!("{NODES}[{index}]"),
        Some(index) => format!("{NODES}[{index}].{field}"),
        None => NODES.to_owned(),
    }
}

fn step(node: &proto::Node, known: &[Reference]) -> Result<Step, Fault> {
    let Some(config) = &node.config else {
        return Err(fault("type", format!("is required: one of {}", Step::TYPE_NAMES.join(", "))));
    };
    match config {
        Config::Inventory(found) => inventory(found, known).map(Step::from),
        Config::Enrich(found) => Ok(enrich(found, known).into()),
        Config::Compute(_) => Ok(Compute.into()),
        Config::Qualify(_) => Ok(Qualify.into()),
        Config::ContactPolicy(_) => Ok(ContactPolicy.into()),
        Config::Filter(found) => filter::parse(found).map(Step::from),
        Config::MatchCreatives(found) => match_creatives(found).map(Step::from),
        Config::Score(found) => score::parse(found, known).map(Step::from),
        Config::Optimize(found) => optimize(found, known).map(Step::from),
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

fn inventory(found: &proto::InventoryNode, known: &[Reference]) -> Result<Inventory, Fault> {
    let count = found.categories.len();
    if count > CATEGORIES_MAX {
        let message = format!("has {count}, which exceeds the maximum {CATEGORIES_MAX}");
        return Err(fault("config.categories", message));
    }
    let faulty = found.categories.iter().position(|named| named.trim().is_empty());
    if let Some(index) = faulty {
        let message = "is empty: give a category by id or name, or leave it out";
        return Err(fault(&format!("config.categories[{index}]"), message));
    }
    let categories = found.categories.iter().map(|named| meant(known, CATEGORY, named));
    Ok(Inventory { categories: categories.collect() })
}

fn enrich(found: &proto::EnrichNode, known: &[Reference]) -> Enrich {
    match found.schema.as_str() {
        "" => Enrich::default(),
        schema => Enrich { schema: meant(known, SCHEMA, schema) },
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

fn optimize(found: &proto::OptimizeNode, known: &[Reference]) -> Result<Optimize, Fault> {
    if found.profile.trim().is_empty() {
        return Err(fault("config.profile", "is required: id or name of a weight profile"));
    }
    Ok(Optimize { reference: meant(known, WEIGHT_PROFILE, &found.profile), found: None })
}

fn rank(found: &proto::RankNode) -> Result<Rank, Fault> {
    let explores = match proto::Exploration::try_from(found.explore) {
        Ok(proto::Exploration::Unspecified) => false,
        Ok(proto::Exploration::Thompson) => true,
        Err(_) => return Err(fault("config.explore", "must be `thompson`, or left out")),
    };
    let learns_relevance = match proto::RelevanceMethod::try_from(found.relevance) {
        Ok(proto::RelevanceMethod::Unspecified) => false,
        Ok(proto::RelevanceMethod::Learned) => true,
        Err(_) => return Err(fault("config.relevance", "must be `learned`, or left out")),
    };
    let weights = found.weights.as_ref().map(weights);
    match weights.and_then(|weights| weights.fault()) {
        Some(message) => Err(fault("config.weights", message)),
        None => Ok(Rank { weights, explores, learns_relevance }),
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
