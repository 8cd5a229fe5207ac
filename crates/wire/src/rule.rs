//! Rules: qualification rules of offers, filters of flows.

use formula::rule::{Literal, Operator, Rule};
use proffer_proto::catalog::v1::{self as proto, rule::Kind};

use crate::{Faults, value};

const OPERATORS: &str = "==, !=, >, >=, <, <=, in, not_in, contains, not_contains, starts_with, \
                         ends_with, matches, exists, not_exists";

/// The rules, with the faults of their operators and values by path. What is at fault is replaced
/// by a test for presence, so that everything else about the rules can still be checked.
pub fn rules(path: &str, found: &[proto::Rule], faults: &mut Faults) -> Vec<Rule> {
    let placed = found.iter().enumerate();
    placed.map(|(index, found)| rule(format!("{path}[{index}]"), found, faults)).collect()
}

/// A rule that was checked when it was written. One that cannot be read any more holds for nobody.
pub fn stored(found: &proto::Rule) -> Rule {
    let mut faults = Faults::new();
    let read = rule(String::new(), found, &mut faults);
    // A list without rules does not compile: its offer is refused rather than let through.
    if faults.is_empty() { read } else { Rule::Any(Vec::new()) }
}

/// Brings the values of a rule into the form in which they are stored.
pub fn settle(found: &mut proto::Rule) {
    match &mut found.kind {
        Some(Kind::All(list) | Kind::Any(list)) => list.rules.iter_mut().for_each(settle),
        Some(Kind::Negated(inner)) => settle(inner),
        Some(Kind::Condition(found)) => found.value.iter_mut().for_each(value::settle),
        None => {}
    }
}

/// INVARIANT: messages are decoded with a limit of depth, so the recursion is bounded.
fn rule(path: String, found: &proto::Rule, faults: &mut Faults) -> Rule {
    match &found.kind {
        Some(Kind::All(list)) => Rule::All(rules(&format!("{path}.all"), &list.rules, faults)),
        Some(Kind::Any(list)) => Rule::Any(rules(&format!("{path}.any"), &list.rules, faults)),
        Some(Kind::Negated(inner)) => {
            Rule::Not(Box::new(rule(format!("{path}.not"), inner, faults)))
        }
        Some(Kind::Condition(found)) => condition(&path, found, faults),
        // A rule without anything is a condition without a field, which does not compile.
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

#[cfg(test)]
mod tests {
    use proffer_proto::values::v1::{Value, value};

    use super::*;

    fn condition(field: &str, op: proto::Operator, kind: Option<value::Kind>) -> proto::Rule {
        let value = Some(Value { kind });
        let condition = proto::Condition { field: field.to_owned(), op: op.into(), value };
        proto::Rule { kind: Some(Kind::Condition(condition)) }
    }

    #[test]
    fn every_fault_is_named_by_its_path() {
        let rules = vec![
            condition("a", proto::Operator::Unspecified, Some(value::Kind::IntegerValue(1))),
            condition("b", proto::Operator::Eq, Some(value::Kind::DoubleValue(f64::NAN))),
        ];
        let all = proto::Rule { kind: Some(Kind::All(proto::RuleList { rules })) };
        let mut faults = Faults::new();
        super::rules("rules", std::slice::from_ref(&all), &mut faults);
        let expected = [
            ("rules[0].all[0].op".to_owned(), format!("is required: one of {OPERATORS}")),
            ("rules[0].all[1].value".to_owned(), "must be a finite number".to_owned()),
        ];
        assert_eq!(faults, expected);
        assert_eq!(stored(&all), Rule::Any(Vec::new()));
    }

    #[test]
    fn what_fits_is_read_alike_from_a_caller_and_from_the_store() {
        let rule = condition("a", proto::Operator::Gte, Some(value::Kind::IntegerValue(1)));
        let read = Rule::Condition {
            field: "a".to_owned(),
            op: Operator::Gte,
            value: Literal::Number(1.0),
        };
        let mut faults = Faults::new();
        assert_eq!(rules("rules", std::slice::from_ref(&rule), &mut faults), [stored(&rule)]);
        assert_eq!((stored(&rule), faults), (read, Faults::new()));
    }
}
