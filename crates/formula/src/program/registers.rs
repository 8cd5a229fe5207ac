//! Numbered places for values. Each value holds for one evaluation, or for as long as a record lasts; nothing is wiped,
//! what is out of date is told by its stamp.

use super::{Register, Why, Word};

/// The stamp of what lasts as long as the record.
const KEPT: u32 = u32::MAX;
/// The stamp of what is empty.
const EMPTY: u32 = u32::MAX - 1;

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

    /// Empties all that are not kept. Returns whether the numbers of evaluations begin anew, as they do the first time.
    pub fn begin(&mut self) -> bool {
        self.epoch += 1;
        if self.epoch == EMPTY {
            // Stamps of four thousand million evaluations ago must not pass for new ones.
            self.places.iter_mut().filter(|place| place.stamp != KEPT).for_each(|place| place.stamp = EMPTY);
            self.epoch = 1;
        }
        self.epoch == 1
    }

    /// Fills one until it is emptied.
    pub fn keep(&mut self, register: Register, word: Word) {
        self.fill(register, word, KEPT);
    }

    /// Fills one for this evaluation.
    pub fn set(&mut self, register: Register, word: Word) {
        self.fill(register, word, self.epoch);
    }

    fn fill(&mut self, register: Register, word: Word, stamp: u32) {
        if let Some(place) = self.places.get_mut(register as usize) {
            *place = Place { word, stamp };
        }
    }

    /// What one holds; none when it is empty.
    #[inline]
    pub fn get(&self, register: Register) -> Option<Word> {
        let place = self.places.get(register as usize)?;
        (place.stamp == self.epoch || place.stamp == KEPT).then_some(place.word)
    }

    /// What one holds that has been filled.
    #[inline]
    pub(super) fn word(&self, register: Register) -> Word {
        self.places.get(register as usize).map_or(Word::null(Why::Register(register)), |place| place.word)
    }
}

impl FromIterator<Word> for Registers {
    /// Registers that are all filled.
    fn from_iter<I: IntoIterator<Item = Word>>(words: I) -> Self {
        let places = words.into_iter().map(|word| Place { word, stamp: KEPT }).collect();
        Self { places, epoch: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_evaluation_found_is_gone_with_it_and_what_is_kept_stays() {
        let mut registers = Registers::default();
        registers.resize(2);
        let is = |registers: &Registers| [0, 1].map(|register| registers.get(register).is_some());
        assert_eq!(is(&registers), [false, false]);
        assert_eq!((registers.begin(), is(&registers)), (true, [false, false]));
        registers.keep(0, Word::boolean(true));
        registers.set(1, Word::boolean(true));
        assert_eq!(is(&registers), [true, true]);
        assert_eq!((registers.begin(), is(&registers)), (false, [true, false]));
    }

    #[test]
    fn a_stamp_of_long_ago_does_not_pass_for_a_new_one() {
        let mut registers = Registers::default();
        registers.resize(2);
        registers.begin();
        registers.keep(0, Word::boolean(true));
        registers.set(1, Word::boolean(true));
        registers.epoch = EMPTY - 1;
        assert!(registers.begin());
        assert_eq!([0, 1].map(|register| registers.get(register).is_some()), [true, false]);
    }
}
