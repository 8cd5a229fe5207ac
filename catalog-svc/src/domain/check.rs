//! Checks offers and categories against all other configuration of the tenant: names, types,
//! cycles.

use std::collections::{BTreeMap, BTreeSet};

use formula::{
    Type,
    rule::{Literal, Operator},
};

use super::{
    Faults,
    catalogue::Catalogue,
    category::Category,
    offer::{Offer, OfferNames, RULES},
    resolve::{Resolver, Unresolved},
    rule::{Placed, conditions, literal_type, type_fault},
};

/// The warning of an offer that nothing keeps from anybody.
const NO_RULES: &str = "no rules: every customer qualifies";

/// What is wrong with an offer or a category, and what is only unlikely to be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Refuses the write; by path within the resource.
    pub faults: Faults,
    /// Returned in the answer.
    pub warnings: Vec<String>,
    /// Why decisions would refuse the offer, even when its own write is right.
    pub broken: Option<String>,
}

/// Checks an offer. When schemas disagree on a type, one reading under which the offer is right is
/// enough.
pub fn check_offer(catalogue: &Catalogue, offer: &Offer) -> Report {
    let names = offer.names();
    let mut report = best(catalogue, |reading| {
        let mut resolver = Resolver::new(catalogue, &names, reading);
        let mut report = judge(catalogue, &mut resolver, offer);
        report.warnings.extend(resolver.warnings());
        report
    });
    if offer.rules.is_empty() {
        report.warnings.push(NO_RULES.to_owned());
    }
    report
}

/// Why decisions would refuse each offer.
pub fn broken_offers<'o>(catalogue: &Catalogue, offers: &'o [Offer]) -> BTreeMap<&'o str, String> {
    found_offers(catalogue, offers, |report| report.broken)
}

/// Why an offer's own rules or affinities cannot be judged, whatever else its category holds.
pub fn faulty_offers<'o>(catalogue: &Catalogue, offers: &'o [Offer]) -> BTreeMap<&'o str, String> {
    found_offers(catalogue, offers, |report| report.faults.into_iter().next().map(|(path, _)| path))
}

/// What `found` says about each offer under every reading; offers that bring the same names along
/// share the work.
fn found_offers<'o>(
    catalogue: &Catalogue,
    offers: &'o [Offer],
    found: impl Fn(Report) -> Option<String>,
) -> BTreeMap<&'o str, String> {
    let mut groups: BTreeMap<OfferNames, Vec<&Offer>> = BTreeMap::new();
    for offer in offers {
        groups.entry(offer.names()).or_default().push(offer);
    }
    let mut found_by_id = BTreeMap::new();
    for (names, offers) in &groups {
        let mut resolvers: Vec<_> =
            catalogue.readings().map(|reading| Resolver::new(catalogue, names, reading)).collect();
        for offer in offers {
            let mut first = None;
            let is_right = resolvers.iter_mut().any(|resolver| {
                let found = found(judge(catalogue, resolver, offer));
                let is_right = found.is_none();
                first = first.take().or(found);
                is_right
            });
            if let Some(reason) = first.filter(|_| !is_right) {
                found_by_id.insert(offer.id.as_str(), reason);
            }
        }
    }
    found_by_id
}

/// Checks the computed fields of the category at `index`; `offers` are those of the category.
pub fn check_category<'o>(
    catalogue: &Catalogue,
    index: usize,
    offers: impl IntoIterator<Item = &'o Offer>,
) -> Report {
    let names = OfferNames::together(offers);
    best(catalogue, |reading| {
        let mut resolver = Resolver::new(catalogue, &names, reading);
        let faults = catalogue
            .categories()
            .get(index)
            .map(|category| category_faults(&mut resolver, index, category));
        Report {
            faults: faults.unwrap_or_default(),
            warnings: resolver.warnings().into_iter().collect(),
            broken: None,
        }
    })
}

/// The first report without a fault, else the first.
fn best(catalogue: &Catalogue, report: impl Fn(usize) -> Report) -> Report {
    let mut first = None;
    for reading in catalogue.readings() {
        let report = report(reading);
        if report.faults.is_empty() && report.broken.is_none() {
            return report;
        }
        first.get_or_insert(report);
    }
    first.unwrap_or_default()
}

