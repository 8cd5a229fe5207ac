//! Computed fields: their formulas are resolved in turn, each once, without a cycle.

use std::collections::BTreeMap;

use formula::{Formula, Type};

use super::{CHAIN_MAX, Key, Resolved, Resolver, Unresolved};
use crate::domain::category::ComputedField;

impl Resolver<'_> {
    /// A computed field that a rule or another formula needs: its fault is not the needing one's
    /// own.
    pub(super) fn needed(&mut self, category: usize, name: &str) -> Result<Resolved, Unresolved> {
        let is_open = |open: &Key| open.0 == category && open.1 == name;
        if let Some(start) = self.open.iter().position(is_open) {
            let path: Vec<_> =
                self.open.iter().skip(start).map(|(_, name)| name.as_str()).chain([name]).collect();
            return Err(Unresolved::own(format!(
                "computed fields read each other: {}",
                path.join(" -> ")
            )));
        }
        if self.open.len() >= CHAIN_MAX {
            return Err(Unresolved::too_long());
        }
        self.computed(category, name).map_err(|fault| Unresolved { is_own: false, ..fault })
    }

    /// The type of a computed field, once its formula is resolved and checked.
    pub fn computed(&mut self, category: usize, name: &str) -> Result<Resolved, Unresolved> {
        let key = (category, name.to_owned());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let catalogue = self.catalogue;
        let found = catalogue.categories().get(category).and_then(|category| category.field(name));
        let Some(field) = found else { return Err(Unresolved::own(self.undeclared(name))) };
        self.open.push(key.clone());
        let checked = self.check(field, category);
        self.open.pop();
        self.known.insert(key, checked.clone());
        checked
    }

    fn check(&mut self, field: &ComputedField, category: usize) -> Result<Resolved, Unresolved> {
        let source = field.formula.as_str();
        let names = Formula::names(source).map_err(|error| Unresolved::own(error.to_string()))?;
        let mut types = BTreeMap::new();
        let mut chain = 0;
        let mut unresolved: Option<Unresolved> = None;
        for name in names {
            // An attribute has the type it has in the request.
            match self.resolve(&name, Some(category), Type::Any) {
                Ok(found) => {
                    chain = chain.max(found.chain);
                    types.insert(name, found.of_type);
                }
                Err(fault) => {
                    let message = at(source, &name, fault.about(&name));
                    match &mut unresolved {
                        Some(first) => {
                            first.messages.push(message);
                            first.is_own |= fault.is_own;
                        }
                        None => unresolved = Some(Unresolved { messages: vec![message], ..fault }),
                    }
                }
            }
        }
        if let Some(unresolved) = unresolved {
            return Err(unresolved);
        }
        if chain >= CHAIN_MAX {
            return Err(Unresolved::too_long());
        }
        let formula = Formula::compile(source, &|name| types.get(name).copied());
        let gives = formula.map_err(|error| Unresolved::own(error.to_string()))?.result_type();
        let of_type = match (field.output, gives) {
            (Some(output), Some(gives)) if !output.accepts(gives) => {
                let wanted = output.value_type();
                return Err(Unresolved::own(format!(
                    "the formula gives a {gives}, which is not a {wanted}"
                )));
            }
            (Some(output), _) => output.value_type(),
            (None, gives) => gives.unwrap_or(Type::Number),
        };
        Ok(Resolved { of_type, chain: chain + 1 })
    }
}

/// The message with the place of `name` in a formula.
fn at(source: &str, name: &str, message: String) -> String {
    match Formula::compile(source, &|used| (used != name).then_some(Type::Number)) {
        Err(mut error) => {
            error.message = message;
            error.to_string()
        }
        Ok(_) => message,
    }
}
