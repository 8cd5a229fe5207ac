//! What a name in a formula or rule stands for, and of which type it is.
//!
//! `customer.x` is a field of a schema, `attributes.x` a request attribute, `offer.x` a field of
//! the offer, `metrics.x` the behavioral metric of that key. A bare `x` is, in this order, a
//! computed field of the offer's own category, a custom field of the offer, a field of a schema, a
//! computed field of another category. The catalog knows no flow: it takes every schema and every
//! category into account. What a flow's inventory leaves open is judged where the flow is compiled.

use std::collections::{BTreeMap, BTreeSet};

use formula::{Formula, Type};

use super::{
    catalogue::Catalogue,
    category::{Category, ComputedField},
    name::{hint, is_field_name, quoted},
    offer::OfferNames,
};

/// Longest chain of computed fields that need one another.
pub const CHAIN_MAX: usize = 64;

/// How a name says where to look.
const FORMS: &str = "`customer.x`, `attributes.x`, `offer.x`, `metrics.x`";

/// Why a name or a computed field has no type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// What is wrong, each fault by itself.
    pub messages: Vec<String>,
    /// The fault at the bottom of it, which may be another field's.
    pub root: String,
    /// True when the fault is not another computed field's.
    pub is_own: bool,
    /// True when the chain of computed fields is too long.
    pub is_too_long: bool,
}

impl Unresolved {
    fn own(message: String) -> Self {
        Self { root: message.clone(), messages: vec![message], is_own: true, is_too_long: false }
    }

    /// The first message.
    pub fn message(&self) -> &str {
        self.messages.first().map_or("", String::as_str)
    }

