//! An index of a log: ids and names of its resources, the parts they bring along (such as the
//! fields of a schema), and what they refer to.

use std::collections::{BTreeMap, BTreeSet};

use proffer_proto::values::v1::{ConfigurationChange, Reference, Referring};
use prost::Message as _;
use wire::name::folded;

/// A part that a resource brings along: its kind and its name.
pub type Part = (&'static str, String);
/// The parts of a resource as a change carries it.
pub type PartsOf = fn(&ConfigurationChange) -> Vec<Part>;

/// The resources of a log by kind.
#[derive(Clone, Debug)]
pub struct Directory {
    parts_of: PartsOf,
    kinds: BTreeMap<String, Kin>,
    /// How many resources bring a part along, by its kind and name.
    parts: BTreeMap<&'static str, BTreeMap<String, usize>>,
    /// Kind and id of each resource with a reference that is bound to nothing.
    unbound: BTreeSet<(String, String)>,
}

/// The resources of one kind.
#[derive(Clone, Debug, Default)]
struct Kin {
    by_id: BTreeMap<String, Listed>,
    /// Ids by folded name.
    by_name: BTreeMap<String, String>,
}

/// A resource in the directory.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it refers to.
    pub references: Vec<Reference>,
    parts: Vec<Part>,
}

impl Listed {
    /// The first part of this kind that it brings along.
    pub fn part(&self, kind: &str) -> Option<&str> {
        self.parts.iter().find(|(known, _)| *known == kind).map(|(_, part)| part.as_str())
    }
}

impl Directory {
    /// For logs whose resources bring no parts along.
    pub const NO_PARTS: PartsOf = |_| Vec::new();

    /// Knows nothing yet.
    pub fn new(parts_of: PartsOf) -> Self {
        Self { parts_of, kinds: BTreeMap::new(), parts: BTreeMap::new(), unbound: BTreeSet::new() }
    }

    /// Applies one change; true when it brought a name that was not there, or a reference that is
    /// bound to nothing.
    pub fn apply(&mut self, change: &ConfigurationChange) -> bool {
        let kin = self.kinds.entry(change.kind.clone()).or_default();
        let before = kin.by_id.remove(&change.id);
        if let Some(before) = &before {
            let name = folded(&before.name);
            if kin.by_name.get(&name) == Some(&change.id) {
                kin.by_name.remove(&name);
            }
        }
        let mut has_news = false;
        let key = (change.kind.clone(), change.id.clone());
        self.unbound.remove(&key);
        if !change.deleted {
            let references = Referring::decode(change.resource.as_slice()).unwrap_or_default();
            if references.references.iter().any(|reference| reference.id.is_empty()) {
                has_news = true;
                self.unbound.insert(key);
            }
            let (name, parts) = (change.name.clone(), (self.parts_of)(change));
            has_news |= before.as_ref().is_none_or(|before| before.name != name);
            for (kind, part) in &parts {
                *self.parts.entry(kind).or_default().entry(part.clone()).or_default() += 1;
            }
            kin.by_name.insert(folded(&name), change.id.clone());
            let listed = Listed { name, references: references.references, parts };
            kin.by_id.insert(change.id.clone(), listed);
        }
        for (kind, part) in before.into_iter().flat_map(|before| before.parts) {
            let Some(of_kind) = self.parts.get_mut(kind) else { continue };
            let count = of_kind.entry(part.clone()).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 {
                of_kind.remove(&part);
            }
        }
        has_news
    }

    /// The id of the resource that a reference means, as its id or else by its name; for a part its
    /// name.
    pub fn find(&self, kind: &str, named: &str) -> Option<&str> {
        let named = named.trim();
        if let Some(parts) = self.parts.get(kind) {
            return parts.get_key_value(named).map(|(part, _)| part.as_str());
        }
        let kin = self.kinds.get(kind)?;
        let by_id = kin.by_id.get_key_value(named).map(|(id, _)| id);
        by_id.or_else(|| kin.by_name.get(&folded(named))).map(String::as_str)
    }

    /// The resource of this id.
    pub fn listed(&self, kind: &str, id: &str) -> Option<&Listed> {
        self.kinds.get(kind)?.by_id.get(id)
    }

    /// The resources of a kind with a reference that is bound to nothing: ids and references.
    pub fn unbound(&self, kind: &str) -> impl Iterator<Item = (&str, &[Reference])> {
        let from = (kind.to_owned(), String::new());
        let of_kind = self.unbound.range(from..).take_while(move |(found, _)| found == kind);
        of_kind.filter_map(|(kind, id)| {
            Some((id.as_str(), self.listed(kind, id)?.references.as_slice()))
        })
    }

    /// The names of a kind; where its resources bring parts of that kind along, those.
    pub fn names(&self, kind: &str) -> impl Iterator<Item = &str> + Clone {
        let parts = self.parts.get(kind);
        let kin = self.kinds.get(kind).filter(|_| parts.is_none());
        let names = kin.into_iter().flat_map(|kin| kin.by_id.values());
        let parts = parts.into_iter().flat_map(|parts| parts.keys());
        parts.map(String::as_str).chain(names.map(|listed| listed.name.as_str()))
    }

    /// Every resource: its kind, its id and what is known of it.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &Listed)> {
        self.kinds.iter().flat_map(|(kind, kin)| {
            kin.by_id.iter().map(move |(id, listed)| (kind.as_str(), id.as_str(), listed))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: &str, id: &str, name: &str) -> ConfigurationChange {
        let (kind, id, name) = (kind.to_owned(), id.to_owned(), name.to_owned());
        ConfigurationChange { kind, id, name, ..Default::default() }
    }

    fn initials(change: &ConfigurationChange) -> Vec<Part> {
        change.name.chars().take(1).map(|letter| ("letter", letter.to_string())).collect()
    }

    #[test]
    fn a_reference_is_an_id_or_a_name_and_a_rename_takes_the_old_name_away() {
        let mut directory = Directory::new(|_| Vec::new());
        assert!(directory.apply(&change("box", "box_red", "Red")));
        assert_eq!(directory.find("box", " RED "), Some("box_red"));
        assert_eq!(directory.find("box", "box_red"), Some("box_red"));
        assert_eq!(directory.find("lid", "Red"), None);
        assert!(!directory.apply(&change("box", "box_red", "Red")), "no news");
        assert!(directory.apply(&change("box", "box_red", "Crimson")));
        assert_eq!(directory.find("box", "Red"), None);
        // Another takes the name; deleting the first leaves it alone.
        directory.apply(&change("box", "box_2", "Red"));
        directory.apply(&ConfigurationChange { deleted: true, ..change("box", "box_red", "") });
        assert_eq!(directory.find("box", "Red"), Some("box_2"));
        assert_eq!(directory.names("box").collect::<Vec<_>>(), ["Red"]);
    }

    #[test]
    fn a_part_is_there_as_long_as_one_resource_brings_it() {
        let mut directory = Directory::new(initials);
        directory.apply(&change("box", "box_1", "Red"));
        directory.apply(&change("box", "box_2", "Rose"));
        directory.apply(&change("box", "box_1", "Blue"));
        assert_eq!(directory.names("letter").collect::<Vec<_>>(), ["B", "R"]);
        assert_eq!(directory.listed("box", "box_1").unwrap().part("letter"), Some("B"));
        assert_eq!(directory.listed("box", "box_1").unwrap().part("word"), None);
        directory.apply(&ConfigurationChange { deleted: true, ..change("box", "box_2", "") });
        assert_eq!(
            (directory.find("letter", "R"), directory.find("letter", "B")),
            (None, Some("B"))
        );
    }
}
