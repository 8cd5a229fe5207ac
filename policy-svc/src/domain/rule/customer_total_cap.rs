//! `customer_total_cap`: a maximum of contacts with a customer, with any offer.

use super::cap::CapKind;
use crate::domain::{refusal::ReasonCode, scope::Scope};

/// The kind's name.
pub const NAME: &str = "customer_total_cap";

/// At most so many contacts with a customer, whatever they are about.
pub static KIND: CapKind = CapKind {
    scope: |_| Scope::default(),
    scope_fault: |written| {
        let text = "must be `global` or left out: customer_total_cap counts every contact and \
                    refuses every offer";
        (!written.is_global()).then_some(text)
    },
    ..CapKind::new(NAME, ReasonCode::CustomerTotalCap)
};
