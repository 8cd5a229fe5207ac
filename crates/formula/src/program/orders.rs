//! A comparison as a set of orders (less, equal, greater), and as a range of numbers.

use std::cmp::Ordering;

use crate::{Number, ast, rule};

const LESS: u8 = 1;
const EQUAL: u8 = 2;
const GREATER: u8 = 4;
const UNEQUAL: u8 = LESS | GREATER;
const AT_MOST: u8 = LESS | EQUAL;
const AT_LEAST: u8 = GREATER | EQUAL;

/// Orders under which a comparison is true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders(u8);

/// Doubles between two bounds, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    low: f64,
    high: f64,
}

/// Which bounds of a range were moved by one double, because the number compared with lies outside.
/// Only numbers that are no doubles lie between that number and the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    is_low: bool,
    is_high: bool,
}

impl Orders {
    /// Of a formula's operator; none when it is no comparison.
    pub fn of(operator: ast::Operator) -> Option<Self> {
        Some(Self(match operator {
            ast::Operator::Equal => EQUAL,
            ast::Operator::NotEqual => UNEQUAL,
            ast::Operator::Less => LESS,
            ast::Operator::LessOrEqual => AT_MOST,
            ast::Operator::Greater => GREATER,
            ast::Operator::GreaterOrEqual => AT_LEAST,
            _ => return None,
        }))
    }

    /// Of a rule's operator; none when it is no comparison.
    pub fn of_rule(operator: rule::Operator) -> Option<Self> {
        Some(Self(match operator {
            rule::Operator::Eq => EQUAL,
            rule::Operator::Neq => UNEQUAL,
            rule::Operator::Lt => LESS,
            rule::Operator::Lte => AT_MOST,
            rule::Operator::Gt => GREATER,
            rule::Operator::Gte => AT_LEAST,
            _ => return None,
        }))
    }

    /// Whether the comparison is true for values in this order.
    pub fn contain(self, order: Ordering) -> bool {
        let order = match order {
            Ordering::Less => LESS,
            Ordering::Equal => EQUAL,
            Ordering::Greater => GREATER,
        };
        self.0 & order != 0
    }

    /// The bounds that [`Orders::range`] moves.
    pub fn moved(self) -> Moved {
        Moved { is_low: self.0 == GREATER, is_high: self.0 == LESS }
    }

    /// The doubles that compare so with `number`; none when they are no range.
    pub fn range(self, number: f64) -> Option<Range> {
        let (low, high) = match self.0 {
            LESS => (f64::NEG_INFINITY, number.next_down()),
            AT_MOST => (f64::NEG_INFINITY, number),
            EQUAL => (number, number),
            AT_LEAST => (number, f64::INFINITY),
            GREATER => (number.next_up(), f64::INFINITY),
            _ => return None,
        };
        Some(Range { low, high })
    }
}

impl Range {
    /// Whether a double lies within.
    #[inline]
    pub fn contains(self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }

    /// Whether a number that is no double lies within.
    pub fn contains_exact(self, moved: Moved, number: Number) -> bool {
        let low = if moved.is_low { self.low.next_down() } else { self.low };
        let high = if moved.is_high { self.high.next_up() } else { self.high };
        let order = |bound: f64| number.order(Number::Double(bound));
        // INVARIANT: it is equal to no bound.
        (low == f64::NEG_INFINITY || order(low).is_some_and(Ordering::is_gt))
            && (high == f64::INFINITY || order(high).is_some_and(Ordering::is_lt))
    }

    /// What lies within both.
    pub fn and(self, moved: Moved, other: Self, others: Moved) -> (Self, Moved) {
        let (low, is_low) = match self.low.total_cmp(&other.low) {
            Ordering::Greater => (self.low, moved.is_low),
            Ordering::Less => (other.low, others.is_low),
            // The bound that was not moved is the narrower one.
            Ordering::Equal => (self.low, moved.is_low && others.is_low),
        };
        let (high, is_high) = match self.high.total_cmp(&other.high) {
            Ordering::Less => (self.high, moved.is_high),
            Ordering::Greater => (other.high, others.is_high),
            Ordering::Equal => (self.high, moved.is_high && others.is_high),
        };
        (Self { low, high }, Moved { is_low, is_high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A range judges a number between two doubles as the comparison itself does.
    #[test]
    fn a_range_is_exact_also_for_numbers_that_are_no_doubles() {
        let operators = [
            rule::Operator::Eq,
            rule::Operator::Gt,
            rule::Operator::Gte,
            rule::Operator::Lt,
            rule::Operator::Lte,
        ];
        let doubles = [5.0, 5.0_f64.next_up(), 5.0_f64.next_down()];
        let texts = [
            "4.9999999999999995",
            "4.999999999999999999",
            "5.000000000000000001",
            "5.0000000000000004",
            "5.000000000000001",
            "5.0000000000000012",
        ];
        let comparisons: Vec<_> =
            operators.iter().flat_map(|op| doubles.map(|with| (*op, with))).collect();
        for text in texts {
            let number = Number::parse(text).unwrap();
            let is_true = |(op, with): (rule::Operator, f64)| {
                let order = number.order(Number::Double(with)).unwrap();
                Orders::of_rule(op).unwrap().contain(order)
            };
            let range = |(op, with): (rule::Operator, f64)| {
                let orders = Orders::of_rule(op).unwrap();
                (orders.range(with).unwrap(), orders.moved())
            };
            let contains = |(range, moved): (Range, Moved)| match number {
                Number::Double(double) => range.contains(double),
                Number::Exact(_) => range.contains_exact(moved, number),
            };
            for one in &comparisons {
                assert_eq!(contains(range(*one)), is_true(*one), "{text} {one:?}");
                for other in &comparisons {
                    let ((a, moved), (b, others)) = (range(*one), range(*other));
                    let both = is_true(*one) && is_true(*other);
                    assert_eq!(contains(a.and(moved, b, others)), both, "{text} {one:?} {other:?}");
                }
            }
        }
    }
}
