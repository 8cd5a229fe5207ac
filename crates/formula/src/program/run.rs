//! Runs a program and gives its value.

use super::{
    Constants, Datum, FormulaProgram, Inputs, Memory, Register, Texts, Why, Word,
    code::{Leaf, Part, Rare},
    datum::{Argument, Operands},
    orders::{Orders, Range},
};
use crate::{
    Moment, OutputType, Type,
    ast::Operator,
    evaluate::{SECONDS_OF_A_DAY, Unmoved, later},
    function::Function,
};

/// A run of one program.
pub(super) struct Run<'a> {
    pub inputs: Inputs<'a>,
    pub constants: &'a Constants,
    pub moment: &'a Moment,
    pub memory: &'a mut Memory,
}

impl FormulaProgram {
    /// What it comes to. The registers it reads must have been filled.
    pub fn run(
        &self,
        inputs: Inputs<'_>,
        constants: &Constants,
        moment: &Moment,
        memory: &mut Memory,
    ) -> Word {
        Run { inputs, constants, moment, memory }.value(&self.root)
    }
}

impl OutputType {
    /// As [`OutputType::coerce`], for programs.
    #[inline]
    pub fn convert(self, word: Word, memory: &mut Memory) -> Word {
        match (self, word.as_number()) {
            (Self::Integer, Some(number)) => Word::finite(round(number)),
            (Self::Integer, None) if word.is_a(Type::Number) => round_exact(word),
            _ if word.is_null() || word.is_a(self.value_type()) => word,
            _ => self.convert_other(word.datum(), memory).into(),
        }
    }

    /// What is of another type.
    fn convert_other(self, datum: Datum, memory: &mut Memory) -> Datum {
        match (self, datum.type_of()) {
            (Self::String | Self::Text, _) => memory.spell(datum),
            (_, Some(found)) => Datum::Null(Why::Misfit(found, self.value_type())),
            (_, None) => datum,
        }
    }
}

/// Rounded to a whole number, halves away from zero.
fn round(number: f64) -> f64 {
    // Most are whole already; to see that is quicker than to round them: a sum of this size has no
    // room for decimals.
    const SIZE: f64 = (1_u64 << 52) as f64;
    let size = SIZE.copysign(number);
    let whole = if number + size - size == number { number } else { number.round() };
    // Adding zero turns -0 into 0.
    whole + 0.0
}

/// The same for a number that no double is; a null passes on, and anything else is an argument that
/// `round` does not take.
#[cold]
fn round_exact(value: Word) -> Word {
    match (value.any_number(), value.datum().type_of()) {
        (Some(number), _) => Datum::from(number.round()).into(),
        (None, Some(found)) => {
            let function = Function::Round;
            Word::null(Why::Argument(Argument { function, index: 0, count: 1, found }))
        }
        (None, None) => value,
    }
}

/// A null passes on; anything else is not of the type that is needed.
#[cold]
fn unfit(value: Word, wanted: Type) -> Word {
    match value.datum().type_of() {
        Some(found) => Word::null(Why::Misfit(found, wanted)),
        None => value,
    }
}

/// The comparison of what is no double with a double.
#[cold]
fn compared(operator: Operator, range: Range, value: Word) -> Word {
    match (Orders::of(operator), value.any_number(), value.datum().type_of()) {
        (_, None, None) => value,
        (Some(orders), Some(number), _) => {
            Word::boolean(range.contains_exact(orders.moved(), number))
        }
        (_, _, Some(left)) => {
            Word::null(Why::Operands(Operands { operator, left, right: Type::Number }))
        }
        (None, Some(_), None) => value,
    }
}

