//! A cache of what was read from the log. An entry is valid until the log has a newer revision.

use std::sync::{Arc, Mutex, PoisonError};

use serve::Recent;

/// Values kept at most, over all tenants; the one used least recently is evicted.
const KEPT_MAX: usize = 1_024;
/// No resource has a longer name, so what is read by one is not kept.
const NAME_BYTES_MAX: usize = 1_024;

/// What was read from tenants' logs, each with the head the log had before the reading: it is the
/// newest for as long as the log still has that head. Cheap to clone.
#[derive(Debug)]
pub struct AtHead<T>(Arc<Mutex<Kept<T>>>);

/// By tenant and name: the head, and what was read.
type Kept<T> = Recent<(String, String), (i64, Arc<T>)>;

impl<T> AtHead<T> {
    /// What was read last, with the head before that reading.
    pub fn last(&self, tenant: &str, name: &str) -> Option<(i64, Arc<T>)> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(tenant.to_owned(), name.to_owned())).cloned()
    }

    /// What was read while the log had this head; none when it was read earlier, later or never.
    pub fn at(&self, tenant: &str, name: &str, head: i64) -> Option<Arc<T>> {
        self.last(tenant, name).filter(|(then, _)| *then == head).map(|(_, value)| value)
    }

    /// Keeps what was read after the log had this head. A write in between does no harm: the log
    /// never has that head again.
    pub fn keep(&self, tenant: &str, name: &str, head: i64, value: T) -> Arc<T> {
        let value = Arc::new(value);
        if name.len() > NAME_BYTES_MAX {
            return value;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((tenant.to_owned(), name.to_owned()), (head, value.clone()));
        value
    }
}

impl<T> Default for AtHead<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Recent::new(KEPT_MAX))))
    }
}

impl<T> Clone for AtHead<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_counts_while_the_log_has_the_same_head() {
        let kept = AtHead::default();
        kept.keep("t", "f", 3, "three");
        assert_eq!(kept.at("t", "f", 3).as_deref(), Some(&"three"));
        assert_eq!(
            (kept.at("t", "f", 4), kept.at("t", "f", 2), kept.at("u", "f", 3)),
            (None, None, None)
        );
        kept.keep("t", "f", 4, "four");
        assert_eq!((kept.at("t", "f", 4).as_deref(), kept.at("t", "f", 3)), (Some(&"four"), None));
    }

    #[test]
    fn values_in_use_are_kept_and_others_evicted() {
        let kept = AtHead::default();
        for number in 0..3 * KEPT_MAX {
            kept.keep("t", &number.to_string(), 1, number);
            assert!(kept.last("t", "0").is_some());
        }
        assert_eq!(kept.0.lock().unwrap().iter().count(), KEPT_MAX);
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        assert_eq!((*kept.keep("t", &long, 1, 7), kept.last("t", &long)), (7, None));
    }
}
