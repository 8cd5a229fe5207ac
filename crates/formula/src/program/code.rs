//! From the shape of a formula to a flat program.

use super::{Constants, Datum, Register, Why};
use crate::{
    Formula,
    ast::{Kind, Node, Operator},
    function::Function,
};

/// One step on a stack of values. Jumps go forward only.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Constant(Datum),
    Load(Register),
    Negate,
    Not,
    /// Takes a condition: goes on, to `otherwise`, or with null to `end`.
    Branch {
        otherwise: u32,
        end: u32,
    },
    Jump(u32),
    /// Goes to `end` when the left side decides alone.
    Decide {
        deciding: bool,
        end: u32,
    },
    /// Joins both sides of `&&` and `||`.
    Join(bool),
    Binary(Operator),
    /// The same with a constant on the right.
    BinaryWith(Operator, Datum),
    /// Comparison with the literal null.
    IsNull(bool),
    /// Goes to `end` with the first value of `coalesce` that is not null.
    Known(u32),
    /// Merges a further value of `coalesce`; goes to `end` when it is not null.
    Merge(u32),
    Call(Function, u32),
}

/// A formula as a flat program.
#[derive(Clone, Debug)]
pub struct FormulaProgram {
    pub(super) ops: Box<[Op]>,
    reads: Box<[Register]>,
}

impl FormulaProgram {
    /// Makes the program of a formula whose names, in their order, stand for these registers. None when `constants` has
    /// no room.
    pub fn new(formula: &Formula, registers: &[Register], constants: &mut Constants) -> Option<Self> {
        let mut coder = Coder { ops: Vec::new(), registers, constants };
        coder.node(&formula.root)?;
        let mut reads = registers.to_vec();
        reads.sort_unstable();
        reads.dedup();
        Some(Self { ops: coder.ops.into(), reads: reads.into() })
    }

    /// The registers it reads, ascending.
    pub fn reads(&self) -> &[Register] {
        &self.reads
    }
}

struct Coder<'a> {
    ops: Vec<Op>,
    registers: &'a [Register],
    constants: &'a mut Constants,
}

impl Coder<'_> {
    fn put(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    /// The place after the last step. INVARIANT: a formula has at most `NODES_MAX` nodes, so places are small.
    fn here(&self) -> u32 {
        self.ops.len() as u32
    }

    fn set(&mut self, at: usize, op: Op) {
        if let Some(place) = self.ops.get_mut(at) {
            *place = op;
        }
    }

    fn node(&mut self, node: &Node) -> Option<()> {
        match &node.kind {
            Kind::Null => drop(self.put(Op::Constant(Datum::Null(Why::Null)))),
            Kind::Literal(value) => {
                let datum = self.constants.datum(value)?;
                self.put(Op::Constant(datum));
            }
            Kind::Name(index) => {
                let register = *self.registers.get(*index)?;
                self.put(Op::Load(register));
            }
            Kind::Negate(operand) => {
                self.node(operand)?;
                self.put(Op::Negate);
            }
            Kind::Not(operand) => {
                self.node(operand)?;
                self.put(Op::Not);
            }
            Kind::Conditional(condition, then, otherwise) => self.conditional(condition, then, otherwise)?,
            Kind::Binary(Operator::And, left, right) => self.three_valued(left, right, false)?,
            Kind::Binary(Operator::Or, left, right) => self.three_valued(left, right, true)?,
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            Kind::Call(Function::Coalesce, arguments) => self.coalesce(arguments)?,
            Kind::Call(function, arguments) => {
                for argument in arguments {
                    self.node(argument)?;
                }
                self.put(Op::Call(*function, arguments.len() as u32));
            }
        }
        Some(())
    }

    fn conditional(&mut self, condition: &Node, then: &Node, otherwise: &Node) -> Option<()> {
        self.node(condition)?;
        let branch = self.put(Op::Jump(0));
        self.node(then)?;
        let jump = self.put(Op::Jump(0));
        let other = self.here();
        self.node(otherwise)?;
        let end = self.here();
        self.set(branch, Op::Branch { otherwise: other, end });
        self.set(jump, Op::Jump(end));
        Some(())
    }

    fn three_valued(&mut self, left: &Node, right: &Node, deciding: bool) -> Option<()> {
        self.node(left)?;
        let decide = self.put(Op::Jump(0));
        self.node(right)?;
        self.put(Op::Join(deciding));
        let end = self.here();
        self.set(decide, Op::Decide { deciding, end });
        Some(())
    }

    fn binary(&mut self, operator: Operator, left: &Node, right: &Node) -> Option<()> {
        let tested = match (operator, &left.kind, &right.kind) {
            (Operator::Equal | Operator::NotEqual, _, Kind::Null) => Some(left),
            (Operator::Equal | Operator::NotEqual, Kind::Null, _) => Some(right),
            _ => None,
        };
        if let Some(tested) = tested {
            self.node(tested)?;
            self.put(Op::IsNull(operator == Operator::Equal));
            return Some(());
        }
        self.node(left)?;
        if let Kind::Literal(value) = &right.kind {
            let right = self.constants.datum(value)?;
            self.put(Op::BinaryWith(operator, right));
        } else {
            self.node(right)?;
            self.put(Op::Binary(operator));
        }
        Some(())
    }

    fn coalesce(&mut self, arguments: &[Node]) -> Option<()> {
        let mut jumps = Vec::new();
        for (index, argument) in arguments.iter().enumerate() {
            self.node(argument)?;
            jumps.push((index, self.put(Op::Jump(0))));
        }
        let end = self.here();
        for (index, at) in jumps {
            self.set(at, if index == 0 { Op::Known(end) } else { Op::Merge(end) });
        }
        Some(())
    }
}
