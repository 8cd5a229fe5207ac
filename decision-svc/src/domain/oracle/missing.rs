//! Test: no rule passes because data are missing. An offer that passes without a value must pass
//! with every value.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use formula::{
    Moment, Type,
    rule::{Operator, Rule},
};

use super::{
    random::{CARD, Dice, FIELDS, WORDS, catalog, customer, metrics, surface},
    tests::{CASES, flow},
};
use crate::domain::{
    compile::CompiledFlow,
    facts::Facts,
    plan::{Wanted, apply},
    scalar::{Fields, Scalar},
    scratch::Workspace,
    snapshot::Catalog,
    step::{Filter, Settings as _},
};

/// Values of a field in place of the missing one.
const VALUES: usize = 6;

/// A value that the type takes.
fn value(dice: &mut Dice, of_type: Type) -> Scalar {
    match of_type {
        Type::Number | Type::Any => {
            Scalar::Integer(*dice.pick(&[0, 1, 5, 7, 90, 365, CARD, CARD + 1]))
        }
        Type::String => Scalar::String((*dice.pick(&WORDS)).to_owned()),
        Type::Boolean => Scalar::Boolean(dice.one_in(2)),
        Type::Date => {
            Scalar::String((*dice.pick(&["2026-07-03", "2026-11-22", "2024-02-29"])).to_owned())
        }
        Type::Timestamp => Scalar::String("2026-11-21T09:30:00Z".to_owned()),
    }
}

/// What no field of this type takes.
fn misfit(dice: &mut Dice, of_type: Type) -> Scalar {
    match of_type {
        Type::String => Scalar::Boolean(dice.one_in(2)),
        _ => dice
            .pick(&[
                Scalar::List(vec![Scalar::Integer(1)]),
                Scalar::String("unreadable".to_owned()),
            ])
            .clone(),
    }
}

/// True for a rule that asks whether there is a value: that one may pass on absence.
fn asks_for_presence(rule: &Rule) -> bool {
    match rule {
        Rule::Condition { op, .. } => matches!(op, Operator::Exists | Operator::NotExists),
        Rule::All(rules) | Rule::Any(rules) => rules.iter().any(asks_for_presence),
        Rule::Not(rule) => asks_for_presence(rule),
    }
}

/// Without offers and formulas that say what is to be done when a value is missing.
fn without_presence(mut catalog: Catalog) -> Catalog {
    let asks = |rules: &[Rule]| rules.iter().any(asks_for_presence);
    let others = catalog.offers.iter().filter(|(_, offer)| !asks(&offer.rules));
    catalog.offers = others.map(|(id, offer)| (id.clone(), offer.clone())).collect();
    for category in catalog.categories.values_mut() {
        category
            .computed_fields
            .retain(|field| !field.formula.contains("coalesce") && !field.formula.contains("null"));
    }
    catalog
}

/// `not` as a language with two truth values has it: what is missing is false, so its opposite is
/// true.
fn passes_naively(rule: &Rule, is_missing: &dyn Fn(&str) -> bool) -> bool {
    match rule {
        Rule::Condition { field, .. } => !is_missing(field),
        Rule::Not(rule) => !passes_naively(rule, is_missing),
        Rule::All(rules) => rules.iter().all(|rule| passes_naively(rule, is_missing)),
        Rule::Any(rules) => rules.iter().any(|rule| passes_naively(rule, is_missing)),
    }
}

#[test]
fn no_offer_passes_on_a_value_that_is_missing_or_does_not_fit() {
    let now: DateTime<Utc> = "2026-11-22T23:30:00Z".parse().unwrap();
    let moment = Moment::new(now, chrono_tz::UTC);
    let (mut passed, mut dangers) = (0, 0);
    for seed in 0..CASES {
        let dice = &mut Dice(seed);
        let (catalog, mut flow) = (without_presence(catalog(dice)), flow(dice));
        let asks = |filter: &Filter| filter.rules.iter().any(asks_for_presence);
        flow.nodes.retain(|node| !Filter::of(&node.step).is_some_and(asks));
        let compiled = CompiledFlow::compile(flow, "flow_f", "F", 1, &catalog);
        let (record, attributes) = customer(dice);
        let (metrics, surface) = (metrics(dice), surface(dice));
        let ranked = |record: &Fields| -> BTreeSet<String> {
            let (attributes, metrics, surface) = (&attributes, &metrics, &surface);
            let moment = &moment;
            let (uplifts, responses, seed) = (&[][..], None, None);
            let engagement = None;
            let facts = Facts {
                record,
                attributes,
                metrics,
                surface,
                moment,
                uplifts,
                responses,
                seed,
                engagement,
            };
            let all = Wanted { exclude_offers: &[], ranked_max: usize::MAX, refused_max: 0 };
            apply(&compiled, &facts, &all, &mut Workspace::default())
                .ranked
                .iter()
                .map(|ranked| ranked.offer_id.clone())
                .collect()
        };
        let (name, of_type) = *dice.pick(&FIELDS);
        let mut spoiled = record.clone();
        match dice.below(2) {
            0 => drop(spoiled.remove(name)),
            _ => drop(spoiled.insert(name.to_owned(), misfit(dice, of_type))),
        }
        let without = ranked(&spoiled);
        passed += without.len();
        for _ in 0..VALUES {
            let mut filled = record.clone();
            filled.insert(name.to_owned(), value(dice, of_type));
            let with = ranked(&filled);
            assert!(
                without.is_subset(&with),
                "seed {seed}, {name}: {:?}",
                without.difference(&with)
            );
        }
        let is_missing = |field: &str| field.strip_prefix("customer.").unwrap_or(field) == name;
        let rules = catalog.offers.values().flat_map(|offer| &offer.rules);
        dangers += rules
            .filter(|rule| matches!(rule, Rule::Not(_)) && passes_naively(rule, &is_missing))
            .count();
    }
    println!(
        "{passed} offers passed without a value, {dangers} rules would have passed on its absence"
    );
    assert!(passed as u64 > CASES / 2 && dangers > 100, "{passed} {dangers}");
}
