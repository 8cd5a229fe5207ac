//! The counts of a day, some cells together.

use super::cell::Count;

/// Cells of a chunk.
pub const CELLS: usize = 256;

/// Counts of cells whose numbers follow each other, from a multiple of [`CELLS`] on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk(Vec<Count>);

/// The chunk that holds the cell of a number, and its place in it.
pub fn place_of(cell: usize) -> (usize, usize) {
    (cell / CELLS, cell % CELLS)
}

impl Chunk {
    /// A chunk of these counts; those beyond [`CELLS`] are left out.
    pub fn new(mut counts: Vec<Count>) -> Self {
        counts.truncate(CELLS);
        Self(counts)
    }

    /// The counts by place. Later places are zero.
    pub fn counts(&self) -> &[Count] {
        &self.0
    }

    /// Adds to the count of a place below [`CELLS`].
    pub fn add(&mut self, place: usize, count: &Count) {
        if self.0.len() <= place && place < CELLS {
            self.0.resize(place + 1, Count::default());
        }
        if let Some(own) = self.0.get_mut(place) {
            own.add(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_has_one_place() {
        assert_eq!((place_of(0), place_of(255), place_of(256)), ((0, 0), (0, 255), (1, 0)));
        let mut chunk = Chunk::default();
        for place in [3, 255, 3, 256] {
            chunk.add(place, &Count::one(None));
        }
        let counts: Vec<_> = (0..)
            .zip(chunk.counts())
            .filter(|(_, it)| it.n > 0)
            .map(|(at, it)| (at, it.n))
            .collect();
        assert_eq!(counts, [(3, 2), (255, 1)]);
    }
}
