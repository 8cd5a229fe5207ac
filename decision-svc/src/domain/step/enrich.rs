//! `enrich`: fetches the customer's record.

use super::NodeType;

/// Schema of an enrich node that names none.
pub const DEFAULT_SCHEMA: &str = "Customer";

/// How the customer's record is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrich {
    /// Id or name of the record's schema.
    pub schema: String,
}

impl Default for Enrich {
    fn default() -> Self {
        Self { schema: DEFAULT_SCHEMA.to_owned() }
    }
}

impl NodeType for Enrich {
    fn order(&self) -> Option<u8> {
        Some(10)
    }
}
