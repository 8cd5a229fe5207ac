//! Formulas and rules as programs over numbered registers, for evaluating them often: names are
//! resolved when a program is made, text is a handle, and running allocates nothing once its
//! [`Memory`] has grown.
//!
//! What a program comes to is what [`Formula::evaluate`](crate::Formula::evaluate) and
//! [`CompiledRule::evaluate`](crate::rule::CompiledRule::evaluate) come to, bit for bit, causes of
//! null included.

mod call;
mod code;
mod datum;
mod memory;
mod orders;
mod record;
mod registers;
mod rule;
mod run;
mod text;
mod word;

pub use code::FormulaProgram;
pub use datum::{Datum, Why};
pub use memory::{Constants, Memory, Texts, WRITTEN_BYTES_MAX};
pub use record::{Inputs, Record};
pub use registers::Registers;
pub use rule::{Check, Judged, RuleProgram};
pub use text::Text;
pub use word::Word;

/// A numbered place for one value: an input, or what another formula came to.
pub type Register = u32;
