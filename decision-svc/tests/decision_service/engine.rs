//! The engine alone: values in, values out.

use std::collections::BTreeMap;

use decision_svc::domain::{
    case::LONG_STEPS,
    compile::{CompiledFlow, STEPS_MAX},
    facts::Facts,
    flow::{Flow, Node},
    plan::{Plan, Wanted, apply},
    reason::Reason,
    scalar::{Fields, Scalar},
    score::ScoreMethod,
    scratch::Workspace,
    snapshot::{Catalog, Category, ComputedField, Offer, Schema},
    step::{Compute, Enrich, Inventory, Qualify, Rank, Response, Score, Step},
};
use formula::{
    Moment, Type,
    rule::{Literal, Operator, Rule},
};
use proptest::prelude::*;

fn condition(field: &str, op: Operator, value: Literal) -> Rule {
    Rule::Condition { field: field.to_owned(), op, value }
}

fn offer(id: &str, category: &str, rules: Vec<Rule>) -> Offer {
    Offer {
        id: id.to_owned(),
        name: id.to_uppercase(),
        category: category.to_owned(),
        priority: 50.0,
        business_value: 50.0,
        purpose: "marketing".to_owned(),
        rules,
        is_active: true,
        ..Offer::default()
    }
}

fn category(name: &str, fields: &[(&str, &str)]) -> Category {
    let computed = |(name, formula): &(&str, &str)| ComputedField {
        name: (*name).to_owned(),
        formula: (*formula).to_owned(),
        output: None,
    };
    Category {
        id: format!("cat_{}", name.to_lowercase()),
        name: name.to_owned(),
        computed_fields: fields.iter().map(computed).collect(),
        is_active: true,
    }
}

fn catalog(offers: Vec<Offer>, categories: Vec<Category>) -> Catalog {
    let fields = [("age", Type::Number), ("city", Type::String), ("since", Type::Date)];
    let fields: BTreeMap<_, _> =
        fields.into_iter().map(|(name, of_type)| (name.to_owned(), of_type)).collect();
    let schema = Schema {
        id: "schema_customer".to_owned(),
        name: "Customer".to_owned(),
        fields,
        ..Schema::default()
    };
    Catalog {
        revision: 1,
        offers: offers.into_iter().map(|offer| (offer.id.as_str().into(), offer.into())).collect(),
        categories: categories
            .into_iter()
            .map(|category| (category.id.clone(), category))
            .collect(),
        schemas: BTreeMap::from([(schema.id.clone(), schema)]),
        ..Catalog::default()
    }
}

fn flow(categories: &[&str]) -> Flow {
    let categories = categories.iter().map(|name| (*name).to_owned()).collect();
    let steps = [
        ("inv", Step::from(Inventory { categories })),
        ("enr", Enrich::default().into()),
        ("comp", Compute.into()),
        ("qual", Qualify.into()),
        ("score", Score { method: ScoreMethod::Propensity, min_uplift: None }.into()),
        ("rank", Rank::default().into()),
        ("out", Response.into()),
    ];
    let node = |(id, step): (&str, Step)| Node { id: id.to_owned(), step };
    Flow { nodes: steps.into_iter().map(node).collect(), ..Flow::default() }
}

fn planned(catalog: &Catalog, categories: &[&str], record: &Fields) -> Plan {
    let compiled = CompiledFlow::compile(flow(categories), "flow_f", "F", 1, catalog);
    let moment = Moment::new(serve::from_micros(1_795_341_600_000_000), chrono_tz::Europe::London);
    let attributes = Fields::new();
    let facts = Facts::of_record(record, &attributes, &moment);
    apply(&compiled, &facts, &ALL, &mut Workspace::default())
}

const ALL: Wanted<'_> =
    Wanted { exclude_offers: &[], ranked_max: usize::MAX, refused_max: usize::MAX };

fn ids(plan: &Plan) -> Vec<&str> {
    plan.ranked.iter().map(|ranked| ranked.offer_id.as_str()).collect()
}

