//! Evaluates a rule: true, false or unknown, with the condition that explains it.

use super::{
    CompiledRule, Operator,
    compile::{Compiled, Condition, Test},
};
use crate::{Cause, Type, Value, evaluate::order, rule::is_too_long};

/// What a rule comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is true.
    True,
    /// It does not; the first condition that explains it.
    False(Refusal),
    /// It is unknown; the first condition that explains it.
    Unknown(Refusal),
}

/// The condition that decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The field.
    pub field: String,
    /// The comparison, as `>=`.
    pub op: String,
    /// What it was compared with.
    pub expected: String,
    /// What was there; none when unknown.
    pub actual: Option<String>,
    /// Why it is unknown.
    pub cause: Option<String>,
}

/// True, false or unknown, and the condition that explains it.
struct Judged<'a> {
    is: Option<bool>,
    why: Option<(&'a Condition, Value)>,
}

impl CompiledRule {
    /// Whether the rule is true for the values of its fields, read with the operator that looks
    /// at them.
    pub fn evaluate(&self, value_of: &dyn Fn(&str, Operator) -> Value) -> Verdict {
        let judged = judge(&self.root, value_of);
        let refusal = || match judged.why {
            Some((condition, actual)) => refusal(condition, actual),
            None => Refusal::default(),
        };
        match judged.is {
            Some(true) => Verdict::True,
            Some(false) => Verdict::False(refusal()),
            None => Verdict::Unknown(refusal()),
        }
    }
}

impl Condition {
    /// The value as the condition compares it: null with its cause when it is of another type.
    pub(super) fn fitted(&self, actual: Value) -> Value {
        let wanted = match &self.test {
            Test::Presence => None,
            Test::Value(value) => value.type_of(),
            Test::Values(values) => values.first().and_then(Value::type_of),
            Test::Pattern(_) => Some(Type::String),
        };
        match (actual.type_of(), wanted) {
            (Some(found), Some(wanted)) if found != wanted => {
                Value::Null(Cause::misfit(found, wanted))
            }
            _ if self.is_unmatched(&actual) => Value::Null(Cause::unmatched()),
            _ => actual,
        }
    }

    /// A text that is too long for the pattern it is to be matched with.
    fn is_unmatched(&self, actual: &Value) -> bool {
        match (&self.test, actual) {
            (Test::Pattern(_), Value::String(text)) => is_too_long(text),
            _ => false,
        }
    }
}

pub(super) fn refusal(condition: &Condition, actual: Value) -> Refusal {
    let (actual, cause) = match actual {
        Value::Null(cause) => (None, Some(cause.to_string())),
        value => (Some(value.to_string()), None),
    };
    let op = condition.op.symbol().to_owned();
    Refusal {
        field: condition.field.clone(),
        op,
        expected: condition.expected.clone(),
        actual,
        cause,
    }
}

fn judge<'a>(rule: &'a Compiled, value_of: &dyn Fn(&str, Operator) -> Value) -> Judged<'a> {
    match rule {
        Compiled::Condition(condition) => {
            let actual = condition.fitted(value_of(&condition.field, condition.op));
            Judged { is: is_true(condition, &actual), why: Some((condition, actual)) }
        }
        Compiled::Not(inner) => {
            let judged = judge(inner, value_of);
            Judged { is: judged.is.map(|is| !is), why: judged.why }
        }
        Compiled::All(rules) => join(rules, value_of, false),
        Compiled::Any(rules) => join(rules, value_of, true),
    }
}

/// All (decided by false) and any (decided by true); explained by what decided, else by the first
/// unknown.
fn join<'a>(
    rules: &'a [Compiled],
    value_of: &dyn Fn(&str, Operator) -> Value,
    deciding: bool,
) -> Judged<'a> {
    let mut outcome = Judged { is: Some(!deciding), why: None };
    for rule in rules {
        let judged = judge(rule, value_of);
        if judged.is == Some(deciding) {
            return judged;
        }
        let is_first_unknown = judged.is.is_none() && outcome.is.is_some();
        if is_first_unknown || outcome.why.is_none() {
            outcome.why = judged.why;
        }
        if judged.is.is_none() {
            outcome.is = None;
        }
    }
    outcome
}

pub(super) fn is_true(condition: &Condition, actual: &Value) -> Option<bool> {
    let is_null = matches!(actual, Value::Null(_));
    match (condition.op, &condition.test) {
        (Operator::Exists, _) => Some(!is_null),
        (Operator::NotExists, _) => Some(is_null),
        _ if is_null => None,
        (op @ (Operator::In | Operator::NotIn), Test::Values(values)) => {
            let is_in =
                values.iter().any(|value| order(actual, value).is_some_and(|order| order.is_eq()));
            Some(is_in == (op == Operator::In))
        }
        (Operator::Matches, Test::Pattern(regex)) => match actual {
            Value::String(text) => Some(regex.is_match(text)),
            _ => None,
        },
        (op, Test::Value(value)) => compare(op, actual, value),
        _ => None,
    }
}

fn compare(op: Operator, actual: &Value, expected: &Value) -> Option<bool> {
    if let (Value::String(text), Value::String(part)) = (actual, expected) {
        match op {
            Operator::Contains => return Some(text.contains(&**part)),
            Operator::NotContains => return Some(!text.contains(&**part)),
            Operator::StartsWith => return Some(text.starts_with(&**part)),
            Operator::EndsWith => return Some(text.ends_with(&**part)),
            _ => {}
        }
    }
    let order = order(actual, expected)?;
    match op {
        Operator::Eq => Some(order.is_eq()),
        Operator::Neq => Some(order.is_ne()),
        Operator::Gt => Some(order.is_gt()),
        Operator::Gte => Some(order.is_ge()),
        Operator::Lt => Some(order.is_lt()),
        Operator::Lte => Some(order.is_le()),
        _ => None,
    }
}

impl From<Cause> for Value {
    fn from(cause: Cause) -> Self {
        Self::Null(cause)
    }
}
