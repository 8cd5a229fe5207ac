//! An index of the categories of a catalog by name.

use std::collections::{BTreeMap, HashMap, HashSet};

use formula::Type;

use crate::domain::{
    flow::Flow,
    learning::TIMEZONE,
    snapshot::{Catalog, Category, ComputedField, folded},
};

/// Number of a category in the directory.
pub(super) type CategoryIndex = usize;

/// Categories and what they lend.
pub(super) struct Directory<'a> {
    categories: Vec<&'a Category>,
    by_id: HashMap<&'a str, CategoryIndex>,
    by_name: HashMap<String, CategoryIndex>,
    /// Whether the flow takes offers of a category, by its number.
    wanted: Vec<bool>,
    /// Names, folded, of the categories that the flow takes; none when it takes all.
    wanted_names: Option<HashSet<String>>,
    fields: HashMap<(CategoryIndex, &'a str), &'a ComputedField>,
    lent: HashMap<&'a str, Lent>,
    /// Types of the record's fields.
    pub record: BTreeMap<&'a str, Type>,
    /// Keys of the metrics.
    pub metrics: HashSet<&'a str>,
    /// Fields of the record from which nothing may be learned.
    pub private: HashSet<&'a str>,
}

/// A computed field that categories lend.
#[derive(Clone, Copy)]
pub(super) struct Lent {
    /// The first to lend it.
    pub from: CategoryIndex,
    /// All that lend it compute it alike.
    pub is_agreed: bool,
}

impl<'a> Directory<'a> {
    /// The directory of a catalog as a flow sees it.
    pub fn new(flow: &Flow, catalog: &'a Catalog) -> Self {
        let categories: Vec<&Category> = catalog.categories.values().collect();
        let mut directory = Self {
            by_id: catalog.categories.keys().map(String::as_str).zip(0..).collect(),
            by_name: HashMap::new(),
            wanted: Vec::new(),
            wanted_names: None,
            fields: HashMap::new(),
            lent: HashMap::new(),
            record: BTreeMap::new(),
            metrics: catalog.metrics.keys().map(String::as_str).collect(),
            private: HashSet::from([TIMEZONE]),
            categories,
        };
        if let Some(schema) = catalog.schema(flow.schema()) {
            directory.record =
                schema.fields.iter().map(|(name, of_type)| (name.as_str(), *of_type)).collect();
            directory.private.extend(schema.private.iter().map(String::as_str));
        }
        let named = flow.categories();
        let ids: HashSet<&str> = named.iter().map(|name| name.trim()).collect();
        let names: HashSet<String> = named.iter().map(|name| folded(name)).collect();
        let is_wanted = |category: &Category, name: &String| {
            named.is_empty() || ids.contains(category.id.as_str()) || names.contains(name)
        };
        for (index, category) in directory.categories.iter().copied().enumerate() {
            let name = folded(&category.name);
            let is_wanted = is_wanted(category, &name);
            let is_lending = category.is_active && is_wanted;
            directory.wanted.push(is_wanted);
            directory.by_name.entry(name).or_insert(index);
            for field in &category.computed_fields {
                let name = field.name.as_str();
                if directory.fields.contains_key(&(index, name)) {
                    continue;
                }
                directory.fields.insert((index, name), field);
                if is_lending {
                    let first = directory
                        .lent
                        .get(name)
                        .and_then(|lent| directory.fields.get(&(lent.from, name)));
                    let is_alike = first.is_none_or(|first| *first == field);
                    let lent =
                        directory.lent.entry(name).or_insert(Lent { from: index, is_agreed: true });
                    lent.is_agreed &= is_alike;
                }
            }
        }
        directory.wanted_names = (!named.is_empty()).then_some(names);
        directory
    }

    /// The active category an offer names, and whether the flow takes offers of it.
    pub fn place(&self, reference: &str) -> (Option<CategoryIndex>, bool) {
        let by_name = || self.by_name.get(&folded(reference));
        let Some(stored) = self.by_id.get(reference.trim()).or_else(by_name).copied() else {
            let names = self.wanted_names.as_ref();
            return (None, names.is_none_or(|names| names.contains(&folded(reference))));
        };
        let is_active = self.categories.get(stored).is_some_and(|category| category.is_active);
        let is_wanted = self.wanted.get(stored).copied().unwrap_or_default();
        (is_active.then_some(stored), is_wanted)
    }

    /// The id of a category.
    pub fn id(&self, index: CategoryIndex) -> &'a str {
        self.categories.get(index).map_or("", |category| &category.id)
    }

    /// The name of a category.
    pub fn name(&self, index: CategoryIndex) -> &'a str {
        self.categories.get(index).map_or("", |category| &category.name)
    }

    /// The computed fields of a category, in order.
    pub fn fields(&self, index: CategoryIndex) -> &'a [ComputedField] {
        self.categories.get(index).map_or(&[], |category| &category.computed_fields)
    }

    /// A computed field of a category.
    pub fn field(&self, index: CategoryIndex, name: &str) -> Option<&'a ComputedField> {
        self.fields.get(&(index, name)).copied()
    }

    /// A computed field of any lending category.
    pub fn lent(&self, name: &str) -> Option<Lent> {
        self.lent.get(name).copied()
    }
}
