//! Sums of 128 bits as four whole numbers each.
//!
//! A stored sum changes by an addition that both databases can do. 128 bits fit in none of their
//! whole numbers, and decimals are text in SQLite. So a number is four parts of 32 bits, the last
//! one with the sign, and each part is added for itself, without a carry. A part holds 63 bits, so
//! 2^31 additions fit in it: more than one row of the ledger can take in a lifetime.

use crate::domain::analysis::{Figure, Paired, Sample};

/// Parts of a number, the lowest first.
pub type Limbs = [i64; 4];

const BITS: u32 = 32;
const MASK: i128 = 0xffff_ffff;

/// Sums over customers, or their change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Customers.
    pub n: i64,
    /// Customers whose figure is not zero.
    pub events: i64,
    /// Customers with a purchase.
    pub buyers: i64,
    /// Customers whose figures are too large to be squared in 128 bits: with one of them there is
    /// no sum.
    pub beyond: i64,
    /// Of the figures, of their squares, of the second figures, of their squares, and of the
    /// products.
    pub parts: [Limbs; 5],
}

impl Sums {
    /// One customer without a figure.
    pub fn one() -> Self {
        Self { n: 1, ..Self::default() }
    }

    /// One customer.
    pub fn of(figure: &Figure) -> Self {
        let Figure { value, is_buyer, paired } = *figure;
        let all = || {
            Some([
                value,
                value.checked_mul(value)?,
                paired,
                paired.checked_mul(paired)?,
                value.checked_mul(paired)?,
            ])
        };
        let parts = all();
        Self {
            n: 1,
            events: (value != 0).into(),
            buyers: is_buyer.into(),
            beyond: parts.is_none().into(),
            parts: parts.unwrap_or_default().map(split),
        }
    }

    /// Adds the other sums so many times; −1 takes them away.
    pub fn add(&mut self, other: &Self, times: i64) {
        self.n += times * other.n;
        self.events += times * other.events;
        self.buyers += times * other.buyers;
        self.beyond += times * other.beyond;
        for (own, others) in self.parts.iter_mut().flatten().zip(other.parts.iter().flatten()) {
            *own += times * others;
        }
    }

    /// True when nothing changes.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// All numbers in the order in which they are stored.
    pub fn numbers(&self) -> Vec<i64> {
        let counts = [self.n, self.events, self.buyers, self.beyond];
        counts.into_iter().chain(self.parts.into_iter().flatten()).collect()
    }

    /// The sums of such numbers; none when there are not as many.
    pub fn read(numbers: &[i64]) -> Option<Self> {
        let [n, events, buyers, beyond, parts @ ..] = numbers else { return None };
        let mut sums =
            Self { n: *n, events: *events, buyers: *buyers, beyond: *beyond, ..Self::default() };
        if parts.len() != sums.parts.as_flattened().len() {
            return None;
        }
        sums.parts.as_flattened_mut().copy_from_slice(parts);
        Some(sums)
    }

    /// The same as a sample of the analysis.
    pub fn sample(&self) -> Sample {
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let [sum, squares, second, second_squares, products] =
            self.parts.map(|limbs| joined(limbs).filter(|_| self.beyond == 0));
        let unsigned = |sum: Option<i128>| sum.and_then(|sum| u128::try_from(sum).ok());
        Sample {
            n: count(self.n),
            events: count(self.events),
            buyers: count(self.buyers),
            sum,
            squares: unsigned(squares),
            paired: Paired { sum: second, squares: unsigned(second_squares), products },
        }
    }
}

/// The parts of a number.
fn split(number: i128) -> Limbs {
    let part = |place: u32| {
        let shifted = number >> (BITS * place);
        // INVARIANT: 32 bits, and of the last part 32 bits with a sign, fit in 64.
        (if place == 3 { shifted } else { shifted & MASK }) as i64
    };
    [part(0), part(1), part(2), part(3)]
}

/// The number of added parts; none beyond 128 bits.
fn joined(limbs: Limbs) -> Option<i128> {
    limbs.iter().zip(0..).try_fold(0_i128, |sum, (limb, place)| {
        let shifted = i128::from(*limb).checked_mul(1_i128 << (BITS * place))?;
        sum.checked_add(shifted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [i128; 9] = [
        0,
        1,
        -1,
        i128::MAX,
        i128::MIN,
        u64::MAX as i128,
        -(u64::MAX as i128),
        12_345_678_901_234_567_890_123,
        -0x1_0000_0000,
    ];

    #[test]
    fn a_number_is_the_sum_of_its_parts() {
        for number in NUMBERS {
            assert_eq!(joined(split(number)), Some(number), "{number}");
        }
    }

    #[test]
    fn added_parts_are_the_added_numbers_without_a_carry() {
        let small = NUMBERS.map(|number| number / 16);
        let mut limbs = Limbs::default();
        for number in small.iter().cycle().take(900) {
            limbs.iter_mut().zip(split(*number)).for_each(|(sum, part)| *sum += part);
        }
        let expected: i128 = 100 * small.iter().sum::<i128>();
        assert_eq!(joined(limbs), Some(expected));
    }

    #[test]
    fn what_is_added_and_taken_away_leaves_nothing() {
        let figures = [(5, true, 7), (-3, false, i128::from(i64::MAX)), (i128::MAX, true, 1)];
        let mut sums = Sums::default();
        for sign in [1, -1] {
            for (value, is_buyer, paired) in figures {
                sums.add(&Sums::of(&Figure { value, is_buyer, paired }), sign);
            }
            assert_eq!(Sums::read(&sums.numbers()), Some(sums));
        }
        assert!(sums.is_zero());
        assert_eq!(Sums::read(&[1, 2, 3]), None);
    }

    #[test]
    fn a_figure_beyond_128_bits_leaves_the_counts_and_no_sum() {
        let mut sums = Sums::of(&Figure { value: i128::MAX, is_buyer: true, paired: 0 });
        sums.add(&Sums::of(&Figure { value: 2, is_buyer: false, paired: 3 }), 1);
        let sample = sums.sample();
        assert_eq!((sample.n, sample.events, sample.buyers), (2, 2, 1));
        assert_eq!((sample.sum, sample.squares, sample.paired.sum), (None, None, None));
    }

    #[test]
    fn the_sample_of_the_sums_is_the_sample_of_the_customers() {
        let figures = [(5, true, 7), (-3, false, 2), (0, false, 0), (9_000_000_000_000, true, -4)];
        let (mut sums, mut sample) = (Sums::default(), Sample::default());
        for (value, is_buyer, paired) in figures {
            let figure = Figure { value, is_buyer, paired };
            sums.add(&Sums::of(&figure), 1);
            sample.add(figure);
        }
        assert_eq!(sums.sample(), sample);
    }
}
