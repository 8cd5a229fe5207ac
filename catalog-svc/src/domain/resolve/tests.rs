//! What names in rules and formulas resolve to, and the faults of those that do not resolve.

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
        Err("`customer.lastPurchaseDat` is not a field of any schema; did you mean \
             `lastPurchaseDate`?"),
    );
    check(
        "offer.prioriti",
        Err("`offer.prioriti` is not a field of the offer; did you mean `priority`?"),
    );
    check("offer.margin", Ok(Type::Number));
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
    check("metrics.", Err("`metrics.` is not a behavioral metric; known are clicks_7d, spend_30d"));
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
        Err("`daysSinceLastPurchas` is declared nowhere; did you mean `daysSinceLastPurchase`?"),
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
    let warning =
        "`x` is computed differently in categories `A` and `B`: a flow with both refuses the offer";
    assert_eq!(
        lent(&[("A", "1", true), ("B", "2", true)]),
        (Ok(Type::Number), vec![warning.to_owned()])
    );
    let fault = "`x` is a number in category `A` and a string in category `B`: give one of them \
                 another name";
    assert_eq!(lent(&[("A", "1", true), ("B", "'a'", true)]), (Err(fault.to_owned()), vec![]));
}

#[test]
fn only_active_categories_lend_while_there_are_some() {
    assert_eq!(lent(&[("A", "1", false), ("B", "'a'", true)]), (Ok(Type::String), vec![]));
    let warning =
        "`x` is computed only in category `A`, which is not active: it has no value in decisions";
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
        Err("formula `lifetimeRevenu + 1 + nope`: `lifetimeRevenu` is declared nowhere; did you \
             mean `lifetimeRevenue`? at column 1; formula `lifetimeRevenu + 1 + nope`: `nope` is \
             declared nowhere; known are x, consentEmail, lastPurchaseDate, lifetimePurchases, \
             lifetimeRevenue, primaryCategory at column 22"
            .to_owned())
    );
}

#[test]
fn a_cycle_is_spelt_out() {
    let own = category("A", &[("a", "b + 1"), ("b", "c + 1"), ("c", "1 + b")]);
    let catalogue = Catalogue::new(Vec::new(), vec![own]);
    let cycle = "formula `1 + b`: computed fields read each other: b -> c -> b at column 5";
    assert_eq!(
        computed(&catalogue, "c"),
        Err("formula `1 + b`: `b` cannot be computed: computed fields read each other: c -> b -> c \
             at column 5"
            .to_owned())
    );
    let names = OfferNames::default();
    let mut resolver = Resolver::new(&catalogue, &names, 0);
    assert!(resolver.computed(0, "a").is_err());
    assert_eq!(resolver.computed(0, "c").unwrap_err().messages, [cycle]);
    let alone = Catalogue::new(Vec::new(), vec![category("A", &[("a", "a")])]);
    assert_eq!(
        computed(&alone, "a"),
        Err("formula `a`: computed fields read each other: a -> a at column 1".into())
    );
}

#[test]
fn a_cycle_may_run_through_other_categories() {
    let catalogue = Catalogue::new(
        Vec::new(),
        vec![category("A", &[("a", "b")]), category("B", &[("b", "a")])],
    );
    let expected = "formula `b`: `b` cannot be computed: computed fields read each other: a -> b \
                    -> a at column 1";
    assert_eq!(computed(&catalogue, "a"), Err(expected.into()));
}

#[test]
fn sixty_four_computed_fields_are_the_longest_chain() {
    let chain = |length: usize| {
        let links = 0..length;
        let link = |n| match n + 1 == length {
            true => category(&format!("C{n:03}"), &[(&format!("x{n}"), "1")]),
            false => category(&format!("C{n:03}"), &[(&format!("x{n}"), &format!("x{}", n + 1))]),
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