fn judge(catalogue: &Catalogue, resolver: &mut Resolver<'_>, offer: &Offer) -> Report {
    let mut report = Report::default();
    let index = catalogue.category(offer.category_reference());
    match index.and_then(|index| catalogue.categories().get(index)) {
        None => report.warnings.push(format!(
            "category `{}` does not exist: the offer belongs to it by name and has no computed \
             fields of its own",
            offer.category
        )),
        Some(category) if !category.is_active => report.warnings.push(format!(
            "category `{}` is not active: its computed fields have no value in decisions",
            category.name
        )),
        Some(_) => {}
    }
    let values: Vec<Literal> =
        offer.affinities.iter().map(|affinity| affinity.value.clone()).collect();
    let mut placed = conditions(RULES, &offer.rules);
    for (index, (affinity, value)) in offer.affinities.iter().zip(&values).enumerate() {
        placed.push(Placed {
            path: format!("affinities[{index}]"),
            field: &affinity.field,
            op: Operator::Eq,
            value,
        });
    }
    let mut attributes = BTreeMap::new();
    for placed in &placed {
        if let Some((part, message)) = condition_fault(resolver, placed, index, &mut attributes) {
            report.faults.push((format!("{}.{part}", placed.path), message));
        }
    }
    report.broken = report.faults.first().map(|(path, message)| format!("{path}: {message}"));
    if let Some((index, category)) =
        index.and_then(|index| Some((index, catalogue.categories().get(index)?)))
    {
        own_category(resolver, index, category, &mut report);
    }
    report
}

/// A decision computes every field of the offer's own category, so one that is broken breaks the
/// offer; but the offer's write is not to blame for it.
fn own_category(
    resolver: &mut Resolver<'_>,
    index: usize,
    category: &Category,
    report: &mut Report,
) {
    for field in &category.computed_fields {
        let Err(fault) = resolver.computed(index, &field.name) else { continue };
        let reason = format!(
            "computed field `{}` of category `{}`: {}",
            field.name,
            category.name,
            fault.message()
        );
        report
            .warnings
            .push(format!("{reason}; until it is corrected, decisions refuse the offer"));
        report.broken.get_or_insert(reason);
        return;
    }
}

fn condition_fault<'p>(
    resolver: &mut Resolver<'_>,
    placed: &'p Placed<'_>,
    home: Option<usize>,
    attributes: &mut BTreeMap<&'p str, Type>,
) -> Option<(&'static str, String)> {
    if placed.field.is_empty() {
        return Some(("field", "is required".to_owned()));
    }
    let used_as = literal_type(placed.value);
    let of_type = match resolver.resolve(placed.field, home, used_as.unwrap_or(Type::String)) {
        Ok(found) => found.of_type,
        Err(fault) => return Some(("field", fault.about(placed.field))),
    };
    // An attribute is declared by its use, so all uses must agree; presence is no such use.
    if let Some(used_as) = used_as.filter(|_| placed.field.starts_with("attributes.")) {
        let first = *attributes.entry(placed.field).or_insert(used_as);
        if first != used_as {
            let message = format!(
                "`{}` is compared with a {first} elsewhere and with a {used_as} here",
                placed.field
            );
            return Some(("value", message));
        }
    }
    type_fault(placed, of_type)
}

