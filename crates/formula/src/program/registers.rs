//! Numbered registers with the values of one evaluation. They are not cleared between evaluations:
//! an old value is recognized by its stamp.

use super::{Register, Why, Word};

/// The stamp of what was never filled.
const EMPTY: u32 = u32::MAX;

/// The registers of programs that belong together.
#[derive(Clone, Debug, Default)]
pub struct Registers {
    places: Vec<Place>,
    epoch: u32,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    word: Word,
    stamp: u32,
}

impl Registers {
    /// So many, from now on; new ones are empty.
    pub fn resize(&mut self, count: usize) {
        self.places.resize(count, Place { word: Word::null(Why::Null), stamp: EMPTY });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.len()
    }

    /// The number of this evaluation. Stamps of others may go by it as well.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Empties all. Returns whether the numbers of evaluations begin anew, as they do the first
    /// time.
    pub fn begin(&mut self) -> bool {
        self.epoch += 1;
        if self.epoch == EMPTY {
            // Stamps of four thousand million evaluations ago must not pass for new ones.
            self.places.iter_mut().for_each(|place| place.stamp = EMPTY);
            self.epoch = 1;
        }
        self.epoch == 1
    }

    /// Fills one for this evaluation.
    pub fn set(&mut self, register: Register, word: Word) {
        if let Some(place) = self.places.get_mut(register as usize) {
            *place = Place { word, stamp: self.epoch };
        }
    }

    /// The value of one; none when it is empty.
    #[inline]
    pub fn get(&self, register: Register) -> Option<Word> {
        let place = self.places.get(register as usize)?;
        (place.stamp == self.epoch).then_some(place.word)
    }

    /// The value of one that has been filled.
    #[inline]
    pub(super) fn word(&self, register: Register) -> Word {
        self.places
            .get(register as usize)
            .map_or(Word::null(Why::Register(register)), |place| place.word)
    }
}

impl FromIterator<Word> for Registers {
    /// Registers that are all filled.
    fn from_iter<I: IntoIterator<Item = Word>>(words: I) -> Self {
        let epoch = 1;
        Self { places: words.into_iter().map(|word| Place { word, stamp: epoch }).collect(), epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_evaluation_found_is_gone_with_it() {
        let mut registers = Registers::default();
        registers.resize(2);
        let is = |registers: &Registers| [0, 1].map(|register| registers.get(register).is_some());
        assert_eq!(is(&registers), [false, false]);
        assert_eq!((registers.begin(), is(&registers)), (true, [false, false]));
        registers.set(1, Word::boolean(true));
        assert_eq!(is(&registers), [false, true]);
        assert_eq!((registers.begin(), is(&registers)), (false, [false, false]));
    }

    #[test]
    fn a_stamp_of_long_ago_does_not_pass_for_a_new_one() {
        let mut registers = Registers::default();
        registers.resize(1);
        registers.begin();
        registers.set(0, Word::boolean(true));
        registers.epoch = EMPTY - 1;
        assert!(registers.begin());
        assert!(registers.get(0).is_none());
    }
}
