//! Evaluates a formula by walking its syntax tree.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::{
    Cause, Value,
    ast::{Kind, Node, Operator},
    function::Function,
};

/// Longest text that a formula may put together, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Seconds of a day by the calendar.
pub(crate) const SECONDS_OF_A_DAY: f64 = 86_400.0;

/// When and where a formula is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The instant of the decision.
    pub now: DateTime<Utc>,
    /// The customer's zone: `today()` is the calendar date there.
    pub zone: Tz,
    today: NaiveDate,
    /// The same as programs reckon.
    days: i32,
}

impl Moment {
    /// An instant in a zone.
    pub fn new(now: DateTime<Utc>, zone: Tz) -> Self {
        let today = now.with_timezone(&zone).date_naive();
        Self { now, zone, today, days: today.num_days_from_ce() }
    }

    /// The calendar date of the instant in the zone.
    pub fn today(&self) -> NaiveDate {
        self.today
    }

    pub(crate) fn days(&self) -> i32 {
        self.days
    }
}

struct Scope<'a> {
    names: &'a [String],
    value_of: &'a dyn Fn(&str) -> Value,
    moment: &'a Moment,
}

pub(crate) fn evaluate(
    root: &Node,
    names: &[String],
    value_of: &dyn Fn(&str) -> Value,
    moment: &Moment,
) -> Value {
    Scope { names, value_of, moment }.value(root)
}

fn null(cause: &str) -> Value {
    Value::Null(Cause::new(cause))
}

