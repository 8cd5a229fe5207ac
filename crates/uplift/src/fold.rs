//! Folds: the parts that cross-fitting leaves out one at a time.

use sha2::{Digest as _, Sha256};

/// How many folds there are.
pub const FOLDS: usize = 5;
/// Mixed into the hash, so that the fold is independent of every other use of the id.
const LABEL: &[u8] = b"fold\0";

/// The fold of a unit, from 0: the first 8 bytes, big-endian, of SHA-256(`fold` ‖ 0x00 ‖ id),
/// modulo [`FOLDS`].
pub fn fold_of(id: &str) -> usize {
    let digest = Sha256::new().chain_update(LABEL).chain_update(id.as_bytes()).finalize();
    let first = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    (first % FOLDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors by Python: `int.from_bytes(sha256(b"fold\0" + id).digest()[:8], "big") % 5`.
    #[test]
    fn folds_are_those_of_the_hash_in_any_language() {
        for (id, fold) in [("", 2), ("cust_1", 2), ("cust_2", 4), ("c-00042", 4), ("Zoë", 4)] {
            assert_eq!(fold_of(id), fold, "{id}");
        }
    }

    #[test]
    fn folds_are_of_one_size() {
        let mut counts = [0_u32; FOLDS];
        (0..50_000).for_each(|number| counts[fold_of(&format!("customer-{number}"))] += 1);
        assert!(counts.iter().all(|count| (9_600..10_400).contains(count)), "{counts:?}");
    }
}
