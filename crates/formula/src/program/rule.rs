//! A rule compiled into a program over registers.

use super::{
    Constants, Datum, Inputs, Register, Texts, Why, Word,
    orders::{Moved, Orders, Range},
};
use crate::{
    Steps, Type, Value,
    rule::{Compiled, CompiledRule, Condition, Operator, Pattern, Refusal, Test, is_too_long},
};

/// A rule over registers.
#[derive(Clone, Debug)]
pub struct RuleProgram {
    root: Shape,
    reads: Box<[Register]>,
}

#[derive(Clone, Debug)]
enum Shape {
    Condition(Comparison),
    All(Box<[Shape]>),
    Any(Box<[Shape]>),
    Not(Box<Shape>),
}

#[derive(Clone, Debug)]
struct Comparison {
    register: Register,
    op: Operator,
    with: With,
    field: Box<str>,
    expected: Box<str>,
}

#[derive(Clone, Debug)]
enum With {
    Presence,
    Value(Datum),
    Values(Box<[Datum]>),
    Pattern(Pattern),
}

/// A rule that compares one register with a number or a truth, and nothing else; or several such.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// What it reads.
    pub register: Register,
    moved: Moved,
    expected: Expected,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Number(Range),
    Boolean(bool),
}

/// Whether a rule is true, and the condition that explains it.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// None when it is unknown.
    pub is: Option<bool>,
    why: Option<(&'a Comparison, Datum)>,
}

impl RuleProgram {
    /// Makes the program of a rule; `register_of` tells the register of a field under an operator,
    /// none for an unknown one. None as well when `constants` has no room.
    pub fn new(
        rule: &CompiledRule,
        constants: &mut Constants,
        register_of: &dyn Fn(&str, Operator) -> Option<Register>,
    ) -> Option<Self> {
        let mut reads = Vec::new();
        let root = shape(&rule.root, constants, register_of, &mut reads)?;
        reads.sort_unstable();
        reads.dedup();
        Some(Self { root, reads: reads.into() })
    }

    /// The registers it reads, ascending.
    pub fn reads(&self) -> &[Register] {
        &self.reads
    }

    /// When the rule is one test for equality: the register, and the values it may have.
    pub fn equality(&self) -> Option<(Register, &[Datum])> {
        let Shape::Condition(comparison) = &self.root else { return None };
        match (comparison.op, &comparison.with) {
            (Operator::Eq, With::Value(value)) => {
                Some((comparison.register, std::slice::from_ref(value)))
            }
            (Operator::In, With::Values(values)) => Some((comparison.register, values)),
            _ => None,
        }
    }

    /// When the rule is one comparison with a number or a truth.
    pub fn check(&self) -> Option<Check> {
        let Shape::Condition(comparison) = &self.root else { return None };
        let mut moved = Moved::default();
        let expected = match (comparison.op, &comparison.with) {
            (op, With::Value(Datum::Number(number))) => {
                let orders = Orders::of_rule(op)?;
                moved = orders.moved();
                Expected::Number(orders.range(*number)?)
            }
            (Operator::Eq, With::Value(Datum::Boolean(is))) => Expected::Boolean(*is),
            (Operator::Neq, With::Value(Datum::Boolean(is))) => Expected::Boolean(!is),
            _ => return None,
        };
        Some(Check { register: comparison.register, moved, expected })
    }

    /// Whether it is true. The registers it reads must have been filled.
    pub fn judge(&self, inputs: Inputs<'_>, texts: Texts<'_>) -> Judged<'_> {
        self.root.judge(inputs, texts)
    }

    /// What it costs at most.
    pub fn steps(&self) -> Steps {
        let mut steps = Steps::default();
        self.root.add_steps(&mut steps);
        steps
    }
}

impl Check {
    /// Whether it is true for the value of its register, as [`RuleProgram::judge`] would say; never
    /// for a null.
    pub fn is_true(&self, actual: Word) -> bool {
        match self.expected {
            Expected::Number(range) => match actual.as_number() {
                Some(actual) => range.contains(actual),
                None => self.contains_exact(range, actual),
            },
            Expected::Boolean(expected) => actual.as_boolean() == Some(expected),
        }
    }

    #[cold]
    fn contains_exact(&self, range: Range, actual: Word) -> bool {
        actual.any_number().is_some_and(|actual| range.contains_exact(self.moved, actual))
    }

    /// Both in one, when both compare the same register with numbers.
    pub fn and(&self, other: &Self) -> Option<Self> {
        match (self.expected, other.expected) {
            (Expected::Number(a), Expected::Number(b)) if self.register == other.register => {
                let (both, moved) = a.and(self.moved, b, other.moved);
                let expected = Expected::Number(both);
                Some(Self { register: self.register, moved, expected })
            }
            _ => None,
        }
    }
}

impl Judged<'_> {
    /// The condition that decided, as text; `cause` explains a null.
    pub fn refusal(&self, texts: Texts<'_>, cause: &dyn Fn(Why) -> String) -> Refusal {
        let Some((comparison, actual)) = self.why else { return Refusal::default() };
        let (actual, cause) = match texts.value(actual, cause) {
            Value::Null(cause) => (None, Some(cause.to_string())),
            value => (Some(value.to_string()), None),
        };
        Refusal {
            field: comparison.field.to_string(),
            op: comparison.op.symbol().to_owned(),
            expected: comparison.expected.to_string(),
            actual,
            cause,
        }
    }
}

