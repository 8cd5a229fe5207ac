//! The purpose of a contact, for consent.

/// The purpose of an offer that names none.
pub const DEFAULT: &str = "marketing";

/// The purpose, or the default when it is blank.
pub fn or_default(purpose: String) -> String {
    if purpose.trim().is_empty() { DEFAULT.to_owned() } else { purpose }
}