    /// What to tell somebody who wrote `name`.
    pub fn about(&self, name: &str) -> String {
        if self.is_own {
            self.root.clone()
        } else {
            format!("`{}` cannot be computed: {}", quoted(name), self.root)
        }
    }
}

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
                    let hint = hint(field, self.catalogue.field_names());
                    format!("`customer.{}` is not a field of any schema{hint}", quoted(field))
                })
            }
            Some(("attributes", key)) if is_field_name(key) => Ok(used_as),
            Some(("offer", field)) => match self.names.offer_field(field) {
                Some(Some(of_type)) => Ok(of_type),
                Some(None) => Err(format!("`{name}` is a list and cannot be compared")),
                None if field == "margin" => {
                    Err("`offer.margin` has no value: give the offer a `margin`".to_owned())
                }
                None => {
                    let hint = hint(field, self.names.offer_fields());
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
                let hint = hint(key, self.catalogue.metric_keys());
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
                "`{name}` is computed only in category `{}`, which is not active: it has no value in decisions",
                title(first)
            ));
        }
        let field = |index: &usize| category(index).and_then(|category| category.field(name));
        for other in rest.iter().filter(|other| field(other) != field(first)) {
            let (one, two) = (title(first), title(other));
            let theirs = self.needed(*other, name)?;
            if theirs.of_type != found.of_type {
                return Err(Unresolved::own(format!(
                    "`{name}` is a {} in category `{one}` and a {} in category `{two}`: give one of them another name",
                    found.of_type, theirs.of_type
                )));
            }
            self.warnings.insert(format!(
                "`{name}` is computed differently in categories `{one}` and `{two}`: a flow with both refuses the offer"
            ));
        }
        Ok(found)
    }

    fn undeclared(&self, name: &str) -> String {
        let computed = self.catalogue.computed_names();
        let custom = self.names.custom.keys().map(String::as_str);
        let known = computed.iter().copied().chain(custom).chain(self.catalogue.field_names());
        format!("`{}` is declared nowhere{}", quoted(name), hint(name, known))
    }

    /// A computed field that a rule or another formula needs: its fault is not the needing one's
    /// own.
    fn needed(&mut self, category: usize, name: &str) -> Result<Resolved, Unresolved> {
        let is_open = |open: &Key| open.0 == category && open.1 == name;
        if let Some(start) = self.open.iter().position(is_open) {
            let path: Vec<_> =
                self.open.iter().skip(start).map(|(_, name)| name.as_str()).chain([name]).collect();
            return Err(Unresolved::own(format!(
                "computed fields need each other: {}",
                path.join(" -> ")
            )));
        }
        if self.open.len() >= CHAIN_MAX {
            return Err(too_long());
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
            // A formula's attributes are text: nothing else says what they are.
            match self.resolve(&name, Some(category), Type::String) {
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
            return Err(too_long());
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

fn plain(of_type: Type) -> Resolved {
    Resolved { of_type, chain: 0 }
}

fn too_long() -> Unresolved {
    let message =
        format!("computed fields need each other in a chain longer than the maximum {CHAIN_MAX}");
    Unresolved { is_too_long: true, ..Unresolved::own(message) }
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

#[cfg(test)]
mod tests {
    use formula::rule::Literal;

    use super::*;
    use crate::domain::{
        category::Category,
        offer::Offer,
        schema::FieldType,
        testing::{apparel, category, customer, metric, offer, schema, winback},
    };

    fn check(catalogue: &Catalogue, offer: &Offer, name: &str, expected: Result<Type, &str>) {
        let names = offer.names();
        let mut resolver = Resolver::new(catalogue, &names, 0);
        let found = resolver.resolve(name, catalogue.category(&offer.category), Type::Boolean);
        let found = found.map(|found| found.of_type).map_err(|fault| fault.about(name));
        assert_eq!(found, expected.map_err(str::to_owned), "{name}");
    }

    fn computed(catalogue: &Catalogue, name: &str) -> Result<Type, String> {
        let names = OfferNames::default();
        let mut resolver = Resolver::new(catalogue, &names, 0);
        let found = resolver.computed(0, name);
        found.map(|found| found.of_type).map_err(|fault| fault.messages.join("; "))
    }

    #[test]
    fn a_prefix_says_where_to_look() {
        let check = |name: &str, expected: Result<Type, &str>| {
            check(&winback(), &offer("Apparel", vec![]), name, expected)
        };
        check("customer.lastPurchaseDate", Ok(Type::Date));
        check("customer.lifetimeRevenue", Ok(Type::Number));
        check("attributes.anything", Ok(Type::Boolean));
        check("offer.priority", Ok(Type::Number));
        check(
            "customer.lastPurchaseDat",
            Err(
                "`customer.lastPurchaseDat` is not a field of any schema; did you mean `lastPurchaseDate`?",
            ),
        );
        check(
            "offer.prioriti",
            Err("`offer.prioriti` is not a field of the offer; did you mean `priority`?"),
        );
        check("offer.margin", Err("`offer.margin` has no value: give the offer a `margin`"));
        check("metrics.clicks7d", Err("`metrics.clicks7d` is not a behavioral metric"));
        for name in ["custmer.x", "attributes."] {
            let forms = "`customer.x`, `attributes.x`, `offer.x`, `metrics.x` or `x` alone";
            let fault = format!("`{name}` is no name: write {forms}");
            check(name, Err(fault.as_str()));
        }
    }

    #[test]
    fn a_metric_is_a_number_even_while_it_rests() {
        let catalogue =
            winback().with_metrics(&[metric("clicks_7d", true), metric("spend_30d", false)]);
        let check = |name, expected| check(&catalogue, &offer("Apparel", vec![]), name, expected);
        check("metrics.clicks_7d", Ok(Type::Number));
        check("metrics.spend_30d", Ok(Type::Number));
        check(
            "metrics.clicks_7",
            Err("`metrics.clicks_7` is not a behavioral metric; did you mean `clicks_7d`?"),
        );
        check(
            "metrics.age",
            Err("`metrics.age` is not a behavioral metric; known are clicks_7d, spend_30d"),
        );
        check(
            "metrics.",
            Err("`metrics.` is not a behavioral metric; known are clicks_7d, spend_30d"),
        );
        check(
            "metrics.a.b",
            Err("`metrics.a.b` is not a behavioral metric; known are clicks_7d, spend_30d"),
        );
        let names = OfferNames::default();
        let mut resolver = Resolver::new(&catalogue, &names, 0);
        for name in ["metrics.clicks_7d", "metrics.spend_30d"] {
            resolver.resolve(name, None, Type::String).unwrap();
        }
        let warning = "`metrics.spend_30d` is not active: it is missing in decisions";
        assert_eq!(resolver.warnings(), [warning.to_owned()].into());
    }

    #[test]
    fn a_bare_name_is_looked_up_in_order() {
        let lender = category("Toys", &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
        let own = category("Apparel", &[("a", "true")]);
        let fields = [("a", FieldType::Date), ("b", FieldType::Date), ("c", FieldType::Date)];
        let catalogue = Catalogue::new(vec![schema("Customer", &fields)], vec![own, lender]);
        let mut offer = offer("Apparel", vec![]);
        for name in ["a", "b"] {
            offer.custom_fields.insert(name.into(), Literal::String("x".into()));
        }
        check(&catalogue, &offer, "a", Ok(Type::Boolean));
        check(&catalogue, &offer, "b", Ok(Type::String));
        check(&catalogue, &offer, "c", Ok(Type::Date));
        check(&catalogue, &offer, "d", Ok(Type::Number));
        check(&catalogue, &offer, "e", Err("`e` is declared nowhere; did you mean `a`?"));
        offer.custom_fields.insert("tags".into(), Literal::List(vec![]));
        check(&catalogue, &offer, "tags", Err("`tags` is a list and cannot be compared"));
    }

    #[test]
    fn an_offer_of_no_category_borrows_from_all() {
        check(&winback(), &offer("Home", vec![]), "isRecoverable", Ok(Type::Boolean));
        check(&winback(), &offer("Home", vec![]), "daysSinceLastPurchase", Ok(Type::Number));
        check(
            &winback(),
            &offer("Home", vec![]),
            "daysSinceLastPurchas",
            Err(
                "`daysSinceLastPurchas` is declared nowhere; did you mean `daysSinceLastPurchase`?",
            ),
        );
    }

    fn lent(formulas: &[(&str, &str, bool)]) -> (Result<Type, String>, Vec<String>) {
        let lender = |(name, formula, is_active): &(&str, &str, bool)| Category {
            is_active: *is_active,
            ..category(name, &[("x", formula)])
        };
        let catalogue = Catalogue::new(Vec::new(), formulas.iter().map(lender).collect());
        let names = OfferNames::default();
        let mut resolver = Resolver::new(&catalogue, &names, 0);
        let found = resolver.resolve("x", None, Type::String);
        let found = found.map(|found| found.of_type).map_err(|fault| fault.about("x"));
        (found, resolver.warnings().into_iter().collect())
    }

    #[test]
    fn lenders_must_agree_on_the_type_and_should_on_the_formula() {
        assert_eq!(lent(&[("A", "1", true), ("B", "1", true)]), (Ok(Type::Number), vec![]));
        let warning = "`x` is computed differently in categories `A` and `B`: a flow with both refuses the offer";
        assert_eq!(
            lent(&[("A", "1", true), ("B", "2", true)]),
            (Ok(Type::Number), vec![warning.to_owned()])
        );
        let fault = "`x` is a number in category `A` and a string in category `B`: give one of them another name";
        assert_eq!(lent(&[("A", "1", true), ("B", "'a'", true)]), (Err(fault.to_owned()), vec![]));
    }

    #[test]
    fn only_active_categories_lend_while_there_are_some() {
        assert_eq!(lent(&[("A", "1", false), ("B", "'a'", true)]), (Ok(Type::String), vec![]));
        let warning = "`x` is computed only in category `A`, which is not active: it has no value in decisions";
        assert_eq!(lent(&[("A", "1", false)]), (Ok(Type::Number), vec![warning.to_owned()]));
    }

    #[test]
    fn the_type_of_a_computed_field_is_what_it_is_converted_to() {
        assert_eq!(computed(&winback(), "daysSinceLastPurchase"), Ok(Type::Number));
        let mut category = apparel();
        category.computed_fields[1].output = Some(formula::OutputType::Text);
        let catalogue = Catalogue::new(vec![customer()], vec![category.clone()]);
        assert_eq!(computed(&catalogue, "isRecoverable"), Ok(Type::String));
        category.computed_fields[1].output = Some(formula::OutputType::Date);
        let catalogue = Catalogue::new(vec![customer()], vec![category]);
        let fault = "the formula gives a boolean, which is not a date";
        assert_eq!(computed(&catalogue, "isRecoverable"), Err(fault.to_owned()));
    }

    #[test]
    fn a_formula_tells_all_its_unknown_names_with_their_places() {
        let catalogue = Catalogue::new(
            vec![customer()],
            vec![category("A", &[("x", "lifetimeRevenu + 1 + nope")])],
        );
        assert_eq!(
            computed(&catalogue, "x"),
            Err("formula `lifetimeRevenu + 1 + nope`: `lifetimeRevenu` is declared nowhere; did you mean \
                 `lifetimeRevenue`? at column 1; formula `lifetimeRevenu + 1 + nope`: `nope` is declared nowhere; \
                 known are x, consentEmail, lastPurchaseDate, lifetimePurchases, lifetimeRevenue, primaryCategory at \
                 column 22"
                .to_owned())
        );
    }

    #[test]
    fn a_cycle_is_spelt_out() {
        let own = category("A", &[("a", "b + 1"), ("b", "c + 1"), ("c", "1 + b")]);
        let catalogue = Catalogue::new(Vec::new(), vec![own]);
        let cycle = "formula `1 + b`: computed fields need each other: b -> c -> b at column 5";
        assert_eq!(
            computed(&catalogue, "c"),
            Err("formula `1 + b`: `b` cannot be computed: computed fields need each \
                                                   other: c -> b -> c at column 5"
                .to_owned())
        );
        let names = OfferNames::default();
        let mut resolver = Resolver::new(&catalogue, &names, 0);
        assert!(resolver.computed(0, "a").is_err());
        assert_eq!(resolver.computed(0, "c").unwrap_err().messages, [cycle]);
        let alone = Catalogue::new(Vec::new(), vec![category("A", &[("a", "a")])]);
        assert_eq!(
            computed(&alone, "a"),
            Err("formula `a`: computed fields need each other: a -> a at column 1".into())
        );
    }

    #[test]
    fn a_cycle_may_run_through_other_categories() {
        let catalogue = Catalogue::new(
            Vec::new(),
            vec![category("A", &[("a", "b")]), category("B", &[("b", "a")])],
        );
        let expected = "formula `b`: `b` cannot be computed: computed fields need each other: a -> b -> a at column 1";
        assert_eq!(computed(&catalogue, "a"), Err(expected.into()));
    }

    #[test]
    fn sixty_four_computed_fields_are_the_longest_chain() {
        let chain = |length: usize| {
            let links = 0..length;
            let link = |n| match n + 1 == length {
                true => category(&format!("C{n:03}"), &[(&format!("x{n}"), "1")]),
                false => {
                    category(&format!("C{n:03}"), &[(&format!("x{n}"), &format!("x{}", n + 1))])
                }
            };
            Catalogue::new(Vec::new(), links.map(link).collect())
        };
        assert_eq!(computed(&chain(CHAIN_MAX), "x0"), Ok(Type::Number));
        let fault = computed(&chain(CHAIN_MAX + 1), "x0").unwrap_err();
        assert!(fault.contains("longer than the maximum 64"), "{fault}");
        // From the far end every step is known already, and still the chain is counted.
        let (catalogue, names) = (chain(CHAIN_MAX + 1), OfferNames::default());
        let mut resolver = Resolver::new(&catalogue, &names, 0);
        for n in (1..=CHAIN_MAX).rev() {
            assert!(resolver.computed(n, &format!("x{n}")).is_ok());
        }
        assert!(resolver.computed(0, "x0").unwrap_err().is_too_long);
    }

    /// Each name is resolved once, however many formulas use it.
    #[test]
    fn shared_parts_are_resolved_once() {
        let fields: Vec<(String, String)> =
            (0..40).map(|n| (format!("x{n}"), format!("x{0} + x{0} * x{0}", n + 1))).collect();
        let mut fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, formula)| (name.as_str(), formula.as_str())).collect();
        fields.push(("x40", "1"));
        let catalogue = Catalogue::new(Vec::new(), vec![category("A", &fields)]);
        assert_eq!(computed(&catalogue, "x0"), Ok(Type::Number));
    }
}
