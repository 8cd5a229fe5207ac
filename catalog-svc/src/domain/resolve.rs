//! What a name in a formula or rule means, and its type.
//!
//! `customer.x` is a field of a schema, `attributes.x` a request attribute, `offer.x` a field of
//! the offer, `metrics.x` the behavioral metric of that key. A bare `x` is, in this order, a
//! computed field of the offer's own category, a custom field of the offer, a field of a schema, a
//! computed field of another category. The catalog knows no flow: it takes every schema and every
//! category into account. What a flow's inventory leaves open is judged where the flow is compiled.

mod computed;
#[cfg(test)]
mod tests;
mod unresolved;

use std::collections::{BTreeMap, BTreeSet};

use formula::Type;

use super::{
    catalogue::Catalogue,
    category::Category,
    name::{Hints, is_field_name, quoted},
    offer::OfferNames,
};

pub use unresolved::Unresolved;

/// Longest chain of computed fields that need one another.
pub const CHAIN_MAX: usize = 64;

/// How a name says where to look.
const FORMS: &str = "`customer.x`, `attributes.x`, `offer.x`, `metrics.x`";

/// A resolved name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its type.
    pub of_type: Type,
    /// Computed fields one after another that it takes.
    chain: usize,
}

type Key = (usize, String);

/// Resolves names for one offer, or for all offers that bring the same names along.
#[derive(Debug)]
pub struct Resolver<'a> {
    catalogue: &'a Catalogue,
    names: &'a OfferNames,
    /// The schema that is read first.
    reading: usize,
    /// Computed fields being resolved, to spell out a cycle.
    open: Vec<Key>,
    known: BTreeMap<Key, Result<Resolved, Unresolved>>,
    warnings: BTreeSet<String>,
    hints: Hints,
}

impl<'a> Resolver<'a> {
    /// A resolver that has resolved nothing yet.
    pub fn new(catalogue: &'a Catalogue, names: &'a OfferNames, reading: usize) -> Self {
        Self {
            catalogue,
            names,
            reading,
            open: Vec::new(),
            known: BTreeMap::new(),
            warnings: BTreeSet::new(),
            hints: Hints::default(),
        }
    }

    /// What resolves and is likely not meant.
    pub fn warnings(self) -> BTreeSet<String> {
        self.warnings
    }

    /// The type of `name` seen from the category at `home`; an attribute has the type it is used
    /// with.
    pub fn resolve(
        &mut self,
        name: &str,
        home: Option<usize>,
        used_as: Type,
    ) -> Result<Resolved, Unresolved> {
        let of_type = match name.split_once('.') {
            None => return self.bare(name, home),
            Some(("customer", field)) => {
                self.catalogue.field_type(field, self.reading).ok_or_else(|| {
                    let hint = self.hints.hint(field, self.catalogue.field_names());
                    format!("`customer.{}` is not a field of any schema{hint}", quoted(field))
                })
            }
            Some(("attributes", key)) if is_field_name(key) => Ok(used_as),
            Some(("offer", field)) => match self.names.offer_field(field) {
                Some(Some(of_type)) => {
                    self.warn_of_margin(field);
                    Ok(of_type)
                }
                Some(None) => Err(format!("`{name}` is a list and cannot be compared")),
                None => {
                    let hint = self.hints.hint(field, self.names.offer_fields());
                    Err(format!("`offer.{}` is not a field of the offer{hint}", quoted(field)))
                }
            },
            Some(("metrics", key)) => self.metric(key),
            Some(_) => {
                let name = quoted(name);
                Err(format!("`{name}` is no name: write {FORMS} or `x` alone"))
            }
        };
        of_type.map(plain).map_err(Unresolved::own)
    }

    fn warn_of_margin(&mut self, field: &str) {
        if field == "margin" && !self.names.has_margin {
            self.warnings.insert(
                "`offer.margin` has no value: conditions on it fail, except `not_exists`"
                    .to_owned(),
            );
        }
    }

    fn metric(&mut self, key: &str) -> Result<Type, String> {
        match self.catalogue.is_metric_active(key) {
            Some(is_active) => {
                if !is_active {
                    self.warnings.insert(format!(
                        "`metrics.{key}` is not active: it is missing in decisions"
                    ));
                }
                Ok(Type::Number)
            }
            None => {
                let hint = self.hints.hint(key, self.catalogue.metric_keys());
                Err(format!("`metrics.{}` is not a behavioral metric{hint}", quoted(key)))
            }
        }
    }

    fn bare(&mut self, name: &str, home: Option<usize>) -> Result<Resolved, Unresolved> {
        let catalogue = self.catalogue;
        let declares = |category: &Category| category.field(name).is_some();
        if let Some(home) =
            home.filter(|home| catalogue.categories().get(*home).is_some_and(declares))
        {
            return self.needed(home, name);
        }
        match self.names.custom(name) {
            Some(Some(of_type)) => return Ok(plain(of_type)),
            Some(None) => {
                return Err(Unresolved::own(format!("`{name}` is a list and cannot be compared")));
            }
            None => {}
        }
        if let Some(of_type) = catalogue.field_type(name, self.reading) {
            return Ok(plain(of_type));
        }
        let lenders: Vec<usize> = catalogue
            .categories()
            .iter()
            .enumerate()
            .filter(|(_, other)| declares(other))
            .map(|(n, _)| n)
            .collect();
        self.borrowed(name, &lenders)
    }

    /// A computed field of other categories: only active ones lend in decisions, so they come
    /// first.
    fn borrowed(&mut self, name: &str, lenders: &[usize]) -> Result<Resolved, Unresolved> {
        let catalogue = self.catalogue;
        let category = |index: &usize| catalogue.categories().get(*index);
        let (active, resting): (Vec<usize>, Vec<usize>) = lenders
            .iter()
            .partition(|index| category(index).is_some_and(|category| category.is_active));
        let lending = if active.is_empty() { &resting } else { &active };
        let Some((first, rest)) = lending.split_first() else {
            return Err(Unresolved::own(self.undeclared(name)));
        };
        let found = self.needed(*first, name)?;
        let title = |index: &usize| category(index).map_or("", |category| category.name.as_str());
        if active.is_empty() {
            self.warnings.insert(format!(
                "`{name}` is computed only in category `{}`, which is not active: it has no value \
                 in decisions",
                title(first)
            ));
        }
        let field = |index: &usize| category(index).and_then(|category| category.field(name));
        for other in rest.iter().filter(|other| field(other) != field(first)) {
            let (one, two) = (title(first), title(other));
            let theirs = self.needed(*other, name)?;
            if theirs.of_type != found.of_type {
                return Err(Unresolved::own(format!(
                    "`{name}` is a {} in category `{one}` and a {} in category `{two}`: give one \
                     of them another name",
                    found.of_type, theirs.of_type
                )));
            }
            self.warnings.insert(format!(
                "`{name}` is computed differently in categories `{one}` and `{two}`: a flow with \
                 both refuses the offer"
            ));
        }
        Ok(found)
    }

    fn undeclared(&mut self, name: &str) -> String {
        let computed = self.catalogue.computed_names();
        let custom = self.names.custom.keys().map(String::as_str);
        let known = computed.iter().copied().chain(custom).chain(self.catalogue.field_names());
        let hint = self.hints.hint(name, known);
        format!("`{}` is declared nowhere{hint}", quoted(name))
    }
}

fn plain(of_type: Type) -> Resolved {
    Resolved { of_type, chain: 0 }
}