impl Run<'_> {
    fn value(&mut self, part: &Part) -> Word {
        match part {
            Part::Leaf(leaf) => self.leaf(leaf),
            Part::Binary(operator, sides) => {
                let [left, right] = &**sides;
                let left = self.operand(left);
                if left.is_null() {
                    return left;
                }
                let right = self.operand(right);
                self.binary(*operator, left, right)
            }
            Part::Days { sides, is_rounded } => {
                let [left, right] = &**sides;
                let left = self.operand(left);
                if left.is_null() {
                    return left;
                }
                let right = self.operand(right);
                self.days(left, right, *is_rounded)
            }
            Part::ThreeValued(deciding, sides) => {
                let [left, right] = &**sides;
                let left = self.operand(left);
                if left.as_boolean() == Some(*deciding) {
                    left
                } else {
                    joined(left, self.operand(right), *deciding)
                }
            }
            Part::Round(operand) => {
                let value = self.value(operand);
                match value.as_number() {
                    Some(number) => Word::finite(round(number)),
                    None => round_exact(value),
                }
            }
            Part::Rare(rare) => self.rare(rare),
        }
    }

    /// The same, without a call for what takes one step.
    fn operand(&mut self, part: &Part) -> Word {
        match part {
            Part::Leaf(leaf) => self.leaf(leaf),
            other => self.value(other),
        }
    }

    #[inline]
    fn leaf(&self, leaf: &Leaf) -> Word {
        match leaf {
            Leaf::Constant(value) => *value,
            Leaf::Register(register) => self.register(*register),
            Leaf::Today => Word::of_days(self.moment.days()),
            Leaf::Compare(register, range, operator) => {
                let value = self.register(*register);
                match value.as_number() {
                    Some(number) => Word::boolean(range.contains(number)),
                    None => compared(*operator, *range, value),
                }
            }
        }
    }

    /// Out of line, so that the common parts need little room on the stack.
    #[inline(never)]
    fn rare(&mut self, rare: &Rare) -> Word {
        match rare {
            Rare::Negate(operand) => {
                let value = self.value(operand);
                match value.any_number() {
                    Some(number) => Datum::from(number.negated()).into(),
                    None => unfit(value, Type::Number),
                }
            }
            Rare::Not(operand) => {
                let value = self.value(operand);
                value
                    .as_boolean()
                    .map_or_else(|| unfit(value, Type::Boolean), |is| Word::boolean(!is))
            }
            Rare::Conditional([condition, then, otherwise]) => {
                let condition = self.value(condition);
                match condition.as_boolean() {
                    Some(true) => self.value(then),
                    Some(false) => self.value(otherwise),
                    None => unfit(condition, Type::Boolean),
                }
            }
            Rare::IsNull(operand, wanted) => {
                Word::boolean(self.value(operand).is_null() == *wanted)
            }
            Rare::Coalesce(parts) => self.coalesce(parts),
            Rare::Call(function, arguments) => {
                let from = self.memory.stack.len();
                for argument in arguments {
                    let value = self.value(argument);
                    self.memory.stack.push(value);
                }
                let value = self.call(*function, from);
                self.memory.stack.truncate(from);
                value
            }
        }
    }

    fn coalesce(&mut self, parts: &[Part]) -> Word {
        let mut first = None;
        for part in parts {
            let value = self.value(part);
            if !value.is_null() {
                return value;
            }
            first.get_or_insert(value);
        }
        first.unwrap_or(Word::null(Why::Null))
    }

    pub fn texts(&self) -> Texts<'_> {
        self.constants.texts(self.inputs.record, self.memory)
    }

    fn register(&self, register: Register) -> Word {
        self.inputs.word(register)
    }

    fn binary(&mut self, operator: Operator, left: Word, right: Word) -> Word {
        match (left.as_number(), right.as_number(), left.as_days(), right.as_days()) {
            (Some(left), Some(right), ..) => of_numbers(operator, left, right),
            (.., Some(left), Some(right)) if operator == Operator::Subtract => {
                Word::finite(f64::from(left - right) * SECONDS_OF_A_DAY)
            }
            _ => self.of_others(operator, left, right),
        }
    }

    /// One less the other, in days. Those between two dates are whole, so that seconds would divide
    /// without remainder.
    fn days(&mut self, left: Word, right: Word, is_rounded: bool) -> Word {
        if let (Some(left), Some(right)) = (left.as_days(), right.as_days()) {
            return Word::number(f64::from(left - right));
        }
        let seconds = self.binary(Operator::Subtract, left, right);
        let Some(seconds) = seconds.as_number() else {
            // A date less a number of days is a date, which cannot be divided.
            let right = Word::number(SECONDS_OF_A_DAY);
            return if seconds.is_null() {
                seconds
            } else {
                self.binary(Operator::Divide, seconds, right)
            };
        };
        let days = seconds / SECONDS_OF_A_DAY;
        Word::finite(if is_rounded { round(days) } else { days })
    }

    #[inline(never)]
    fn of_others(&mut self, operator: Operator, left: Word, right: Word) -> Word {
        let (left, right) = (left.datum(), right.datum());
        if let Datum::Null(_) = right {
            return right.into();
        }
        let order = self.texts().order(left, right);
        if let Some((orders, order)) = Orders::of(operator).zip(order) {
            return Word::boolean(orders.contain(order));
        }
        let (number, others) = (left.as_number(), right.as_number());
        if let (Some(left), Some(right)) = (number, others) {
            return of_numbers(operator, left.to_double(), right.to_double());
        }
        let value = match (operator, left, right) {
            (Operator::Add, Datum::Text(_), Datum::Text(_)) => {
                let from = self.memory.stack.len();
                self.memory.stack.extend([Word::from(left), Word::from(right)]);
                let text = self.concat(from);
                self.memory.stack.truncate(from);
                text
            }
            (Operator::Add, Datum::Date(date), _) if let Some(days) = others => {
                moved(date, days.to_double())
            }
            (Operator::Add, _, Datum::Date(date)) if let Some(days) = number => {
                moved(date, days.to_double())
            }
            (Operator::Subtract, Datum::Date(date), _) if let Some(days) = others => {
                moved(date, -days.to_double())
            }
            (Operator::Subtract, Datum::Timestamp(a), Datum::Timestamp(b)) => {
                let micros = (a - b).num_microseconds();
                micros
                    .map_or(Datum::Null(Why::Overflow), |micros| Datum::number(micros as f64 / 1e6))
            }
            _ => match (left.type_of(), right.type_of()) {
                (Some(left), Some(right)) => {
                    Datum::Null(Why::Operands(Operands { operator, left, right }))
                }
                _ => Datum::Null(Why::Null),
            },
        };
        value.into()
    }
}