/// Faults of a category's computed fields. A field that only needs a faulty one of the same
/// category is not reported: the one at the root is.
fn category_faults(resolver: &mut Resolver<'_>, index: usize, category: &Category) -> Faults {
    let mut found = Vec::new();
    for (place, field) in category.computed_fields.iter().enumerate() {
        if let Err(fault) = resolver.computed(index, &field.name) {
            found.push((format!("computed_fields[{place}].formula"), fault));
        }
    }
    let own: BTreeSet<&str> =
        found.iter().filter(|(_, fault)| fault.is_own).map(|(_, f)| f.root.as_str()).collect();
    let is_root = |fault: &Unresolved| fault.is_own || !own.contains(fault.root.as_str());
    let roots = found.iter().filter(|(_, fault)| is_root(fault));
    roots
        .flat_map(|(path, fault)| {
            fault.messages.iter().map(|message| (path.clone(), message.clone()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use formula::rule::Rule;

    use super::*;
    use crate::domain::{
        offer::Affinity,
        schema::FieldType,
        testing::{
            apparel, category, customer, number, offer, schema, text, truth, winback, winback_rules,
        },
    };

    fn check(offer: &Offer, expected: &[&str]) {
        let faults = check_offer(&winback(), offer).faults;
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn the_seeds_offers_are_right_and_two_of_three_warn_of_their_category() {
        assert_eq!(
            check_offer(&winback(), &offer("Apparel", winback_rules("apparel"))),
            Report::default()
        );
        for name in ["Electronics", "Home"] {
            let report = check_offer(&winback(), &offer(name, winback_rules("x")));
            let warning = format!(
                "category `{name}` does not exist: the offer belongs to it by name and has no \
                 computed fields of its own"
            );
            assert_eq!(
                (report.faults, report.warnings, report.broken),
                (vec![], vec![warning], None)
            );
        }
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let nested = Rule::Any(vec![
            truth("isRecoverabl"),
            Rule::Not(Box::new(number("primaryCategory", Operator::Gt, 1.0))),
        ]);
        let mut offer =
            offer("Apparel", vec![text("daysSinceLastPurchase", "90"), nested, truth("")]);
        offer.affinities =
            vec![Affinity { field: "consentEmail".into(), value: Literal::Number(1.0) }];
        check(
            &offer,
            &[
                "qualification_rules[0].value condition on `daysSinceLastPurchase`: the field is a \
                 number and cannot be compared with the string `90`",
                "qualification_rules[1].any[0].field `isRecoverabl` is declared nowhere; did you \
                 mean `isRecoverable`?",
                "qualification_rules[1].any[1].not.value condition on `primaryCategory`: the field \
                 is a string and cannot be compared with the number 1",
                "qualification_rules[2].field is required",
                "affinities[0].value condition on `consentEmail`: the field is a boolean and \
                 cannot be compared with the number 1",
            ],
        );
    }

    #[test]
    fn an_attribute_is_declared_by_its_use() {
        let both =
            vec![text("attributes.tier", "gold"), number("attributes.tier", Operator::Gt, 1.0)];
        check(
            &offer("Apparel", both),
            &["qualification_rules[1].value `attributes.tier` is compared with a string \
                 elsewhere and with a number here"],
        );
        let exists = Rule::Condition {
            field: "attributes.tier".into(),
            op: Operator::Exists,
            value: Literal::None,
        };
        check(&offer("Apparel", vec![exists, number("attributes.tier", Operator::Gt, 1.0)]), &[]);
    }

    #[test]
    fn declared_in_one_schema_is_enough() {
        let lead = schema(
            "Lead",
            &[("lifetimePurchases", FieldType::String), ("source", FieldType::String)],
        );
        let catalogue = winback().with_schema(lead);
        let right =
            |rules: Vec<Rule>| check_offer(&catalogue, &offer("Apparel", rules)).faults.is_empty();
        assert!(right(vec![text("source", "web")]));
        assert!(right(vec![number("lifetimePurchases", Operator::Gte, 3.0)]));
        assert!(!right(vec![
            text("lifetimePurchases", "3"),
            number("lifetimePurchases", Operator::Gte, 3.0)
        ]));
    }

    #[test]
    fn a_broken_category_breaks_its_offers_without_refusing_their_writes() {
        let mut category = apparel();
        category.computed_fields.push(category.computed_fields[0].clone());
        category.computed_fields[2].name = "gone".into();
        category.computed_fields[2].formula = "goneField + 1".into();
        let catalogue = Catalogue::new(vec![customer()], vec![category]);
        let report = check_offer(&catalogue, &offer("Apparel", winback_rules("apparel")));
        assert_eq!(report.faults, []);
        assert!(
            report.warnings[0].ends_with("until it is corrected, decisions refuse the offer"),
            "{report:?}"
        );
        assert!(report.broken.is_some());
    }

    #[test]
    fn an_offer_of_a_paused_category_is_warned() {
        let paused = Category { is_active: false, ..apparel() };
        let catalogue = Catalogue::new(vec![customer()], vec![paused]);
        let report = check_offer(&catalogue, &offer("Apparel", winback_rules("apparel")));
        let warning =
            "category `Apparel` is not active: its computed fields have no value in decisions";
        assert_eq!((report.faults, report.warnings), (vec![], vec![warning.to_owned()]));
    }

    fn category_faults(category: Category, offers: &[Offer]) -> Vec<String> {
        let catalogue = Catalogue::new(vec![customer()], vec![category]);
        let faults = check_category(&catalogue, 0, offers).faults;
        faults.into_iter().map(|(path, message)| format!("{path} {message}")).collect()
    }

    #[test]
    fn the_field_at_the_bottom_is_told_and_not_those_that_need_it() {
        let own = category("A", &[("a", "b + 1"), ("b", "1 + 'x'"), ("c", "d"), ("d", "c")]);
        assert_eq!(
            category_faults(own, &[]),
            [
                "computed_fields[1].formula formula `1 + 'x'`: `+` cannot take a number and a \
                 string at column 3",
                "computed_fields[3].formula formula `c`: computed fields read each other: c -> d \
                 -> c at column 1",
            ]
        );
    }

    #[test]
    fn a_formula_may_read_what_an_offer_of_its_category_brings_along() {
        let own =
            || category("A", &[("a", "offer.weight * weight + offer.priority + offer.margin")]);
        assert_eq!(category_faults(own(), &[]).len(), 2);
        let mut heavy = offer("A", vec![]);
        heavy.custom_fields.insert("weight".into(), Literal::Number(2.0));
        assert_eq!(category_faults(own(), &[heavy]), [""; 0]);
    }
}