impl Scope<'_> {
    fn value(&self, node: &Node) -> Value {
        match &node.kind {
            Kind::Null => null("null"),
            Kind::Literal(value) => value.clone(),
            Kind::Name(index) => match self.names.get(*index) {
                Some(name) => (self.value_of)(name),
                None => null("unknown name"),
            },
            Kind::Negate(operand) => match self.value(operand) {
                // Adding zero turns -0 into 0.
                Value::Number(number) => Value::Number(-number + 0.0),
                other => unfit(other),
            },
            Kind::Not(operand) => match self.value(operand) {
                Value::Boolean(is) => Value::Boolean(!is),
                other => unfit(other),
            },
            Kind::Conditional(condition, then, otherwise) => match self.value(condition) {
                Value::Boolean(true) => self.value(then),
                Value::Boolean(false) => self.value(otherwise),
                other => unfit(other),
            },
            Kind::Binary(Operator::And, left, right) => self.three_valued(left, right, false),
            Kind::Binary(Operator::Or, left, right) => self.three_valued(left, right, true),
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right),
            Kind::Call(Function::Coalesce, arguments) => self.coalesce(arguments),
            Kind::Call(function, arguments) => self.call(*function, arguments),
        }
    }

    /// `&&` (decided by false) and `||` (decided by true): the deciding value wins over null on
    /// either side.
    fn three_valued(&self, left: &Node, right: &Node, deciding: bool) -> Value {
        let left = self.value(left);
        if left == Value::Boolean(deciding) {
            return left;
        }
        match (left, self.value(right)) {
            (_, Value::Boolean(is)) if is == deciding => Value::Boolean(deciding),
            (Value::Boolean(_), right @ Value::Boolean(_)) => right,
            (Value::Boolean(_), right) => unfit(right),
            (left, _) => unfit(left),
        }
    }

    fn binary(&self, operator: Operator, left: &Node, right: &Node) -> Value {
        if matches!(operator, Operator::Equal | Operator::NotEqual)
            && let Some(tested) = null_test(left, right)
        {
            let is_null = matches!(self.value(tested), Value::Null(_));
            return Value::Boolean(is_null == (operator == Operator::Equal));
        }
        let left = self.value(left);
        if let Value::Null(_) = left {
            return left;
        }
        let right = self.value(right);
        if let Value::Null(_) = right {
            return right;
        }
        if let Some(order) = order(&left, &right) {
            match operator {
                Operator::Equal => return Value::Boolean(order.is_eq()),
                Operator::NotEqual => return Value::Boolean(order.is_ne()),
                Operator::Less => return Value::Boolean(order.is_lt()),
                Operator::LessOrEqual => return Value::Boolean(order.is_le()),
                Operator::Greater => return Value::Boolean(order.is_gt()),
                Operator::GreaterOrEqual => return Value::Boolean(order.is_ge()),
                _ => {}
            }
        }
        match (operator, left, right) {
            (Operator::Add, Value::Number(a), Value::Number(b)) => Value::number(a + b),
            (Operator::Add, Value::String(a), Value::String(b)) => {
                joined([a, b].iter().map(|text| &**text))
            }
            (Operator::Subtract, Value::Number(a), Value::Number(b)) => Value::number(a - b),
            (Operator::Subtract, Value::Date(a), Value::Date(b)) => {
                Value::number((a - b).num_days() as f64 * SECONDS_OF_A_DAY)
            }
            (Operator::Subtract, Value::Timestamp(a), Value::Timestamp(b)) => {
                let micros = (a - b).num_microseconds();
                micros.map_or_else(|| null("overflow"), |micros| Value::number(micros as f64 / 1e6))
            }
            (Operator::Multiply, Value::Number(a), Value::Number(b)) => Value::number(a * b),
            (Operator::Divide, Value::Number(_), Value::Number(0.0)) => null("division by zero"),
            (Operator::Divide, Value::Number(a), Value::Number(b)) => Value::number(a / b),
            (Operator::Remainder, Value::Number(_), Value::Number(0.0)) => {
                null("remainder by zero")
            }
            (Operator::Remainder, Value::Number(a), Value::Number(b)) => Value::number(a % b),
            (_, left, _) => unfit(left),
        }
    }

    fn coalesce(&self, arguments: &[Node]) -> Value {
        let mut first = None;
        for argument in arguments {
            match self.value(argument) {
                Value::Null(cause) => drop(first.get_or_insert(cause)),
                value => return value,
            }
        }
        first.map_or_else(|| null("null"), Value::Null)
    }

    fn call(&self, function: Function, arguments: &[Node]) -> Value {
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match self.value(argument) {
                null @ Value::Null(_) => return null,
                value => values.push(value),
            }
        }
        match (function, values.as_slice()) {
            (Function::Today, []) => Value::Date(self.moment.today()),
            (Function::Now, []) => Value::Timestamp(self.moment.now),
            (Function::In, [wanted, rest @ ..]) => Value::Boolean(
                rest.iter().any(|other| order(wanted, other).is_some_and(|order| order.is_eq())),
            ),
            (Function::Min, numbers) => folded(numbers, f64::min),
            (Function::Max, numbers) => folded(numbers, f64::max),
            (_, [Value::Number(x), rest @ ..]) => numeric(function, *x, rest),
            (Function::Concat, texts) => joined(texts.iter().filter_map(|value| {
                if let Value::String(text) = value { Some(&**text) } else { None }
            })),
            (_, [Value::String(text), rest @ ..]) => textual(function, text, rest),
            (Function::DaysBetween, [Value::Date(from), Value::Date(to)]) => {
                Value::number((*to - *from).num_days() as f64)
            }
            (_, [Value::Date(date)]) => calendar(function, *date),
            (_, [Value::Timestamp(at)]) => {
                calendar(function, at.with_timezone(&self.moment.zone).date_naive())
            }
            _ => null("arguments do not fit"),
        }
    }
}

/// A null passes on; anything else cannot happen in a checked formula.
fn unfit(value: Value) -> Value {
    match value {
        null @ Value::Null(_) => null,
        _ => null("operands do not fit"),
    }
}

/// The other side of a comparison with the literal `null`.
fn null_test<'a>(left: &'a Node, right: &'a Node) -> Option<&'a Node> {
    match (&left.kind, &right.kind) {
        (_, Kind::Null) => Some(left),
        (Kind::Null, _) => Some(right),
        _ => None,
    }
}

