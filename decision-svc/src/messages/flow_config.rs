//! The steps of a flow, from proto to domain.

use formula::{
    Formula, Type,
    rule::{CompiledRule, Literal, Rule},
};
use proffer_proto::decision::v1::{self as proto, node::Config};

use crate::{
    domain::{
        compile::literal_type,
        creative::PlacementMatch,
        flow::{
            CreativeMatch, DEFAULT_SCHEMA, Flow, NamedModel, Node, Profile, ScoreMethod, Step,
            Weights,
        },
    },
    neighbours::catalog,
};

type Faults = Vec<(String, String)>;
/// A fault of a node: the field within it, and what is wrong.
type Fault = (String, String);

const NODES: &str = "decision_flow.config.nodes";
const SUPPORTED: &str = "inventory, enrich, compute, qualify, contact_policy, filter, match_creatives, score, optimize, \
                         rank, response";
/// Most categories of an inventory.
const CATEGORIES_MAX: usize = 100;
/// Most rules of a filter.
const FILTERS_MAX: usize = 100;

/// The flow as the domain knows it, or all faults by path.
pub fn parse(resource: &proto::DecisionFlow) -> Result<Flow, Faults> {
    let Some(config) = resource.config.as_ref() else {
        return Err(vec![(
            "decision_flow.config".to_owned(),
            "is required: {\"nodes\": […]}".to_owned(),
        )]);
    };
    let mut faults = Faults::new();
    let mut nodes = Vec::new();
    for (index, node) in config.nodes.iter().enumerate() {
        match step(node) {
            Ok(step) => nodes.push(Node { id: node.id.clone(), step }),
            Err((field, message)) => {
                faults.push((
                    format!("{NODES}[{index}].{field}"),
                    format!("node `{}`: {message}", node.id),
                ));
            }
        }
    }
    let flow = Flow { nodes };
    // The order is judged when every node is understood: a fault must not hide behind another's.
    if faults.is_empty() {
        faults = flow
            .faults()
            .into_iter()
            .map(|(index, message)| (path_of(index, ""), message))
            .collect();
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
    let unserved = |name: &str| {
        Err(fault("type", format!("type `{name}` is not yet supported; supported are {SUPPORTED}")))
    };
    Ok(match &node.config {
        None => return Err(fault("type", format!("is required: one of {SUPPORTED}"))),
        Some(Config::Inventory(inventory)) if inventory.categories.len() > CATEGORIES_MAX => {
            let count = inventory.categories.len();
            return Err(fault(
                "config.categories",
                format!("holds {count}, which exceeds the maximum {CATEGORIES_MAX}"),
            ));
        }
        Some(Config::Inventory(inventory)) => Step::Inventory(inventory.categories.clone()),
        Some(Config::Enrich(enrich)) if enrich.schema.is_empty() => {
            Step::Enrich(DEFAULT_SCHEMA.to_owned())
        }
        Some(Config::Enrich(enrich)) => Step::Enrich(enrich.schema.clone()),
        Some(Config::Compute(_)) => Step::Compute,
        Some(Config::Qualify(_)) => Step::Qualify,
        Some(Config::ContactPolicy(_)) => Step::ContactPolicy,
        Some(Config::Filter(filter)) => Step::Filter(filters(filter)?),
        Some(Config::MatchCreatives(found)) => Step::MatchCreatives(creative_match(found)?),
        Some(Config::Score(score)) => Step::Score(method(score)?),
        Some(Config::Optimize(optimize)) if optimize.profile.trim().is_empty() => {
            return Err(fault(
                "config.profile",
                "is required: id or name of a weight profile".to_owned(),
            ));
        }
        Some(Config::Optimize(optimize)) => {
            Step::Optimize(Profile { reference: optimize.profile.clone(), found: None })
        }
        Some(Config::Rank(rank)) => {
            let weights = rank.weights.as_ref().map(weights);
            match weights.and_then(|weights| weights.fault()) {
                Some(message) => return Err(fault("config.weights", message)),
                None => Step::Rank(weights),
            }
        }
        Some(Config::Response(_)) => Step::Response,
        Some(Config::Group(_)) => return unserved("group"),
        Some(Config::Conditional(_)) => return unserved("conditional"),
        Some(Config::CallFlow(_)) => return unserved("call_flow"),
        Some(Config::SetProperties(_)) => return unserved("set_properties"),
    })
}

fn fault(field: &str, message: String) -> Fault {
    (field.to_owned(), message)
}

/// The rules of a filter. Which fields there are the catalog of the decision says; their shape is
/// checked here.
fn filters(filter: &proto::FilterNode) -> Result<Vec<Rule>, Fault> {
    let count = filter.rules.len();
    if !(1..=FILTERS_MAX).contains(&count) {
        return Err(fault(
            "config.rules",
            format!("holds {count} rules; it must hold 1 to {FILTERS_MAX}"),
        ));
    }
    let rules: Vec<Rule> = filter.rules.iter().map(catalog::rule).collect();
    for (index, rule) in rules.iter().enumerate() {
        if let Some((path, message)) = shape_fault(rule) {
            let path = if path.is_empty() { path } else { format!(".{path}") };
            return Err(fault(&format!("config.rules[{index}]{path}"), message));
        }
    }
    Ok(rules)
}

/// What is wrong with a rule whatever its fields are: each is taken to have the type it is compared
/// with.
fn shape_fault(rule: &Rule) -> Option<(String, String)> {
    let mut types: Vec<(&str, Type)> = Vec::new();
    let mut open = vec![rule];
    while let Some(rule) = open.pop() {
        match rule {
            Rule::Condition { field, value, .. } => {
                if Formula::names(field).ok().is_none_or(|names| names != [field.as_str()]) {
                    let wanted =
                        "write `customer.x`, `attributes.x`, `offer.x`, `metrics.x` or `x` alone";
                    return Some((String::new(), format!("`{field}` is no name: {wanted}")));
                }
                match types.iter_mut().find(|(name, _)| name == field) {
                    Some(_) if *value == Literal::None => {}
                    Some((_, of_type)) => *of_type = literal_type(value),
                    None => types.push((field, literal_type(value))),
                }
            }
            Rule::All(rules) | Rule::Any(rules) => open.extend(rules),
            Rule::Not(rule) => open.push(rule),
        }
    }
    let known =
        |name: &str| types.iter().find(|(field, _)| *field == name).map(|(_, of_type)| *of_type);
    let fault = CompiledRule::compile(rule, &known).err()?.into_iter().next()?;
    Some((fault.path, fault.message))
}

fn creative_match(found: &proto::MatchCreativesNode) -> Result<CreativeMatch, Fault> {
    let placement = match proto::PlacementMatchMode::try_from(found.placement_match_mode) {
        Ok(proto::PlacementMatchMode::Unspecified | proto::PlacementMatchMode::Any) => {
            PlacementMatch::Any
        }
        Ok(proto::PlacementMatchMode::Exact) => PlacementMatch::Exact,
        Ok(proto::PlacementMatchMode::None) => PlacementMatch::None,
        Err(_) => {
            return Err(fault(
                "config.placement_match_mode",
                "must be one of any, exact, none".to_owned(),
            ));
        }
    };
    Ok(CreativeMatch { is_required: found.require_creative.unwrap_or(true), placement })
}

fn method(score: &proto::ScoreNode) -> Result<ScoreMethod, Fault> {
    let (formula, model) = (score.formula.trim(), score.model.trim());
    let unwanted = |field: &str, text: &str, method: &str| {
        (!text.is_empty())
            .then(|| fault(field, format!("is for method `{method}` alone; leave it out")))
    };
    let (method, faults) = match proto::ScoreMethod::try_from(score.method) {
        Ok(proto::ScoreMethod::Formula) => {
            if formula.is_empty() {
                return Err(fault(
                    "config.formula",
                    "is required with method `formula`".to_owned(),
                ));
            }
            // The text itself is kept: positions in later faults are positions in what was written.
            Formula::names(&score.formula)
                .map_err(|error| fault("config.formula", error.to_string()))?;
            (
                ScoreMethod::Formula(score.formula.clone()),
                [None, unwanted("config.model", model, "model")],
            )
        }
        Ok(proto::ScoreMethod::Model) => {
            if model.is_empty() {
                return Err(fault(
                    "config.model",
                    "is required with method `model`: id or name of a model".to_owned(),
                ));
            }
            let named = NamedModel { reference: score.model.clone(), found: None };
            (ScoreMethod::Model(named), [unwanted("config.formula", formula, "formula"), None])
        }
        Ok(known) => {
            let method = match known {
                proto::ScoreMethod::Priority => ScoreMethod::Priority,
                _ => ScoreMethod::Propensity,
            };
            (
                method,
                [
                    unwanted("config.formula", formula, "formula"),
                    unwanted("config.model", model, "model"),
                ],
            )
        }
        Err(_) => {
            let message = "must be one of propensity, priority, formula, model";
            return Err(fault("config.method", message.to_owned()));
        }
    };
    match faults.into_iter().flatten().next() {
        Some(fault) => Err(fault),
        None => Ok(method),
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
