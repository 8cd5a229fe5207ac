//! Evaluates every part of a rule, for explanations.

use super::{
    CompiledRule, Operator,
    compile::{Compiled, Condition},
    evaluate::{Refusal, is_true, refusal},
};
use crate::Value;

/// A rule, or a part of one, and whether it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// None when it is unknown.
    pub is: Option<bool>,
    /// The field; empty for a rule made of rules.
    pub field: String,
    /// The comparison as a symbol; `all`, `any` or `not` for a rule made of rules.
    pub op: String,
    /// What the field is compared with.
    pub expected: String,
    /// What is there; none when unknown.
    pub actual: Option<String>,
    /// Why it is unknown.
    pub cause: Option<String>,
    /// The rules it is made of, all of them, whatever decided.
    pub rules: Vec<Trace>,
}

impl CompiledRule {
    /// Whether the rule and all its parts are true for the values of its fields, read with the
    /// operator that looks at them. The whole says what [`CompiledRule::evaluate`] says.
    pub fn trace(&self, value_of: &dyn Fn(&str, Operator) -> Value) -> Trace {
        trace(&self.root, value_of)
    }
}

fn trace(rule: &Compiled, value_of: &dyn Fn(&str, Operator) -> Value) -> Trace {
    match rule {
        Compiled::Condition(condition) => {
            let actual = value_of(&condition.field, condition.op);
            of_condition(condition, condition.fitted(actual))
        }
        Compiled::Not(inner) => {
            let inner = trace(inner, value_of);
            joined("not", inner.is.map(|is| !is), vec![inner])
        }
        Compiled::All(rules) => {
            let rules: Vec<_> = rules.iter().map(|rule| trace(rule, value_of)).collect();
            joined("all", decided(&rules, false), rules)
        }
        Compiled::Any(rules) => {
            let rules: Vec<_> = rules.iter().map(|rule| trace(rule, value_of)).collect();
            joined("any", decided(&rules, true), rules)
        }
    }
}

fn of_condition(condition: &Condition, actual: Value) -> Trace {
    let is = is_true(condition, &actual);
    let refusal = refusal(condition, actual);
    let Refusal { field, op, expected, actual, cause } = refusal;
    Trace { is, field, op, expected, actual, cause, rules: Vec::new() }
}

/// All (decided by false) and any (decided by true): an unknown part leaves the whole unknown
/// unless another decides.
fn decided(rules: &[Trace], deciding: bool) -> Option<bool> {
    if rules.iter().any(|rule| rule.is == Some(deciding)) {
        return Some(deciding);
    }
    rules.iter().all(|rule| rule.is.is_some()).then_some(!deciding)
}

fn joined(op: &str, is: Option<bool>, rules: Vec<Trace>) -> Trace {
    let (field, expected, actual, cause) = (String::new(), String::new(), None, None);
    Trace { is, field, op: op.to_owned(), expected, actual, cause, rules }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Cause, Type,
        rule::{Literal, Rule, Verdict},
    };

    fn rule(field: &str, value: f64) -> Rule {
        Rule::Condition { field: field.into(), op: Operator::Gte, value: Literal::Number(value) }
    }

    /// `a` is 5, `b` is missing.
    fn value(name: &str, _: Operator) -> Value {
        if name == "a" { Value::Number(5.0) } else { Value::Null(Cause::missing(name)) }
    }

    #[test]
    fn every_part_is_told_and_the_whole_is_the_verdict() {
        let parts = [rule("a", 5.0), rule("a", 6.0), rule("b", 1.0)];
        let mut rules: Vec<Rule> = parts.to_vec();
        for pair in [[0, 1], [0, 2], [1, 2], [2, 0]] {
            let two = || pair.iter().map(|place| parts[*place].clone()).collect::<Vec<_>>();
            rules.extend([
                Rule::All(two()),
                Rule::Any(two()),
                Rule::Not(Box::new(Rule::Any(two()))),
            ]);
        }
        for rule in &rules {
            let compiled = CompiledRule::compile(rule, &|_| Some(Type::Number)).unwrap();
            let expected = match compiled.evaluate(&value) {
                Verdict::True => Some(true),
                Verdict::False(_) => Some(false),
                Verdict::Unknown(_) => None,
            };
            assert_eq!(compiled.trace(&value).is, expected, "{rule:?}");
        }
        let both = CompiledRule::compile(&Rule::All(parts.to_vec()), &|_| Some(Type::Number))
            .unwrap()
            .trace(&value);
        let told: Vec<_> = both
            .rules
            .iter()
            .map(|part| (part.is, part.actual.as_deref(), part.cause.as_deref()))
            .collect();
        assert_eq!(both.op, "all");
        assert_eq!(
            told,
            [
                (Some(true), Some("5"), None),
                (Some(false), Some("5"), None),
                (None, None, Some("missing b"))
            ]
        );
    }
}