/// The order of two values of one type; text by code point.
pub(crate) fn order(left: &Value, right: &Value) -> Option<std::cmp::Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Boolean(a), Value::Boolean(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// The texts one after the other, unless that is too long.
fn joined<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Value {
    let bytes: usize = texts.clone().map(str::len).sum();
    if bytes > TEXT_BYTES_MAX {
        null("text too long")
    } else {
        Value::String(texts.collect::<String>().into())
    }
}

fn folded(numbers: &[Value], pick: fn(f64, f64) -> f64) -> Value {
    let numbers = numbers
        .iter()
        .filter_map(|value| if let Value::Number(x) = value { Some(*x) } else { None });
    numbers.reduce(pick).map_or_else(|| null("no arguments"), Value::number)
}

fn numeric(function: Function, x: f64, rest: &[Value]) -> Value {
    match (function, rest) {
        // Adding zero turns -0 into 0.
        (Function::Round, []) => Value::number(x.round() + 0.0),
        (Function::Round, [Value::Number(digits)]) => rounded(x, *digits),
        (Function::Floor, []) => Value::number(x.floor()),
        (Function::Ceil, []) => Value::number(x.ceil()),
        (Function::Abs, []) => Value::number(x.abs()),
        (Function::Sqrt, []) => Value::number(libm::sqrt(x)),
        (Function::Log, []) => Value::number(libm::log(x)),
        (Function::Log10, []) => Value::number(libm::log10(x)),
        (Function::Exp, []) => Value::number(libm::exp(x)),
        (Function::Pow, [Value::Number(power)]) => Value::number(libm::pow(x, *power)),
        (Function::Clamp, [Value::Number(low), Value::Number(high)]) if low > high => {
            null("clamp bounds are reversed")
        }
        (Function::Clamp, [Value::Number(low), Value::Number(high)]) => {
            Value::number(x.clamp(*low, *high))
        }
        _ => null("arguments do not fit"),
    }
}

/// Rounded to so many decimals, halves away from zero.
fn rounded(x: f64, digits: f64) -> Value {
    if digits.fract() != 0.0 || digits.abs() > 15.0 {
        return null("round takes -15 to 15 whole digits");
    }
    let scale = libm::pow(10.0, digits.abs());
    let result =
        if digits >= 0.0 { (x * scale).round() / scale } else { (x / scale).round() * scale };
    // A number too large to be scaled has no decimals to round. Adding zero turns -0 into 0.
    if result.is_finite() { Value::number(result + 0.0) } else { Value::number(x) }
}

fn textual(function: Function, text: &str, rest: &[Value]) -> Value {
    match (function, rest) {
        (Function::Lower, []) => Value::String(text.to_lowercase().into()),
        (Function::Upper, []) => Value::String(text.to_uppercase().into()),
        (Function::Trim, []) => Value::String(text.trim().into()),
        (Function::Length, []) => Value::number(text.chars().count() as f64),
        (Function::Contains, [Value::String(part)]) => Value::Boolean(text.contains(&**part)),
        (Function::StartsWith, [Value::String(part)]) => Value::Boolean(text.starts_with(&**part)),
        (Function::EndsWith, [Value::String(part)]) => Value::Boolean(text.ends_with(&**part)),
        (Function::Date, []) => match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(date) => Value::Date(date),
            Err(_) => null("not a date"),
        },
        (Function::Timestamp, []) => match DateTime::parse_from_rfc3339(text) {
            Ok(at) => Value::Timestamp(at.to_utc()),
            Err(_) => null("not a timestamp"),
        },
        _ => null("arguments do not fit"),
    }
}

fn calendar(function: Function, date: NaiveDate) -> Value {
    match function {
        Function::Year => Value::number(f64::from(date.year())),
        Function::Month => Value::number(f64::from(date.month())),
        Function::Day => Value::number(f64::from(date.day())),
        Function::Weekday => Value::number(f64::from(date.weekday().number_from_monday())),
        _ => null("arguments do not fit"),
    }
}
