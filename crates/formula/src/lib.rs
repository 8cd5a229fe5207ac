//! The expression language of computed fields and qualification rules: parse, check, compile,
//! evaluate. Pure: no I/O, no clock, no randomness; the same bits on every machine.
//!
//! - [`Formula`]: a typed formula such as `round((today() - customer.lastPurchaseDate) / 86400)`.
//!   Everything that can be wrong with it is said when it is compiled, with a byte position;
//!   evaluation never fails: what cannot be computed is null, and every null carries its first
//!   cause.
//! - [`rule`]: conditions on fields, nested by all, any and not, three-valued.
//! - [`program`]: both as programs over numbered registers, for those who evaluate them often.

mod ast;
pub mod calendar;
mod check;
mod error;
mod evaluate;
mod formula;
mod function;
mod lexer;
mod limit;
mod nearest;
mod number;
mod output;
mod parser;
pub mod program;
pub mod rule;
mod steps;
mod value;

pub use ast::operators;
pub use error::{FormulaError, position_in};
pub use evaluate::Moment;
pub use formula::Formula;
pub use function::functions;
pub use lexer::SOURCE_BYTES_MAX;
pub use limit::{MATCHED_BYTES_MAX, TEXT_BYTES_MAX};
pub use nearest::nearest;
pub use number::{Exact, Number};
pub use output::OutputType;
pub use parser::{DEPTH_MAX, NODES_MAX};
pub use steps::Steps;
pub use value::{Cause, Type, Value};