/// The date so many days later.
fn moved(date: chrono::NaiveDate, days: f64) -> Datum {
    match later(date, days) {
        Ok(date) => Datum::Date(date),
        Err(Unmoved::Fraction) => Datum::Null(Why::PartOfDay),
        Err(Unmoved::Range) => Datum::Null(Why::DateRange),
    }
}

fn of_numbers(operator: Operator, left: f64, right: f64) -> Word {
    match operator {
        Operator::Add => Word::finite(left + right),
        Operator::Subtract => Word::finite(left - right),
        Operator::Multiply => Word::finite(left * right),
        Operator::Divide if right == 0.0 => Word::null(Why::DivisionByZero),
        Operator::Divide => Word::finite(left / right),
        Operator::Remainder if right == 0.0 => Word::null(Why::RemainderByZero),
        Operator::Remainder => Word::finite(left % right),
        _ => {
            let order = left.partial_cmp(&right);
            let is_true =
                Orders::of(operator).zip(order).map(|(orders, order)| orders.contain(order));
            is_true.map_or(Word::null(Why::NotANumber), Word::boolean)
        }
    }
}

/// Both sides of `&&` (decided by false) or `||` (decided by true); the left one does not decide.
fn joined(left: Word, right: Word, deciding: bool) -> Word {
    match (left.as_boolean(), right.as_boolean()) {
        (_, Some(is)) if is == deciding => right,
        (Some(_), Some(_)) => right,
        (Some(_), None) => unfit(right, Type::Boolean),
        (None, _) => unfit(left, Type::Boolean),
    }
}
