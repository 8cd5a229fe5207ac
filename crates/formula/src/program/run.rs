//! Running a flat program.

use chrono::{DateTime, Datelike as _, NaiveDate};

use super::{Constants, Datum, FormulaProgram, Memory, Register, Why, code::Op, memory::Texts};
use crate::{Moment, OutputType, TEXT_BYTES_MAX, ast::Operator, function::Function};

struct Run<'a> {
    registers: &'a [Datum],
    constants: &'a Constants,
    moment: &'a Moment,
    memory: &'a mut Memory,
}

impl FormulaProgram {
    /// What it comes to. The registers it reads must have been filled.
    pub fn run(&self, registers: &[Datum], constants: &Constants, moment: &Moment, memory: &mut Memory) -> Datum {
        let base = memory.stack.len();
        let mut run = Run { registers, constants, moment, memory };
        let mut at = 0;
        while let Some(op) = self.ops.get(at) {
            at = run.step(*op).map_or(at + 1, |to| to as usize);
        }
        let result = run.pop();
        memory.stack.truncate(base);
        result
    }
}

impl OutputType {
    /// As [`OutputType::coerce`], for programs.
    pub fn convert(self, datum: Datum, constants: &Constants, memory: &mut Memory) -> Datum {
        match (self, datum) {
            (_, Datum::Null(_)) => datum,
            (Self::Integer, Datum::Number(number)) => Datum::Number(number.round() + 0.0),
            (Self::String | Self::Text, _) => memory.spell(datum, constants),
            (wanted, _) => match datum.type_of() {
                Some(found) if found != wanted.value_type() => Datum::Null(Why::Misfit(found, wanted.value_type())),
                _ => datum,
            },
        }
    }
}

/// A null passes on; anything else cannot happen in a checked formula.
fn unfit(value: Datum) -> Datum {
    match value {
        Datum::Null(_) => value,
        _ => Datum::Null(Why::Operands),
    }
}

