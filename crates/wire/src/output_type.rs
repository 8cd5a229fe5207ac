//! What a computed field is converted to.

use formula::OutputType;
use proffer_proto::catalog::v1 as proto;

/// What an output type may be, for faults.
pub const KNOWN: &str = "must be one of integer, number, decimal, boolean, string, text, date";

/// `None` for a number that the contract does not know; `Some(None)` when the type is left out and
/// the formula's own type is kept.
pub fn parse(number: i32) -> Option<Option<OutputType>> {
    Some(match proto::OutputType::try_from(number).ok()? {
        proto::OutputType::Unspecified => None,
        proto::OutputType::Integer => Some(OutputType::Integer),
        proto::OutputType::Number => Some(OutputType::Number),
        proto::OutputType::Decimal => Some(OutputType::Decimal),
        proto::OutputType::Boolean => Some(OutputType::Boolean),
        proto::OutputType::String => Some(OutputType::String),
        proto::OutputType::Text => Some(OutputType::Text),
        proto::OutputType::Date => Some(OutputType::Date),
    })
}
