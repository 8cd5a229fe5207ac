//! Numbers that are drawn by a hash, the same on every machine and in every language.

use sha2::{Digest as _, Sha256};

/// The first 8 bytes, big-endian, of the SHA-256 of these texts with a zero byte between them.
pub fn lot(texts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            hasher.update([0]);
        }
        hasher.update(text.as_bytes());
    }
    hasher.finalize().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}
