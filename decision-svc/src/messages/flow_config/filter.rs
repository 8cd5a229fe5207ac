//! Parses the rules of a `filter` node and checks their form. Which fields exist depends on the
//! catalog of a decision.

use formula::{
    Formula, Type,
    rule::{CompiledRule, Literal, Rule},
};
use proffer_proto::decision::v1 as proto;

use super::{Fault, fault};
use crate::domain::step::{FILTERS_MAX, Filter};

/// The node, or its first fault.
pub(super) fn parse(found: &proto::FilterNode) -> Result<Filter, Fault> {
    let count = found.rules.len();
    if !(1..=FILTERS_MAX).contains(&count) {
        let message = format!("has {count} rules; it must have 1 to {FILTERS_MAX}");
        return Err(fault("config.rules", message));
    }
    let mut faults = Vec::new();
    let rules = wire::rule::rules("config.rules", &found.rules, &mut faults);
    if let Some(first) = faults.into_iter().next() {
        return Err(first);
    }
    for (index, rule) in rules.iter().enumerate() {
        if let Some((path, message)) = shape_fault(rule) {
            let path = if path.is_empty() { path } else { format!(".{path}") };
            return Err(fault(&format!("config.rules[{index}]{path}"), message));
        }
    }
    Ok(Filter { rules })
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
                    Some((_, of_type)) => *of_type = value.compared_type(),
                    None => types.push((field, value.compared_type())),
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
