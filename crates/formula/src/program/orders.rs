//! A comparison as a set of orders (less, equal, greater), and as a range of numbers.

use std::cmp::Ordering;

use crate::{ast, rule};

const LESS: u8 = 1;
const EQUAL: u8 = 2;
const GREATER: u8 = 4;
const UNEQUAL: u8 = LESS | GREATER;
const AT_MOST: u8 = LESS | EQUAL;
const AT_LEAST: u8 = GREATER | EQUAL;

/// Orders under which a comparison is true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Orders(u8);

/// Numbers between two bounds, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    low: f64,
    high: f64,
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

    /// The numbers that compare so with `number`; none when they are no range.
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
    /// Whether a number lies within.
    pub fn contains(self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }

    /// What lies within both.
    pub fn and(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }
}
