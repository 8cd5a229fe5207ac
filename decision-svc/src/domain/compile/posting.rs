//! Posting lists: the groups of offers that a value leads to.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use formula::program::{Register, Word};

/// Values up to which looking through all is quicker than looking one up.
const FEW_MAX: usize = 8;

/// Groups by the value of one register.
#[derive(Debug)]
pub(crate) struct Access {
    /// Whose value is looked up.
    pub register: Register,
    leads: Leads,
}

#[derive(Debug)]
enum Leads {
    Few(Vec<(Key, Vec<u32>)>),
    Many(HashMap<Key, Vec<u32>, RandomState>),
}

/// What equal values have in common.
pub(super) type Key = (u64, u64);

impl Access {
    /// By each key in turn, the groups it leads to.
    pub(super) fn new(register: Register, leads: BTreeMap<Key, Vec<u32>>) -> Self {
        let is_few = leads.len() <= FEW_MAX;
        let leads = leads.into_iter();
        Self {
            register,
            leads: if is_few { Leads::Few(leads.collect()) } else { Leads::Many(leads.collect()) },
        }
    }

    /// Where a value leads.
    pub fn groups(&self, value: Word) -> &[u32] {
        let Some(key) = value.key() else { return &[] };
        let groups = match &self.leads {
            Leads::Few(leads) => {
                leads.iter().find(|(other, _)| *other == key).map(|(_, groups)| groups)
            }
            Leads::Many(leads) => leads.get(&key),
        };
        groups.map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use formula::program::Datum;

    use super::*;

    #[test]
    fn every_value_leads_to_its_groups_however_many_there_are() {
        let word = |number: usize| Word::from(Datum::Number(number as f64));
        for count in [0, 1, FEW_MAX, FEW_MAX + 1, 100] {
            let leads =
                (0..count).map(|number| (word(number).key().unwrap(), vec![number as u32, 1000]));
            let access = Access::new(0, leads.collect());
            for number in 0..count {
                assert_eq!(
                    access.groups(word(number)),
                    [number as u32, 1000],
                    "{number} of {count}"
                );
            }
            assert!(access.groups(word(count)).is_empty());
            assert!(access.groups(Word::boolean(false)).is_empty());
        }
    }
}
