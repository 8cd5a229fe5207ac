//! Choices from a seed: the same seed and number choose the same, in any order of draws.

/// A row of draws.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// The row of one seed and number.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut draw = Self(seed);
        let start = draw.bits().wrapping_add(number);
        Self(start)
    }

    /// The next 64 bits, by SplitMix64.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        let count = u64::try_from(count.max(1)).unwrap_or(1);
        usize::try_from(self.bits() % count).unwrap_or_default()
    }

    /// True in so many of a hundred.
    pub fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of some things.
    pub fn of<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.below(things.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_number_choose_the_same() {
        let row = |seed, number| {
            let mut draw = Draw::new(seed, number);
            [draw.below(1_000), draw.below(1_000), draw.below(1_000)]
        };
        assert_eq!(row(7, 1), row(7, 1));
        assert_ne!(row(7, 1), row(7, 2));
        assert_ne!(row(7, 1), row(8, 1));
    }
}