fn shape(
    rule: &Compiled,
    constants: &mut Constants,
    register_of: &dyn Fn(&str, Operator) -> Option<Register>,
    reads: &mut Vec<Register>,
) -> Option<Shape> {
    let mut all = |rules: &[Compiled]| -> Option<Box<[Shape]>> {
        rules.iter().map(|rule| shape(rule, constants, register_of, reads)).collect()
    };
    Some(match rule {
        Compiled::All(rules) => Shape::All(all(rules)?),
        Compiled::Any(rules) => Shape::Any(all(rules)?),
        Compiled::Not(inner) => Shape::Not(Box::new(shape(inner, constants, register_of, reads)?)),
        Compiled::Condition(Condition { field, op, test, expected }) => {
            let register = register_of(field, *op)?;
            reads.push(register);
            let with = match test {
                Test::Presence => With::Presence,
                Test::Value(value) => With::Value(constants.datum(value)?),
                Test::Values(values) => With::Values(
                    values.iter().map(|value| constants.datum(value)).collect::<Option<_>>()?,
                ),
                Test::Pattern(pattern) => With::Pattern(constants.pattern(pattern)),
            };
            let (field, expected) = (field.as_str().into(), expected.as_str().into());
            Shape::Condition(Comparison { register, op: *op, with, field, expected })
        }
    })
}

impl Shape {
    fn judge(&self, inputs: Inputs<'_>, texts: Texts<'_>) -> Judged<'_> {
        match self {
            Self::Condition(comparison) => {
                let actual = comparison.fitted(inputs.word(comparison.register).datum(), texts);
                Judged { is: comparison.is_true(actual, texts), why: Some((comparison, actual)) }
            }
            Self::Not(inner) => {
                let judged = inner.judge(inputs, texts);
                Judged { is: judged.is.map(|is| !is), why: judged.why }
            }
            Self::All(rules) => join(rules, inputs, texts, false),
            Self::Any(rules) => join(rules, inputs, texts, true),
        }
    }

    fn add_steps(&self, steps: &mut Steps) {
        *steps += Steps::fixed(4);
        match self {
            Self::Condition(comparison) => *steps += comparison.steps(),
            Self::Not(inner) => inner.add_steps(steps),
            Self::All(rules) | Self::Any(rules) => {
                rules.iter().for_each(|rule| rule.add_steps(steps));
            }
        }
    }
}

/// All (decided by false) and any (decided by true); explained by what decided, else by the first
/// unknown, else by the first.
fn join<'a>(
    rules: &'a [Shape],
    inputs: Inputs<'_>,
    texts: Texts<'_>,
    deciding: bool,
) -> Judged<'a> {
    let mut outcome = Judged { is: Some(!deciding), why: None };
    for rule in rules {
        let judged = rule.judge(inputs, texts);
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

impl Comparison {
    /// The value as it is compared: null when it is of another type.
    fn fitted(&self, actual: Datum, texts: Texts<'_>) -> Datum {
        let wanted = match &self.with {
            With::Presence => return actual,
            With::Value(value) => value.type_of(),
            With::Values(values) => values.first().and_then(|value| value.type_of()),
            With::Pattern(_) => Some(Type::String),
        };
        match (actual.type_of(), wanted) {
            (Some(found), Some(wanted)) if found != wanted => {
                Datum::Null(Why::Misfit(found, wanted))
            }
            _ => match (&self.with, actual) {
                (With::Pattern(_), Datum::Text(text)) if is_too_long(texts.get(text)) => {
                    Datum::Null(Why::Unmatched)
                }
                _ => actual,
            },
        }
    }

    fn steps(&self) -> Steps {
        let is_search = matches!(self.op, Operator::Contains | Operator::NotContains);
        match &self.with {
            With::Value(Datum::Text(_)) if is_search => Steps::scan(),
            With::Value(value) => Steps::fixed(compared_steps(value)),
            With::Values(values) => Steps::fixed(values.iter().map(compared_steps).sum()),
            With::Pattern(pattern) => pattern.steps(),
            With::Presence => Steps::default(),
        }
    }

    fn is_true(&self, actual: Datum, texts: Texts<'_>) -> Option<bool> {
        let is_null = matches!(actual, Datum::Null(_));
        match (self.op, &self.with) {
            (Operator::Exists, _) => Some(!is_null),
            (Operator::NotExists, _) => Some(is_null),
            _ if is_null => None,
            (op @ (Operator::In | Operator::NotIn), With::Values(values)) => {
                let is_in = values.iter().any(|value| texts.is_equal(actual, *value));
                Some(is_in == (op == Operator::In))
            }
            (Operator::Matches, With::Pattern(regex)) => match actual {
                Datum::Text(text) => Some(regex.is_match(texts.get(text))),
                _ => None,
            },
            (op, With::Value(value)) => compare(op, actual, *value, texts),
            _ => None,
        }
    }
}

/// Steps of a comparison with a value. Two texts are compared as far as the shorter one goes.
fn compared_steps(value: &Datum) -> usize {
    match value {
        Datum::Text(text) => 4 + text.bytes as usize / 16,
        Datum::Exact(_) => 32,
        _ => 4,
    }
}

fn compare(op: Operator, actual: Datum, expected: Datum, texts: Texts<'_>) -> Option<bool> {
    if let (Datum::Text(text), Datum::Text(part)) = (actual, expected) {
        let (text, part) = (texts.get(text), texts.get(part));
        match op {
            Operator::Contains => return Some(text.contains(part)),
            Operator::NotContains => return Some(!text.contains(part)),
            Operator::StartsWith => return Some(text.starts_with(part)),
            Operator::EndsWith => return Some(text.ends_with(part)),
            _ => {}
        }
    }
    let (orders, order) = (Orders::of_rule(op)?, texts.order(actual, expected)?);
    Some(orders.contain(order))
}
