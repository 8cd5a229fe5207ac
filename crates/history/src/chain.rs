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

#[cfg(test)]
mod tests {
    use super::*;

    /// Logs are kept for years: a hash that changes would make every one of them look changed.
    #[test]
    fn the_hash_of_a_known_entry_never_changes() {
        let entry = |payload: Option<&[u8]>| Entry {
            revision: 7,
            kind: "offer".to_owned(),
            id: "off_1".to_owned(),
            name: "Tee".to_owned(),
            actor: "ann".to_owned(),
            at: "2026-07-03T11:00:00.123456Z".parse().unwrap(),
            payload: payload.map(<[u8]>::to_vec),
            hash: Vec::new(),
        };
        let hash =
            |previous: &[u8], payload| hex::encode(hash_of(previous, "default", &entry(payload)));
        assert_eq!(
            hash(&[], Some(b"tee")),
            "7772240ef9b67d0f9a21786231a3ada8f706b27082031b6193c6f1537f9f9c7b"
        );
        assert_eq!(
            hash(b"before", None),
            "35c51b873c35ccbe1123e412358088cc2a71084120b7ca7c86f4e9832993a6b7"
        );
    }
}
