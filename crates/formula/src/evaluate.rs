//! Evaluates a formula by walking its syntax tree.

use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{
    Cause, Number, Type, Value,
    ast::{Kind, Node, Operator},
    calendar,
    check::unfit_operands,
    function::Function,
    limit::TEXT_BYTES_MAX,
};

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
            Kind::Negate(operand) => {
                let value = self.value(operand);
                match value.as_number() {
                    Some(number) => number.negated().into(),
                    None => unfit(value, Type::Number),
                }
            }
            Kind::Not(operand) => match self.value(operand) {
                Value::Boolean(is) => Value::Boolean(!is),
                other => unfit(other, Type::Boolean),
            },
            Kind::Conditional(condition, then, otherwise) => match self.value(condition) {
                Value::Boolean(true) => self.value(then),
                Value::Boolean(false) => self.value(otherwise),
                other => unfit(other, Type::Boolean),
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
            (Value::Boolean(_), right) => unfit(right, Type::Boolean),
            (left, _) => unfit(left, Type::Boolean),
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
        if let (Some(a), Some(b)) = (left.as_number(), right.as_number()) {
            return of_numbers(operator, a.to_double(), b.to_double());
        }
        match (operator, &left, &right) {
            (Operator::Add, Value::String(a), Value::String(b)) => {
                joined([a, b].iter().map(|text| &***text))
            }
            (Operator::Subtract, Value::Date(a), Value::Date(b)) => {
                Value::number((*a - *b).num_days() as f64 * SECONDS_OF_A_DAY)
            }
            (Operator::Add, Value::Date(date), days) | (Operator::Add, days, Value::Date(date))
                if let Some(days) = days.as_number() =>
            {
                moved(*date, days.to_double())
            }
            (Operator::Subtract, Value::Date(date), days) if let Some(days) = days.as_number() => {
                moved(*date, -days.to_double())
            }
            (Operator::Subtract, Value::Timestamp(a), Value::Timestamp(b)) => {
                let micros = (*a - *b).num_microseconds();
                micros.map_or_else(|| null("overflow"), |micros| Value::number(micros as f64 / 1e6))
            }
            _ => match (left.type_of(), right.type_of()) {
                (Some(left), Some(right)) => null(&unfit_operands(operator, left, right)),
                _ => null("null"),
            },
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
        if let Some(misfit) = misfit(function, &values) {
            return null(&misfit);
        }
        match (function, values.as_slice()) {
            (Function::Today, []) => Value::Date(self.moment.today()),
            (Function::Now, []) => Value::Timestamp(self.moment.now),
            (Function::In, [wanted, rest @ ..]) => Value::Boolean(
                rest.iter().any(|other| order(wanted, other).is_some_and(|order| order.is_eq())),
            ),
            (Function::Min, numbers) => folded(numbers, f64::min, std::cmp::Ordering::is_le),
            (Function::Max, numbers) => folded(numbers, f64::max, std::cmp::Ordering::is_ge),
            (Function::Concat, values) => {
                let texts: Vec<String> = values.iter().map(Value::to_string).collect();
                joined(texts.iter().map(String::as_str))
            }
            (_, [first, rest @ ..]) if let Some(x) = first.as_number() => {
                numeric(function, x, &rest.iter().filter_map(Value::as_number).collect::<Vec<_>>())
            }
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

/// Why the function cannot take the values, which are not null; none when it can.
fn misfit(function: Function, values: &[Value]) -> Option<String> {
    let count = values.len();
    let types: Vec<Type> = values.iter().filter_map(Value::type_of).collect();
    let wrong = types
        .iter()
        .enumerate()
        .find(|(index, found)| !function.takes(*index, count).accepts(Some(**found)));
    if let Some((index, found)) = wrong {
        return Some(function.misfit(index, count, *found));
    }
    match (function, types.as_slice()) {
        (Function::In, [first, rest @ ..]) => {
            rest.iter().find(|other| *other != first).map(|other| function.mixed(*first, *other))
        }
        _ => None,
    }
}

/// A null passes on; anything else is not of the type that is needed.
fn unfit(value: Value, wanted: Type) -> Value {
    match value.type_of() {
        Some(found) => Value::Null(Cause::misfit(found, wanted)),
        None => value,
    }
}

fn of_numbers(operator: Operator, left: f64, right: f64) -> Value {
    match operator {
        Operator::Add => Value::number(left + right),
        Operator::Subtract => Value::number(left - right),
        Operator::Multiply => Value::number(left * right),
        Operator::Divide if right == 0.0 => null("division by zero"),
        Operator::Divide => Value::number(left / right),
        Operator::Remainder if right == 0.0 => null("remainder by zero"),
        Operator::Remainder => Value::number(left % right),
        _ => null("null"),
    }
}

/// The date so many days later.
fn moved(date: NaiveDate, days: f64) -> Value {
    match later(date, days) {
        Ok(date) => Value::Date(date),
        Err(Unmoved::Fraction) => null("a date moves by whole days"),
        Err(Unmoved::Range) => null("a date outside the years 1 to 9999"),
    }
}

/// Why a date cannot be moved.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unmoved {
    /// By a part of a day.
    Fraction,
    /// Beyond the years of dates.
    Range,
}

/// The date so many whole days later.
pub(crate) fn later(date: NaiveDate, days: f64) -> Result<NaiveDate, Unmoved> {
    if days.fract() != 0.0 {
        return Err(Unmoved::Fraction);
    }
    let moved = TimeDelta::try_days(days as i64).and_then(|days| date.checked_add_signed(days));
    moved.filter(|date| calendar::is_year(date.year())).ok_or(Unmoved::Range)
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
        (Value::Exact(_), _) | (_, Value::Exact(_)) => left.as_number()?.order(right.as_number()?),
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

/// The least or greatest number.
fn folded(
    numbers: &[Value],
    pick: fn(f64, f64) -> f64,
    keeps: fn(std::cmp::Ordering) -> bool,
) -> Value {
    let numbers = numbers.iter().filter_map(Value::as_number);
    numbers.reduce(|a, b| a.pick(b, pick, keeps)).map_or_else(|| null("no arguments"), Value::from)
}

fn numeric(function: Function, x: Number, rest: &[Number]) -> Value {
    let double = x.to_double();
    match (function, rest) {
        (Function::Round, []) => x.round().into(),
        (Function::Round, [digits]) => {
            let rounded = x.round_to(*digits);
            rounded.map_or_else(|| null("round takes -15 to 15 whole digits"), Value::from)
        }
        (Function::Floor, []) => x.floor().into(),
        (Function::Ceil, []) => x.ceil().into(),
        (Function::Abs, []) => x.abs().into(),
        (Function::Sqrt, []) => Value::number(libm::sqrt(double)),
        (Function::Log, []) => Value::number(libm::log(double)),
        (Function::Log10, []) => Value::number(libm::log10(double)),
        (Function::Exp, []) => Value::number(libm::exp(double)),
        (Function::Pow, [power]) => Value::number(libm::pow(double, power.to_double())),
        (Function::Clamp, [low, high]) => {
            x.clamp(*low, *high).map_or_else(|| null("clamp bounds are reversed"), Value::from)
        }
        _ => null("arguments do not fit"),
    }
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
        (Function::Date, []) => {
            calendar::date(text).map_or_else(|| null("not a date"), Value::Date)
        }
        (Function::Timestamp, []) => {
            calendar::timestamp(text).map_or_else(|| null("not a timestamp"), Value::Timestamp)
        }
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
