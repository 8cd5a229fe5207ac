//! Limits on texts.

/// Longest text that a formula may put together, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest text that a regular expression is matched with, in bytes. A longer one makes the
/// condition unknown.
pub const MATCHED_BYTES_MAX: usize = 1024;
