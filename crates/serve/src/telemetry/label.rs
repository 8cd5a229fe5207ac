//! Label values of metrics that users choose. Their number is bounded, so that no caller can fill
//! the memory of this process or of Prometheus.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The value used for all beyond the bound.
pub const OTHER: &str = "other";

/// Whether calls are counted by tenant.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct TenantSettings {
    /// How many tenants have a series of their own in `proffer_tenant_calls_total`, 0 to 1,000: the
    /// first that call. All others share `other`. With 0 there is no such metric.
    #[arg(long, env = "PROFFER_TENANT_METRICS", default_value_t = 0,
        value_parser = clap::value_parser!(u16).range(0..=1_000))]
    pub tenant_metrics: u16,
}

impl TenantSettings {
    /// The tenants to count by; none when calls are not counted by tenant.
    pub fn labels(self) -> Option<Labels> {
        (self.tenant_metrics > 0).then(|| Labels::new(self.tenant_metrics.into()))
    }
}

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