fn record(fields: &[(&str, Scalar)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn adult() -> Rule {
    condition("age", Operator::Gte, Literal::Number(18.0))
}

#[test]
fn a_broken_offer_spoils_itself_only() {
    let broken =
        offer("off_b", "A", vec![condition("colour", Operator::Eq, Literal::String("red".into()))]);
    let plan = planned(
        &catalog(vec![offer("off_a", "A", vec![adult()]), broken], vec![]),
        &["A"],
        &record(&[("age", Scalar::Integer(30))]),
    );
    assert_eq!(ids(&plan), ["off_a"]);
    let refused = &plan.refused[0];
    assert_eq!((refused.offer_id.as_str(), refused.reason_code), ("off_b", Reason::RuleInvalid));
    assert!(refused.reason.contains("`colour` is not declared"), "{}", refused.reason);
}

/// A hundred regular expressions that an automaton of a few kilobytes cannot hold. Before there was
/// a budget one such offer made each decision take a minute.
fn costly(offer_id: &str, seed: usize) -> Offer {
    let pattern = |n: usize| format!("[ab]*a[ab]{{{}}}[c-{}]", 100 + n, ['d', 'e', 'f'][seed % 3]);
    let rule = |n| condition("city", Operator::Matches, Literal::String(pattern(n)));
    let rules = (0..100).map(|n| Rule::Not(Box::new(rule(n))));
    offer(offer_id, "A", rules.collect())
}

#[test]
fn offers_beyond_the_budget_are_refused_and_the_others_are_decided_within_it() {
    let cheap = || offer("off_z", "A", vec![adult()]);
    let of = |offers: Vec<Offer>| {
        CompiledFlow::compile(flow(&["A"]), "flow_f", "F", 1, &catalog(offers, vec![]))
    };
    let one = of(vec![costly("off_a", 0), cheap()]);
    assert!(one.unfit("off_a").is_none() && one.unfit("off_z").is_none());
    assert!(one.steps_at_most() > LONG_STEPS);
    // Equal rules are judged once, however many offers have them.
    let many = of((0..200).map(|n| costly(&format!("off_a{n:03}"), 0)).collect());
    assert!(many.unfit("off_a199").is_none());
    assert!(many.steps_at_most() < one.steps_at_most() + 200 * 100);

    let number = 1 + usize::try_from(STEPS_MAX / one.steps_at_most()).unwrap();
    let others = |n: usize| {
        let mut offer = costly(&format!("off_a{n:03}"), 0);
        offer.rules.iter_mut().enumerate().for_each(|(m, rule)| {
            let text = format!("[ab]*a[ab]{{{}}}{n}x", 100 + m);
            *rule =
                Rule::Not(Box::new(condition("city", Operator::Matches, Literal::String(text))));
        });
        offer
    };
    let offers = || (0..number + 2).map(others).chain([cheap()]).collect::<Vec<_>>();
    let compiled = of(offers());
    assert!(compiled.steps_at_most() <= STEPS_MAX);
    let is_costly =
        |id: &str| compiled.unfit(id).is_some_and(|unfit| unfit.code == Reason::RuleTooCostly);
    assert!(!is_costly("off_a000") && is_costly(&format!("off_a{:03}", number + 1)));
    // What comes after it and fits is decided.
    assert!(!is_costly("off_z"));
    // The same offers whenever it is compiled.
    let again = of(offers());
    for offer in &compiled.offers {
        let id = &offer.candidate.offer_id;
        assert_eq!(compiled.unfit(id), again.unfit(id), "{id}");
    }
    let record = record(&[("age", Scalar::Integer(30)), ("city", Scalar::String("a".into()))]);
    let plan = planned(&catalog(offers(), vec![]), &["A"], &record);
    assert_eq!(plan.ranked.len() + plan.refused.len(), number + 3);
    let costly = plan.refused_by_reason[&Reason::RuleTooCostly];
    assert_eq!(costly, compiled.offers.iter().filter(|it| it.program.is_err()).count());
    let refused = plan.refused.iter().find(|it| it.reason_code == Reason::RuleTooCostly).unwrap();
    assert!(refused.reason.contains("steps more than what is left"), "{}", refused.reason);
}

#[test]
fn a_long_text_is_not_matched_and_the_refusal_says_so() {
    let rule = || condition("city", Operator::Matches, Literal::String("^a+$".into()));
    let refused = |text: usize| {
        let offers = vec![offer("off_a", "A", vec![rule()])];
        let record = record(&[("city", Scalar::String("a".repeat(text)))]);
        planned(&catalog(offers, vec![]), &["A"], &record).refused
    };
    assert_eq!(refused(1024).len(), 0);
    let long = refused(1025);
    assert!(
        long[0].reason.ends_with("a text over 1024 bytes is not matched"),
        "{}",
        long[0].reason
    );
}

#[test]
fn a_refused_candidate_says_what_was_expected_and_what_was_there() {
    let catalog = catalog(vec![offer("off_a", "A", vec![adult()])], vec![]);
    let young = planned(&catalog, &[], &record(&[("age", Scalar::Integer(17))]));
    assert_eq!(young.refused[0].reason, "`age` >= 18 is not true: it is 17");
    let unknown = planned(&catalog, &[], &record(&[]));
    assert_eq!(
        unknown.refused[0].reason,
        "`age` >= 18 is not true: it is unknown: missing customer.age"
    );
    let wrong = planned(&catalog, &[], &record(&[("age", Scalar::String("old".into()))]));
    assert_eq!(
        wrong.refused[0].reason,
        "`age` >= 18 is not true: it is unknown: age is not a number"
    );
}

/// A bare name: the offer's own category, then its custom fields, then the schema, then the other
/// categories when they agree.
#[test]
fn a_bare_name_is_looked_up_in_order() {
    let is = |expected: f64| vec![condition("x", Operator::Eq, Literal::Number(expected))];
    let own = category("A", &[("x", "1")]);
    let lender = category("B", &[("x", "4")]);
    let mut custom = offer("off_custom", "C", is(2.0));
    custom.custom_fields.insert("x".to_owned(), Scalar::Integer(2));
    let mut both = offer("off_both", "A", is(1.0));
    both.custom_fields.insert("x".to_owned(), Scalar::Integer(2));
    let borrowed = offer("off_borrowed", "C", is(4.0));
    let check = |offers: Vec<Offer>, categories: Vec<Category>, expected: &[&str]| {
        let plan = planned(&catalog(offers, categories), &[], &record(&[]));
        assert_eq!(ids(&plan), expected, "{:?}", plan.refused);
    };
    check(vec![both, custom], vec![own.clone(), lender.clone()], &["off_both", "off_custom"]);
    check(
        vec![borrowed.clone()],
        vec![lender.clone(), category("D", &[("x", "4")])],
        &["off_borrowed"],
    );
    let plan = planned(&catalog(vec![borrowed], vec![own, lender]), &[], &record(&[]));
    assert!(plan.refused[0].reason.contains("computed differently"), "{:?}", plan.refused);
}

#[test]
fn computed_fields_that_need_each_other_are_spelt_out() {
    let circle = category("A", &[("x", "y + 1"), ("y", "x + 1")]);
    let plan =
        planned(&catalog(vec![offer("off_a", "A", vec![])], vec![circle]), &[], &record(&[]));
    assert!(plan.refused[0].reason.contains("x -> y -> x"), "{:?}", plan.refused);
}

#[test]
fn ties_go_to_the_higher_priority_then_to_the_lower_id() {
    let mut urgent = offer("off_z", "A", vec![]);
    urgent.priority = 51.0;
    let offers = vec![offer("off_b", "A", vec![]), offer("off_a", "A", vec![]), urgent];
    let plan = planned(&catalog(offers, vec![]), &[], &record(&[]));
    assert_eq!(ids(&plan), ["off_z", "off_a", "off_b"]);
}

#[test]
fn paused_offers_and_other_categories_take_no_part() {
    let mut paused = offer("off_p", "A", vec![]);
    paused.is_active = false;
    let offers = vec![paused, offer("off_a", "a", vec![]), offer("off_b", "B", vec![])];
    let plan = planned(&catalog(offers, vec![]), &["A"], &record(&[]));
    assert_eq!(ids(&plan), ["off_a"]);
    let stages: Vec<_> =
        plan.stages.iter().map(|stage| (stage.node.as_str(), stage.entered, stage.left)).collect();
    assert_eq!(stages[0], ("inv", 2, 1));
}

#[test]
fn relevance_is_the_share_of_affinities_that_hold() {
    let mut liked = offer("off_a", "A", vec![]);
    liked.affinities = vec![
        ("city".to_owned(), Scalar::String("Bath".into())),
        ("age".to_owned(), Scalar::Integer(30)),
        ("age".to_owned(), Scalar::Integer(31)),
        ("since".to_owned(), Scalar::String("2026-01-01".into())),
    ];
    let customer = record(&[("city", Scalar::String("Bath".into())), ("age", Scalar::Integer(30))]);
    let plan = planned(&catalog(vec![liked], vec![]), &[], &customer);
    assert_eq!(plan.ranked[0].factors.relevance, 0.5);
}

/// `exists` asks for an attribute of any type, also beside a comparison that gives it one.
#[test]
fn an_attribute_exists_whatever_its_type() {
    let exists = condition("attributes.cart", Operator::Exists, Literal::None);
    let large = condition("attributes.cart", Operator::Gt, Literal::Number(3.0));
    let missing = condition("attributes.cart", Operator::NotExists, Literal::None);
    let offers = vec![
        offer("off_a", "A", vec![exists.clone()]),
        offer("off_b", "A", vec![large.clone(), exists]),
        offer("off_c", "A", vec![Rule::Any(vec![missing, large])]),
    ];
    let compiled = CompiledFlow::compile(flow(&[]), "flow_f", "F", 1, &catalog(offers, vec![]));
    let check = |cart: Option<Scalar>, expected: &[&str]| {
        let moment = Moment::new(serve::from_micros(0), chrono_tz::UTC);
        let attributes: Fields = cart.into_iter().map(|value| ("cart".to_owned(), value)).collect();
        let record = Fields::new();
        let facts = Facts::of_record(&record, &attributes, &moment);
        let plan = apply(&compiled, &facts, &ALL, &mut Workspace::default());
        assert_eq!(ids(&plan), expected, "{attributes:?}");
    };
    check(None, &["off_c"]);
    check(Some(Scalar::Integer(5)), &["off_a", "off_b", "off_c"]);
    check(Some(Scalar::String("full".into())), &["off_a"]);
    check(Some(Scalar::List(vec![])), &["off_a"]);
}

fn any_scalar() -> impl Strategy<Value = Option<Scalar>> {
    prop_oneof![
        Just(None),
        any::<i64>().prop_map(|n| Some(Scalar::Integer(n))),
        any::<f64>().prop_map(|n| Some(Scalar::Double(n))),
        any::<bool>().prop_map(|is| Some(Scalar::Boolean(is))),
        "[a-zA-Z0-9:.-]{0,12}".prop_map(|text| Some(Scalar::String(text))),
        Just(Some(Scalar::Decimal("19.90".to_owned()))),
        Just(Some(Scalar::List(vec![Scalar::Integer(1)]))),
    ]
}

proptest! {
    /// Fields of any type, or none: nothing panics, a customer qualifies only when the value is
    /// there, fits its type and satisfies the rule, and every candidate is either ranked or
    /// refused.
    #[test]
    fn missing_or_wrong_data_never_qualify(age in any_scalar(), city in any_scalar()) {
        let elsewhere = condition("city", Operator::Neq, Literal::String("Bath".into()));
        let offers = vec![
            offer("off_a", "A", vec![adult()]),
            offer("off_b", "A", vec![Rule::Not(Box::new(adult()))]),
            offer("off_c", "A", vec![elsewhere]),
        ];
        let named = [("age", &age), ("city", &city)].into_iter();
        let known = named.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        let customer: Fields = known.collect();
        let plan = planned(&catalog(offers, vec![]), &[], &customer);
        prop_assert_eq!(plan.ranked.len() + plan.refused.len(), 3);
        let is_number = matches!(&age, Some(Scalar::Integer(_) | Scalar::Decimal(_)))
            || matches!(&age, Some(Scalar::Double(number)) if number.is_finite());
        let ids = ids(&plan);
        let of_age = ids.iter().filter(|id| ["off_a", "off_b"].contains(id));
        prop_assert_eq!(of_age.count(), usize::from(is_number));
        let is_elsewhere = matches!(&city, Some(Scalar::String(text)) if text != "Bath");
        prop_assert_eq!(ids.contains(&"off_c"), is_elsewhere);
        let scores = plan.ranked.iter().map(|ranked| ranked.score);
        prop_assert!(scores.into_iter().all(|score| (0.01..=1.0).contains(&score)));
    }
}
