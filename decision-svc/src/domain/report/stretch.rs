//! How much time is counted at once: as much as has a bounded number of rows.

/// The first stretch.
const FIRST_US: i64 = 3_600_000_000;

/// A length of time that adapts to how many rows it holds.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    length_us: i64,
    rows_max: usize,
}

impl Stretch {
    /// A stretch that shall hold `rows_max` rows at most.
    pub fn new(rows_max: usize) -> Self {
        Self { length_us: FIRST_US, rows_max }
    }

    /// Where the stretch after an instant ends, at `through_us` at the latest; both in microseconds
    /// since 1970. None when nothing is left.
    pub fn end(&self, after_us: i64, through_us: i64) -> Option<i64> {
        (after_us < through_us).then(|| after_us.saturating_add(self.length_us).min(through_us))
    }

    /// Rows to read at most. One more than it shall hold shows that it holds more; one instant is
    /// never divided.
    pub fn limit(&self) -> usize {
        if self.is_shortest() { usize::MAX } else { self.rows_max + 1 }
    }

    /// True when so many rows are all of it; else it is halved, and must be read again.
    pub fn holds(&mut self, rows: usize) -> bool {
        if rows > self.rows_max && !self.is_shortest() {
            self.length_us /= 2;
            return false;
        }
        if rows < self.rows_max / 4 {
            self.length_us = self.length_us.saturating_mul(2);
        }
        true
    }

    fn is_shortest(&self) -> bool {
        self.length_us <= 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads rows at these instants; returns the largest number read at once and the total.
    fn read(rows: &[i64], through_us: i64, rows_max: usize) -> (usize, usize, usize) {
        let (mut stretch, mut after, mut steps) = (Stretch::new(rows_max), 0, 0);
        let (mut most, mut total) = (0, 0);
        while let Some(end) = stretch.end(after, through_us) {
            steps += 1;
            let found = rows.iter().filter(|at| **at > after && **at <= end).count();
            let read = found.min(stretch.limit());
            most = most.max(read);
            if stretch.holds(read) {
                (after, total) = (end, total + read);
            }
        }
        (most, total, steps)
    }

    #[test]
    fn every_row_is_read_once_and_few_at_a_time() {
        let fifty_years = 50 * 365 * 86_400_000_000_i64;
        let dense: Vec<i64> = (0..5_000).map(|row| fifty_years - 5_000_000 + row * 1_000).collect();
        let (most, total, steps) = read(&dense, fifty_years, 100);
        assert_eq!((most, total), (101, 5_000));
        assert!(steps < 400, "{steps}");
    }

    #[test]
    fn an_instant_with_more_rows_than_fit_is_read_whole() {
        let together = [vec![1_000; 700], vec![1_001; 3]].concat();
        let (most, total, _) = read(&together, 2_000_000, 100);
        assert_eq!((most, total), (700, 703));
    }

    #[test]
    fn nothing_is_left_at_the_end() {
        assert_eq!(Stretch::new(10).end(5, 5), None);
        assert_eq!(Stretch::new(10).end(4, 5), Some(5));
    }
}
