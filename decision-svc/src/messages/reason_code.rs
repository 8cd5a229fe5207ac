//! Reasons between proto and domain, by name.

use proffer_proto::values::v1::ReasonCode;
use wire::reason;

use crate::domain::reason::Reason;

/// The reason as proto carries it.
pub fn into_proto(found: Reason) -> ReasonCode {
    // INVARIANT: every reason is in the contract; the test below.
    reason::code(found.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// JSON and counts by reason use the name without its prefix.
    #[test]
    fn every_reason_is_in_the_contract_and_the_other_way_round() {
        for found in Reason::ALL {
            assert_eq!(reason::word(into_proto(*found)), found.as_str());
            assert_eq!(Reason::of(found.as_str()), Some(*found));
        }
        assert_eq!(Reason::of("nothing"), None);
        assert_eq!(reason::words().count(), Reason::ALL.len());
    }
}
