//! Compiles the syntax tree of a formula into a program. Names become registers, texts become
//! handles, and the most common comparison becomes a single part.

use super::{
    Constants, Register, Why, Word,
    orders::{Orders, Range},
};
use crate::{
    Formula, Steps, Value,
    ast::{Kind, Node, Operator},
    evaluate::SECONDS_OF_A_DAY,
    function::Function,
};

/// A part of a program, the common ones first.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Leaf(Leaf),
    Binary(Operator, Box<[Part; 2]>),
    /// One less the other in days of 86,400 seconds, or the nearest whole number of them.
    Days {
        sides: Box<[Part; 2]>,
        is_rounded: bool,
    },
    /// `&&`, decided by false, or `||`, decided by true.
    ThreeValued(bool, Box<[Part; 2]>),
    /// `round` of one argument.
    Round(Box<Part>),
    Rare(Box<Rare>),
}

/// What takes one step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaf {
    Constant(Word),
    Register(Register),
    Today,
    /// A register compared with a double, by this operator.
    Compare(Register, Range, Operator),
}

/// The other parts.
#[derive(Clone, Debug)]
pub(super) enum Rare {
    Negate(Part),
    Not(Part),
    /// The condition, and the parts for true and for false.
    Conditional([Part; 3]),
    /// Comparison with the literal null; whether it is to be null.
    IsNull(Part, bool),
    Coalesce(Box<[Part]>),
    Call(Function, Box<[Part]>),
}

/// A formula as a program.
#[derive(Clone, Debug)]
pub struct FormulaProgram {
    pub(super) root: Part,
    reads: Box<[Register]>,
}

impl FormulaProgram {
    /// Makes the program of a formula whose names, in their order, are these registers. None
    /// when `constants` has no room.
    pub fn new(
        formula: &Formula,
        registers: &[Register],
        constants: &mut Constants,
    ) -> Option<Self> {
        let root = Coder { registers, constants }.part(&formula.root)?;
        let mut reads = registers.to_vec();
        reads.sort_unstable();
        reads.dedup();
        Some(Self { root, reads: reads.into() })
    }

    /// The registers it reads, ascending.
    pub fn reads(&self) -> &[Register] {
        &self.reads
    }

    /// What it costs at most.
    pub fn steps(&self) -> Steps {
        let mut steps = Steps::default();
        self.root.add_steps(&mut steps);
        steps
    }

    /// True when it comes to a whole number or nothing.
    pub fn is_whole(&self) -> bool {
        matches!(self.root, Part::Round(_) | Part::Days { is_rounded: true, .. })
    }
}

impl Part {
    fn add_steps(&self, steps: &mut Steps) {
        let mut add = |parts: &[Self]| parts.iter().for_each(|part| part.add_steps(steps));
        match self {
            Self::Leaf(_) => {}
            Self::Binary(_, sides) | Self::Days { sides, .. } | Self::ThreeValued(_, sides) => {
                add(&**sides);
            }
            Self::Round(part) => add(std::slice::from_ref(&**part)),
            Self::Rare(rare) => match &**rare {
                Rare::Negate(part) | Rare::Not(part) | Rare::IsNull(part, _) => {
                    add(std::slice::from_ref(part));
                }
                Rare::Conditional(parts) => add(parts),
                Rare::Coalesce(parts) | Rare::Call(_, parts) => add(parts),
            },
        }
        // Sides may be texts, and exact numbers cost more than doubles.
        *steps += match self {
            Self::Binary(..) => Steps::scan(),
            Self::Rare(rare) if matches!(**rare, Rare::Call(..)) => Steps::call(),
            _ => Steps::fixed(8),
        };
    }
}

struct Coder<'a> {
    registers: &'a [Register],
    constants: &'a mut Constants,
}

impl Coder<'_> {
    fn part(&mut self, node: &Node) -> Option<Part> {
        let rare = match &node.kind {
            Kind::Null => return Some(Part::Leaf(Leaf::Constant(Word::null(Why::Null)))),
            Kind::Literal(value) => {
                return Some(Part::Leaf(Leaf::Constant(self.constants.datum(value)?.into())));
            }
            Kind::Name(index) => return Some(Part::Leaf(Leaf::Register(self.register(*index)?))),
            Kind::Call(Function::Today, _) => return Some(Part::Leaf(Leaf::Today)),
            Kind::Call(Function::Round, arguments) if let [number] = arguments.as_slice() => {
                return Some(match self.part(number)? {
                    Part::Days { sides, .. } => Part::Days { sides, is_rounded: true },
                    number => Part::Round(Box::new(number)),
                });
            }
            Kind::Binary(operator, left, right) => match null_test(*operator, left, right) {
                Some(tested) => Rare::IsNull(self.part(tested)?, *operator == Operator::Equal),
                None => return self.binary(*operator, left, right),
            },
            Kind::Negate(operand) => Rare::Negate(self.part(operand)?),
            Kind::Not(operand) => Rare::Not(self.part(operand)?),
            Kind::Conditional(condition, then, otherwise) => {
                Rare::Conditional([self.part(condition)?, self.part(then)?, self.part(otherwise)?])
            }
            Kind::Call(Function::Coalesce, arguments) => Rare::Coalesce(self.parts(arguments)?),
            Kind::Call(function, arguments) => Rare::Call(*function, self.parts(arguments)?),
        };
        Some(Part::Rare(Box::new(rare)))
    }

    fn parts(&mut self, nodes: &[Node]) -> Option<Box<[Part]>> {
        nodes.iter().map(|node| self.part(node)).collect()
    }

    fn register(&self, index: usize) -> Option<Register> {
        self.registers.get(index).copied()
    }

    fn binary(&mut self, operator: Operator, left: &Node, right: &Node) -> Option<Part> {
        if let (Kind::Name(index), Kind::Literal(Value::Number(number))) = (&left.kind, &right.kind)
            && let Some(range) = Orders::of(operator).and_then(|orders| orders.range(*number))
        {
            return Some(Part::Leaf(Leaf::Compare(self.register(*index)?, range, operator)));
        }
        if let (
            Operator::Divide,
            Kind::Binary(Operator::Subtract, from, to),
            Kind::Literal(Value::Number(SECONDS_OF_A_DAY)),
        ) = (operator, &left.kind, &right.kind)
        {
            return Some(Part::Days {
                sides: Box::new([self.part(from)?, self.part(to)?]),
                is_rounded: false,
            });
        }
        let sides = Box::new([self.part(left)?, self.part(right)?]);
        Some(match operator {
            Operator::And | Operator::Or => Part::ThreeValued(operator == Operator::Or, sides),
            _ => Part::Binary(operator, sides),
        })
    }
}

/// What is compared with the literal null, if anything is.
fn null_test<'n>(operator: Operator, left: &'n Node, right: &'n Node) -> Option<&'n Node> {
    match (operator, &left.kind, &right.kind) {
        (Operator::Equal | Operator::NotEqual, _, Kind::Null) => Some(left),
        (Operator::Equal | Operator::NotEqual, Kind::Null, _) => Some(right),
        _ => None,
    }
}