impl Run<'_> {
    fn pop(&mut self) -> Datum {
        // INVARIANT: the coder puts every operand before its operator.
        self.memory.stack.pop().unwrap_or(Datum::Null(Why::Operands))
    }

    fn push(&mut self, value: Datum) {
        self.memory.stack.push(value);
    }

    fn top(&self) -> Datum {
        self.memory.stack.last().copied().unwrap_or(Datum::Null(Why::Operands))
    }

    fn texts(&self) -> Texts<'_> {
        self.constants.texts(self.memory)
    }

    /// Does one step; where to go when not to the next.
    fn step(&mut self, op: Op) -> Option<u32> {
        match op {
            Op::Constant(value) => self.push(value),
            Op::Load(register) => self.push(self.register(register)),
            Op::Negate => {
                let value = match self.pop() {
                    // Adding zero turns -0 into 0.
                    Datum::Number(number) => Datum::Number(-number + 0.0),
                    other => unfit(other),
                };
                self.push(value);
            }
            Op::Not => {
                let value = match self.pop() {
                    Datum::Boolean(is) => Datum::Boolean(!is),
                    other => unfit(other),
                };
                self.push(value);
            }
            Op::Branch { otherwise, end } => match self.pop() {
                Datum::Boolean(true) => {}
                Datum::Boolean(false) => return Some(otherwise),
                other => {
                    self.push(unfit(other));
                    return Some(end);
                }
            },
            Op::Jump(to) => return Some(to),
            Op::Decide { deciding, end } => return (self.top() == Datum::Boolean(deciding)).then_some(end),
            Op::Join(deciding) => {
                let (right, left) = (self.pop(), self.pop());
                self.push(joined(left, right, deciding));
            }
            Op::Binary(operator) => {
                let (right, left) = (self.pop(), self.pop());
                let value = self.binary(operator, left, right);
                self.push(value);
            }
            Op::BinaryWith(operator, right) => {
                let left = self.pop();
                let value = self.binary(operator, left, right);
                self.push(value);
            }
            Op::IsNull(wanted) => {
                let is_null = matches!(self.pop(), Datum::Null(_));
                self.push(Datum::Boolean(is_null == wanted));
            }
            Op::Known(end) => return (!matches!(self.top(), Datum::Null(_))).then_some(end),
            Op::Merge(end) => {
                let value = self.pop();
                if !matches!(value, Datum::Null(_)) {
                    self.pop();
                    self.push(value);
                    return Some(end);
                }
            }
            Op::Call(function, count) => {
                let from = self.memory.stack.len().saturating_sub(count as usize);
                let value = self.call(function, from);
                self.memory.stack.truncate(from);
                self.push(value);
            }
        }
        None
    }

    fn register(&self, register: Register) -> Datum {
        self.registers.get(register as usize).copied().unwrap_or(Datum::Null(Why::Register(register)))
    }

    fn binary(&mut self, operator: Operator, left: Datum, right: Datum) -> Datum {
        if let Datum::Null(_) = left {
            return left;
        }
        if let Datum::Null(_) = right {
            return right;
        }
        if let Some(order) = self.texts().order(left, right) {
            match operator {
                Operator::Equal => return Datum::Boolean(order.is_eq()),
                Operator::NotEqual => return Datum::Boolean(order.is_ne()),
                Operator::Less => return Datum::Boolean(order.is_lt()),
                Operator::LessOrEqual => return Datum::Boolean(order.is_le()),
                Operator::Greater => return Datum::Boolean(order.is_gt()),
                Operator::GreaterOrEqual => return Datum::Boolean(order.is_ge()),
                _ => {}
            }
        }
        match (operator, left, right) {
            (Operator::Add, Datum::Number(a), Datum::Number(b)) => Datum::number(a + b),
            (Operator::Add, Datum::Text(_), Datum::Text(_)) => self.concatenated(&[left, right]),
            (Operator::Subtract, Datum::Number(a), Datum::Number(b)) => Datum::number(a - b),
            (Operator::Subtract, Datum::Date(a), Datum::Date(b)) => Datum::number((a - b).num_days() as f64 * 86_400.0),
            (Operator::Subtract, Datum::Timestamp(a), Datum::Timestamp(b)) => {
                let micros = (a - b).num_microseconds();
                micros.map_or(Datum::Null(Why::Overflow), |micros| Datum::number(micros as f64 / 1e6))
            }
            (Operator::Multiply, Datum::Number(a), Datum::Number(b)) => Datum::number(a * b),
            (Operator::Divide, Datum::Number(_), Datum::Number(0.0)) => Datum::Null(Why::DivisionByZero),
            (Operator::Divide, Datum::Number(a), Datum::Number(b)) => Datum::number(a / b),
            (Operator::Remainder, Datum::Number(_), Datum::Number(0.0)) => Datum::Null(Why::RemainderByZero),
            (Operator::Remainder, Datum::Number(a), Datum::Number(b)) => Datum::number(a % b),
            _ => unfit(left),
        }
    }

    fn concatenated(&mut self, parts: &[Datum]) -> Datum {
        let start = self.memory.written.len();
        for part in parts {
            if let Datum::Text(text) = part {
                self.memory.append(*text, self.constants);
            }
        }
        self.bounded(start)
    }

    /// The text written from `start` on, taken back when it is too long.
    fn bounded(&mut self, start: usize) -> Datum {
        if self.memory.written.len() - start > TEXT_BYTES_MAX {
            self.memory.written.truncate(start);
            return Datum::Null(Why::TextTooLong);
        }
        self.memory.since(start)
    }

    fn call(&mut self, function: Function, from: usize) -> Datum {
        let arguments = self.memory.stack.get(from..).unwrap_or_default();
        if let Some(null) = arguments.iter().find(|value| matches!(value, Datum::Null(_))) {
            return *null;
        }
        match (function, arguments) {
            (Function::Today, []) => Datum::Date(self.moment.today()),
            (Function::Now, []) => Datum::Timestamp(self.moment.now),
            (Function::In, [wanted, rest @ ..]) => {
                let texts = self.texts();
                Datum::Boolean(rest.iter().any(|other| texts.order(*wanted, *other).is_some_and(|order| order.is_eq())))
            }
            (Function::Min, numbers) => folded(numbers, f64::min),
            (Function::Max, numbers) => folded(numbers, f64::max),
            (_, [Datum::Number(x), rest @ ..]) => numeric(function, *x, rest),
            (Function::Concat, _) => self.concat(from),
            (_, [Datum::Text(text), rest @ ..]) => {
                let (text, second) = (*text, rest.first().copied());
                self.textual(function, text, second)
            }
            (Function::DaysBetween, [Datum::Date(from), Datum::Date(to)]) => {
                Datum::number((*to - *from).num_days() as f64)
            }
            (_, [Datum::Date(date)]) => calendar(function, *date),
            (_, [Datum::Timestamp(at)]) => calendar(function, at.with_timezone(&self.moment.zone).date_naive()),
            _ => Datum::Null(Why::Arguments),
        }
    }

    fn concat(&mut self, from: usize) -> Datum {
        let start = self.memory.written.len();
        let mut at = from;
        while let Some(part) = self.memory.stack.get(at).copied() {
            if let Datum::Text(text) = part {
                self.memory.append(text, self.constants);
            }
            at += 1;
        }
        self.bounded(start)
    }

    fn textual(&mut self, function: Function, handle: super::Text, second: Option<Datum>) -> Datum {
        match function {
            Function::Lower => return self.cased(handle, false),
            Function::Upper => return self.cased(handle, true),
            _ => {}
        }
        let texts = self.texts();
        let text = texts.get(handle);
        match (function, second) {
            (Function::Trim, None) => {
                let trimmed = text.trim();
                let before = text.len() - text.trim_start().len();
                Datum::Text(handle.part(before, trimmed.len()))
            }
            (Function::Length, None) => Datum::number(text.chars().count() as f64),
            (Function::Contains, Some(Datum::Text(part))) => Datum::Boolean(text.contains(texts.get(part))),
            (Function::StartsWith, Some(Datum::Text(part))) => Datum::Boolean(text.starts_with(texts.get(part))),
            (Function::EndsWith, Some(Datum::Text(part))) => Datum::Boolean(text.ends_with(texts.get(part))),
            (Function::Date, None) => match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
                Ok(date) => Datum::Date(date),
                Err(_) => Datum::Null(Why::NotADate),
            },
            (Function::Timestamp, None) => match DateTime::parse_from_rfc3339(text) {
                Ok(at) => Datum::Timestamp(at.to_utc()),
                Err(_) => Datum::Null(Why::NotATimestamp),
            },
            _ => Datum::Null(Why::Arguments),
        }
    }

    fn cased(&mut self, handle: super::Text, is_upper: bool) -> Datum {
        const SIGMA: char = '\u{3A3}';
        let text = self.texts().get(handle);
        if !is_upper && text.contains(SIGMA) {
            // The only letter whose lower case depends on where it stands.
            let lower = text.to_lowercase();
            return self.memory.text(&lower);
        }
        let (mut left, start) = (text.len(), self.memory.written.len());
        while let Some(next) = {
            let text = self.texts().get(handle);
            text.get(text.len() - left..).and_then(|rest| rest.chars().next())
        } {
            left -= next.len_utf8();
            if is_upper {
                self.memory.written.extend(next.to_uppercase());
            } else {
                self.memory.written.extend(next.to_lowercase());
            }
        }
        self.memory.since(start)
    }
}

