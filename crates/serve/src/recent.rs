//! A map with a bound: it evicts the entry that was used least recently.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// At most so many entries. Inserting into a full map looks at every entry once, so it is for
/// values that cost more than that to make.
#[derive(Debug)]
pub struct Recent<K, V> {
    max: usize,
    uses: u64,
    entries: HashMap<K, Entry<V>>,
}

#[derive(Debug)]
struct Entry<V> {
    /// Number of the last use.
    used: u64,
    value: V,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// No entries yet, `max` at most.
    pub fn new(max: usize) -> Self {
        Self { max, uses: 0, entries: HashMap::new() }
    }

    /// The value of a key, which is now the one used last.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get_mut(key)?;
        self.uses += 1;
        entry.used = self.uses;
        Some(&entry.value)
    }

    /// Takes the value of a key out.
    pub fn take<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key).map(|entry| entry.value)
    }

    /// Adds or replaces a value. Dropped is what was replaced, or evicted for it.
    pub fn insert(&mut self, key: K, value: V) {
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.entries.remove(&key);
            }
        }
        self.uses += 1;
        self.entries.insert(key, Entry { used: self.uses, value });
    }

    /// Removes the entries that `is_kept` does not hold for.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K) -> bool) {
        self.entries.retain(|key, _| is_kept(key));
    }

    /// All entries, in no order; none counts as used by it.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_used_least_recently_is_evicted() {
        let mut recent = Recent::new(3);
        for key in ["a", "b", "c"] {
            recent.insert(key, key.len());
        }
        assert!(recent.get("a").is_some());
        recent.insert("d", 4);
        assert_eq!(recent.get("b"), None);
        // A value that is replaced evicts none.
        recent.insert("c", 5);
        let mut kept: Vec<_> = recent.iter().map(|(key, value)| (*key, *value)).collect();
        kept.sort_unstable();
        assert_eq!(kept, [("a", 1), ("c", 5), ("d", 4)]);
        recent.insert("e", 6);
        assert_eq!(recent.get("a"), None);
        assert_eq!((recent.take("d"), recent.take("d")), (Some(4), None));
        recent.retain(|key| *key == "e");
        assert_eq!(recent.iter().count(), 1);
    }
}
