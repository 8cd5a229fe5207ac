//! The hash chain: SHA-256 over a versioned, length-prefixed form, so that no two entries read
//! alike.

use sha2::{Digest as _, Sha256};

use crate::Entry;

/// Version of the canonical form below.
const FORM: &[u8] = b"proffer-history-1";

/// Hash of `entry` after the entry that hashed to `previous` (empty for the first).
pub fn hash_of(previous: &[u8], tenant: &str, entry: &Entry) -> Vec<u8> {
    let mut hasher = Sha256::new();
    let mut put = |part: &[u8]| {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    };
    put(FORM);
    put(previous);
    put(tenant.as_bytes());
    put(&entry.revision.to_be_bytes());
    put(entry.kind.as_bytes());
    put(entry.id.as_bytes());
    put(entry.name.as_bytes());
    put(entry.actor.as_bytes());
    put(&entry.at.timestamp_micros().to_be_bytes());
    match &entry.payload {
        Some(payload) => put(payload),
        None => put(b"deleted"),
    }
    put(&[u8::from(entry.payload.is_some())]);
    hasher.finalize().to_vec()
}