/// Both sides of `&&` (decided by false) or `||` (decided by true); the left one does not decide.
fn joined(left: Datum, right: Datum, deciding: bool) -> Datum {
    match (left, right) {
        (_, Datum::Boolean(is)) if is == deciding => right,
        (Datum::Boolean(_), Datum::Boolean(_)) => right,
        (Datum::Boolean(_), _) => unfit(right),
        _ => unfit(left),
    }
}

fn folded(numbers: &[Datum], pick: fn(f64, f64) -> f64) -> Datum {
    let numbers = numbers.iter().filter_map(|value| if let Datum::Number(x) = value { Some(*x) } else { None });
    numbers.reduce(pick).map_or(Datum::Null(Why::NoArguments), Datum::number)
}

fn numeric(function: Function, x: f64, rest: &[Datum]) -> Datum {
    match (function, rest) {
        (Function::Round, []) => Datum::number(x.round()),
        (Function::Round, [Datum::Number(digits)]) => rounded(x, *digits),
        (Function::Floor, []) => Datum::number(x.floor()),
        (Function::Ceil, []) => Datum::number(x.ceil()),
        (Function::Abs, []) => Datum::number(x.abs()),
        (Function::Sqrt, []) => Datum::number(libm::sqrt(x)),
        (Function::Log, []) => Datum::number(libm::log(x)),
        (Function::Log10, []) => Datum::number(libm::log10(x)),
        (Function::Exp, []) => Datum::number(libm::exp(x)),
        (Function::Pow, [Datum::Number(power)]) => Datum::number(libm::pow(x, *power)),
        (Function::Clamp, [Datum::Number(low), Datum::Number(high)]) if low > high => Datum::Null(Why::ReversedBounds),
        (Function::Clamp, [Datum::Number(low), Datum::Number(high)]) => Datum::number(x.clamp(*low, *high)),
        _ => Datum::Null(Why::Arguments),
    }
}

/// Rounded to so many decimals, halves away from zero.
fn rounded(x: f64, digits: f64) -> Datum {
    if digits.fract() != 0.0 || digits.abs() > 15.0 {
        return Datum::Null(Why::Digits);
    }
    let scale = libm::pow(10.0, digits.abs());
    let result = if digits >= 0.0 { (x * scale).round() / scale } else { (x / scale).round() * scale };
    // A number too large to be scaled has no decimals to round.
    if result.is_finite() { Datum::number(result) } else { Datum::number(x) }
}

fn calendar(function: Function, date: NaiveDate) -> Datum {
    match function {
        Function::Year => Datum::number(f64::from(date.year())),
        Function::Month => Datum::number(f64::from(date.month())),
        Function::Day => Datum::number(f64::from(date.day())),
        Function::Weekday => Datum::number(f64::from(date.weekday().number_from_monday())),
        _ => Datum::Null(Why::Arguments),
    }
}
