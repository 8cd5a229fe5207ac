//! Label values of metrics that users choose. Their number is bounded, so that no caller can fill
//! the memory of this process or of Prometheus.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The value used for all beyond the bound.
pub const OTHER: &str = "other";

/// The values of one label seen so far. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Labels {
    max: usize,
    seen: Arc<Mutex<HashSet<String>>>,
}

impl Labels {
    /// At most `max` values; all others are [`OTHER`].
    pub fn new(max: usize) -> Self {
        Self { max, seen: Arc::default() }
    }

    /// The value to use for `value`.
    pub fn of(&self, value: &str) -> String {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains(value) {
            if seen.len() >= self.max {
                return OTHER.to_owned();
            }
            seen.insert(value.to_owned());
        }
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_values_is_bounded_and_the_first_ones_stay() {
        let labels = Labels::new(2);
        let found: Vec<_> = ["a", "b", "c", "a", "d", "b"].map(|value| labels.of(value)).into();
        assert_eq!(found, ["a", "b", OTHER, "a", OTHER, "b"]);
    }
}
