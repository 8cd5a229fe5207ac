//! The stored form of the counts of some cells.

use prost::Message as _;

use crate::domain::report::{cell::Count, chunk::Chunk};

/// Counts by place. Lists may be shorter than the chunk: what is left out is zero.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct KeptChunk {
    /// How many.
    #[prost(uint64, repeated, tag = "1")]
    n: Vec<u64>,
    /// How many have a value.
    #[prost(uint64, repeated, tag = "2")]
    valued: Vec<u64>,
    /// Sums of values, with the sign in the lowest bit; the lower half of it.
    #[prost(uint64, repeated, tag = "3")]
    low: Vec<u64>,
    /// The upper half.
    #[prost(uint64, repeated, tag = "4")]
    high: Vec<u64>,
}

/// The stored bytes.
pub fn bytes(chunk: &Chunk) -> Vec<u8> {
    let counts = chunk.counts();
    let half = |count: &Count, shift: u32| (signed(count.value) >> shift) as u64;
    KeptChunk {
        n: trimmed(counts.iter().map(|count| count.n)),
        valued: trimmed(counts.iter().map(|count| count.valued)),
        low: trimmed(counts.iter().map(|count| half(count, 0))),
        high: trimmed(counts.iter().map(|count| half(count, u64::BITS))),
    }
    .encode_to_vec()
}

/// The counts from their stored bytes; none when these are not whole.
pub fn read(bytes: &[u8]) -> Option<Chunk> {
    let kept = KeptChunk::decode(bytes).ok()?;
    let count = |(place, n): (usize, &u64)| {
        let at = |list: &[u64]| list.get(place).copied().unwrap_or_default();
        let value = u128::from(at(&kept.high)) << u64::BITS | u128::from(at(&kept.low));
        Count { n: *n, valued: at(&kept.valued), value: unsigned(value) }
    };
    Some(Chunk::new(kept.n.iter().enumerate().map(count).collect()))
}

fn trimmed(numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut numbers: Vec<_> = numbers.collect();
    let end = numbers.iter().rposition(|number| *number > 0).map_or(0, |last| last + 1);
    numbers.truncate(end);
    numbers
}

/// A number whose small values are small, whatever their sign.
fn signed(value: i128) -> u128 {
    (value << 1 ^ value >> (i128::BITS - 1)) as u128
}

fn unsigned(kept: u128) -> i128 {
    (kept >> 1) as i128 ^ -((kept & 1) as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_back_as_they_were() {
        let values = [0, 1, -1, i128::from(i64::MAX) * 9, -i128::from(i64::MAX) * 9, 199_000];
        let mut counts: Vec<_> = values
            .into_iter()
            .map(|value| Count { n: 3, valued: u64::from(value != 0), value })
            .collect();
        counts.extend([Count::default(), Count::one(None)]);
        let chunk = Chunk::new(counts);
        assert_eq!(read(&bytes(&chunk)), Some(chunk));
        assert_eq!(read(&[]), Some(Chunk::default()));
        assert_eq!(read(b"\x0a\xff"), None);
        for value in [i128::MAX, i128::MIN] {
            assert_eq!(unsigned(signed(value)), value);
        }
    }

    /// Most cells of a day count few things.
    #[test]
    fn small_counts_take_few_bytes() {
        let counts = vec![Count { n: 20, valued: 5, value: 499_000 }; 256];
        assert!(bytes(&Chunk::new(counts)).len() < 6 * 256);
    }
}
