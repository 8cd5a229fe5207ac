//! `frequency_cap`: a maximum of contacts in scope.

use super::cap::CapKind;
use crate::domain::refusal::ReasonCode;

/// The kind's name.
pub const NAME: &str = "frequency_cap";

/// At most so many contacts in scope.
pub static KIND: CapKind = CapKind::new(NAME, ReasonCode::FrequencyCap);
