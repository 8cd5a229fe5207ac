//! One reading of what the messages of all services share, so that no two services read the same
//! message differently.
//!
//! [`name`], [`named`], [`text`], [`purpose`], [`decimal`] and [`reasons!`] know no messages:
//! `domain/` may use them.

pub mod amount;
pub mod decimal;
pub mod instant;
pub mod name;
pub mod named;
pub mod output_type;
pub mod part;
pub mod purpose;
pub mod reason;
pub mod reference;
pub mod rule;
pub mod status;
pub mod text;
pub mod value;

/// Faults by field path.
pub type Faults = Vec<(String, String)>;
