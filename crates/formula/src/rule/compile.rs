//! Compiles a rule: checks it against the types of the fields and prepares its tests.

use super::{Literal, Operator, Rule, pattern::Pattern};
use crate::{Number, Type, Value, calendar};

/// Deepest nesting of all, any and not.
pub const DEPTH_MAX: usize = 8;
/// Most conditions of one rule.
pub const CONDITIONS_MAX: usize = 100;

/// A rule that was checked against the fields' types.
#[derive(Clone, Debug)]
pub struct CompiledRule {
    pub(crate) root: Compiled,
}

#[derive(Clone, Debug)]
pub(crate) enum Compiled {
    Condition(Condition),
    All(Vec<Compiled>),
    Any(Vec<Compiled>),
    Not(Box<Compiled>),
}

#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub field: String,
    pub op: Operator,
    pub test: Test,
    pub expected: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Test {
    Presence,
    Value(Value),
    Values(Vec<Value>),
    Pattern(Pattern),
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Where, as `any[1].not`; empty at the root.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl CompiledRule {
    /// Checks `rule` against the types of the fields; all faults are reported.
    pub fn compile(
        rule: &Rule,
        type_of: &dyn Fn(&str) -> Option<Type>,
    ) -> Result<Self, Vec<RuleError>> {
        let mut compiler = Compiler { type_of, faults: Vec::new(), conditions: 0 };
        let root = compiler.rule(rule, String::new(), 0);
        match root {
            Some(root) if compiler.faults.is_empty() => Ok(Self { root }),
            _ => Err(compiler.faults),
        }
    }
}

struct Compiler<'a> {
    type_of: &'a dyn Fn(&str) -> Option<Type>,
    faults: Vec<RuleError>,
    conditions: usize,
}

impl Compiler<'_> {
    fn fault(&mut self, path: &str, message: String) {
        self.faults.push(RuleError { path: path.to_owned(), message });
    }

    fn rule(&mut self, rule: &Rule, path: String, depth: usize) -> Option<Compiled> {
        if depth > DEPTH_MAX {
            self.fault(&path, format!("nested deeper than {DEPTH_MAX}"));
            return None;
        }
        match rule {
            Rule::Condition { field, op, value } => {
                self.conditions += 1;
                if self.conditions == CONDITIONS_MAX + 1 {
                    self.fault(&path, format!("more than {CONDITIONS_MAX} conditions"));
                }
                match self.condition(field, *op, value) {
                    Ok(condition) => Some(Compiled::Condition(condition)),
                    Err(message) => {
                        self.fault(&path, message);
                        None
                    }
                }
            }
            Rule::All(rules) => self.rules(rules, &path, "all", depth).map(Compiled::All),
            Rule::Any(rules) => self.rules(rules, &path, "any", depth).map(Compiled::Any),
            Rule::Not(inner) => {
                let inner = self.rule(inner, joined(&path, "not"), depth + 1)?;
                Some(Compiled::Not(Box::new(inner)))
            }
        }
    }

    fn rules(
        &mut self,
        rules: &[Rule],
        path: &str,
        word: &str,
        depth: usize,
    ) -> Option<Vec<Compiled>> {
        if rules.is_empty() {
            self.fault(path, format!("`{word}` must have at least one rule"));
            return None;
        }
        let mut compiled = Vec::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            compiled.extend(self.rule(rule, joined(path, &format!("{word}[{index}]")), depth + 1));
        }
        (compiled.len() == rules.len()).then_some(compiled)
    }

    fn condition(&self, field: &str, op: Operator, literal: &Literal) -> Result<Condition, String> {
        let fault = |message: String| Err(format!("condition on `{field}`: {message}"));
        let symbol = op.symbol();
        let Some(of_type) = (self.type_of)(field) else {
            return Err(format!("field `{field}` is not declared"));
        };
        // What has its type only when it is evaluated is used as what it is compared with.
        let of_type = if of_type == Type::Any { literal.compared_type() } else { of_type };
        let test = match op {
            Operator::Exists | Operator::NotExists => match literal {
                Literal::None => Test::Presence,
                _ => return fault(format!("operator `{symbol}` takes no value")),
            },
            _ if *literal == Literal::None => {
                return fault(format!("operator `{symbol}` needs a value"));
            }
            Operator::In | Operator::NotIn => match literal {
                Literal::List(items) if items.is_empty() => {
                    return fault("the list is empty".to_owned());
                }
                Literal::List(items) => {
                    let values: Result<Vec<_>, _> =
                        items.iter().map(|item| value_of(item, of_type)).collect();
                    match values {
                        Ok(values) => Test::Values(values),
                        Err(message) => return fault(message),
                    }
                }
                _ => return fault(format!("operator `{symbol}` needs a list of values")),
            },
            Operator::Contains
            | Operator::NotContains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Matches
                if of_type != Type::String =>
            {
                return fault(format!(
                    "operator `{symbol}` needs a string field, and this is a {of_type}"
                ));
            }
            Operator::Matches => match literal {
                Literal::String(pattern) => match Pattern::new(pattern) {
                    Ok(pattern) => Test::Pattern(pattern),
                    Err(message) => return fault(message),
                },
                _ => return fault("operator `matches` needs a regular expression".to_owned()),
            },
            Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte
                if of_type == Type::Boolean =>
            {
                return fault(format!(
                    "operator `{symbol}` needs a field with an order, and this is a boolean"
                ));
            }
            _ => match value_of(literal, of_type) {
                Ok(value) => Test::Value(value),
                Err(message) => return fault(message),
            },
        };
        Ok(Condition { field: field.to_owned(), op, test, expected: spoken(literal) })
    }
}

fn value_of(literal: &Literal, of_type: Type) -> Result<Value, String> {
    let misfit =
        |found: &str| Err(format!("the field is a {of_type} and cannot be compared with {found}"));
    match (of_type, literal) {
        (Type::Number, Literal::Number(number)) if number.is_finite() => Ok(Value::Number(*number)),
        (Type::String, Literal::String(text)) => Ok(Value::String(text.as_str().into())),
        (Type::Boolean, Literal::Boolean(is)) => Ok(Value::Boolean(*is)),
        (Type::Number, Literal::Exact(exact)) => Ok(Value::Exact(*exact)),
        (Type::Date, Literal::String(text)) => {
            let form = calendar::DATE_FORM;
            let fault = || format!("`{text}` is not a date: write {form}");
            calendar::date(text).map(Value::Date).ok_or_else(fault)
        }
        (Type::Timestamp, Literal::String(text)) => {
            let form = calendar::TIMESTAMP_FORM;
            let fault = || format!("`{text}` is not a timestamp: write {form}");
            calendar::timestamp(text).map(Value::Timestamp).ok_or_else(fault)
        }
        (_, Literal::Number(_) | Literal::Exact(_)) => {
            misfit(&format!("the number {}", spoken(literal)))
        }
        (_, Literal::String(text)) => misfit(&format!("the string `{text}`")),
        (_, Literal::Boolean(is)) => misfit(&format!("the boolean {is}")),
        (_, Literal::List(_)) => misfit("a list"),
        (_, Literal::None) => misfit("nothing"),
    }
}

fn spoken(literal: &Literal) -> String {
    match literal {
        Literal::String(text) => text.clone(),
        Literal::Number(number) => Number::Double(*number).to_string(),
        Literal::Exact(exact) => exact.to_string(),
        Literal::Boolean(is) => is.to_string(),
        Literal::List(items) => {
            format!("[{}]", items.iter().map(spoken).collect::<Vec<_>>().join(", "))
        }
        Literal::None => String::new(),
    }
}

fn joined(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}
