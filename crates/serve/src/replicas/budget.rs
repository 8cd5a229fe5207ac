//! Limits retries to a share of the calls, so that they cannot multiply the load of a service that
//! fails.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a call adds, in fifths of a retry: one retry for five calls.
const DEPOSIT: u32 = 1;
/// What a retry takes.
const COST: u32 = 5;
/// What is saved at most: the calls in flight when a replica dies are repeated.
const SAVED_MAX: u32 = 100 * COST;

/// Retries that are left.
#[derive(Debug)]
pub struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(SAVED_MAX))
    }
}

impl Budget {
    /// Counts a call.
    pub fn deposit(&self) {
        self.change(|saved| (saved < SAVED_MAX).then(|| saved + DEPOSIT));
    }

    /// Takes one retry; false when none is left.
    pub fn withdraw(&self) -> bool {
        self.change(|saved| saved.checked_sub(COST))
    }

    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_of_the_calls_once_the_savings_are_spent() {
        let budget = Budget::default();
        assert_eq!((0..1_000).filter(|_| budget.withdraw()).count(), 100);
        let retried = (0..1_000).filter(|_| {
            budget.deposit();
            budget.withdraw()
        });
        assert_eq!(retried.count(), 200);
        (0..10_000).for_each(|_| budget.deposit());
        assert_eq!((0..1_000).filter(|_| budget.withdraw()).count(), 100);
    }
}
