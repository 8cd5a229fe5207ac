//! Counts of an evaluation: how many offers each step dropped or passed.

/// Sieves of a flow at most: one for each type of node that compiles to one.
pub const SIEVES_MAX: usize = 4;

/// Counts of offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Offers of the inventory.
    pub offers: usize,
    /// Excluded by the request.
    pub excluded: usize,
    /// Outside their schedule.
    pub closed: usize,
    /// Their rules cannot be applied.
    pub invalid: usize,
    /// Their rules cost too much.
    pub costly: usize,
    /// All rules are true, or need not be since the offer is mandatory.
    pub qualified: usize,
    /// A rule is not true.
    pub not_qualified: usize,
    /// Qualified, and left out by the flow's own rules.
    pub filtered: usize,
    /// Let through by the flow's own rules, and left out by each sieve.
    pub sifted: [usize; SIEVES_MAX],
    /// What remains, and has a score.
    pub ranked: usize,
}

impl Tally {
    /// Offers that the flow's own rules let through.
    pub fn let_through(&self) -> usize {
        self.qualified - self.filtered
    }

    /// Offers without a score.
    pub fn not_ranked(&self) -> usize {
        self.let_through() - self.sifted.iter().sum::<usize>() - self.ranked
    }

    /// Counts an offer that the sieve of this number left out.
    pub fn sift(&mut self, sieve: usize) {
        if let Some(count) = self.sifted.get_mut(sieve) {
            *count += 1;
        }
    }
}
