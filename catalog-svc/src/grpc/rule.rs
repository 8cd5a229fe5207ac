//! Qualification rules from messages.

use formula::rule::{Literal, Operator, Rule};
use proffer_proto::catalog::v1::{self as proto, rule::Kind};

use super::value;
use crate::domain::Faults;

const OPERATORS: &str = "==, !=, >, >=, <, <=, in, not_in, contains, not_contains, starts_with, \
                         ends_with, matches, \
                         exists, not_exists";

/// The rules as the domain knows them; faults of values and operators by path. What is at fault is
/// replaced by a test for presence, so that everything else about the rules can still be judged.
pub fn rules(path: &str, found: &[proto::Rule], faults: &mut Faults) -> Vec<Rule> {
    let placed = found.iter().enumerate();
    placed.map(|(index, found)| rule(format!("{path}[{index}]"), found, faults)).collect()
}

/// Brings the values of a rule into the form in which they are stored.
pub fn settle(found: &mut proto::Rule) {
    match &mut found.kind {
        Some(Kind::All(list) | Kind::Any(list)) => list.rules.iter_mut().for_each(settle),
        Some(Kind::Not(inner)) => settle(inner),
        Some(Kind::Condition(found)) => found.value.iter_mut().for_each(value::settle),
        None => {}
    }
}

/// INVARIANT: messages are decoded with a limit of depth, so the recursion is bounded.
fn rule(path: String, found: &proto::Rule, faults: &mut Faults) -> Rule {
    match &found.kind {
        Some(Kind::All(list)) => Rule::All(rules(&format!("{path}.all"), &list.rules, faults)),
        Some(Kind::Any(list)) => Rule::Any(rules(&format!("{path}.any"), &list.rules, faults)),
        Some(Kind::Not(inner)) => Rule::Not(Box::new(rule(format!("{path}.not"), inner, faults))),
        Some(Kind::Condition(found)) => condition(&path, found, faults),
        // A rule without anything is a condition without a field.
        None => presence(""),
    }
}

fn presence(field: &str) -> Rule {
    Rule::Condition { field: field.to_owned(), op: Operator::Exists, value: Literal::None }
}

fn condition(path: &str, found: &proto::Condition, faults: &mut Faults) -> Rule {
    let op = proto::Operator::try_from(found.op).ok().and_then(operator);
    if op.is_none() {
        faults.push((format!("{path}.op"), format!("is required: one of {OPERATORS}")));
    }
    let value = value::literal(found.value.as_ref());
    let value = value.map_err(|message| faults.push((format!("{path}.value"), message)));
    match (op, value) {
        (Some(op), Ok(value)) => Rule::Condition { field: found.field.clone(), op, value },
        _ => presence(&found.field),
    }
}

fn operator(op: proto::Operator) -> Option<Operator> {
    Some(match op {
        proto::Operator::Unspecified => return None,
        proto::Operator::Eq => Operator::Eq,
        proto::Operator::Neq => Operator::Neq,
        proto::Operator::Gt => Operator::Gt,
        proto::Operator::Gte => Operator::Gte,
        proto::Operator::Lt => Operator::Lt,
        proto::Operator::Lte => Operator::Lte,
        proto::Operator::In => Operator::In,
        proto::Operator::NotIn => Operator::NotIn,
        proto::Operator::Contains => Operator::Contains,
        proto::Operator::NotContains => Operator::NotContains,
        proto::Operator::StartsWith => Operator::StartsWith,
        proto::Operator::EndsWith => Operator::EndsWith,
        proto::Operator::Matches => Operator::Matches,
        proto::Operator::Exists => Operator::Exists,
        proto::Operator::NotExists => Operator::NotExists,
    })
}
