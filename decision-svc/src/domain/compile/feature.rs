//! The features of a flow: what it knows of a customer, whatever the offer, to learn effects from.

use std::collections::{BTreeMap, BTreeSet};

use formula::{
    Type,
    program::{Record, Register},
};

use super::{CompiledOffer, Source, builder, closure, directory::Directory, interner::Interner};
use crate::domain::learning::{FEATURES_MAX, own};

/// A feature.
#[derive(Clone, Debug)]
pub(crate) struct Feature {
    pub name: String,
    pub register: Register,
    /// Fields of the record that it is, or is computed of.
    pub fields: BTreeSet<String>,
    pub takes: Takes,
}

/// Which values are features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// All: it is named.
    All,
    /// All but texts.
    NoText,
    /// Numbers only.
    Numbers,
}

/// A named feature that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoFeature {
    /// Its index among the names.
    pub index: usize,
    /// Why.
    pub why: String,
    /// True when it, or a field it is computed of, must not be learned from.
    pub is_private: bool,
}

/// The features that are named, and the names that are none.
pub(super) fn named(
    interner: &mut Interner<'_>,
    names: &[String],
) -> (Vec<Feature>, Vec<NoFeature>) {
    let (mut features, mut none) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        let register = match builder::customers(interner, name) {
            Ok(register) => register,
            Err(why) => {
                none.push(NoFeature { index, why, is_private: false });
                continue;
            }
        };
        let feature = feature(interner, own(name), register, Takes::All);
        match private(interner.directory, &feature) {
            None => features.push(feature),
            Some(why) => none.push(NoFeature { index, why, is_private: true }),
        }
    }
    (features, none)
}

/// What a flow reads that is a feature without being named: `read` are all registers that its
/// offers read.
pub(super) fn read_ones(
    interner: &Interner<'_>,
    offers: &[CompiledOffer],
    read: &BTreeSet<Register>,
) -> Vec<Feature> {
    let mut features: BTreeMap<String, Feature> = BTreeMap::new();
    let mut add = |name: &str, register, takes| {
        let feature = feature(interner, name, register, takes);
        if private(interner.directory, &feature).is_none() {
            features.entry(name.to_owned()).or_insert(feature);
        }
    };
    for register in read {
        if let Some(field) = Record::field(*register).and_then(|it| interner.fields.get(it)) {
            if matches!(field.declared, Type::Number | Type::Boolean | Type::Date) {
                add(&field.key, *register, Takes::NoText);
            }
        } else if let Some(Source::Metric { key }) = interner.sources.get(*register as usize) {
            add(&format!("metrics.{key}"), *register, Takes::Numbers);
        }
    }
    for (name, register) in computed(interner, offers) {
        add(name, register, Takes::Numbers);
    }
    features.into_values().take(FEATURES_MAX).collect()
}

/// Computed fields that are the same for every offer that has them.
fn computed<'i>(
    interner: &'i Interner<'_>,
    offers: &[CompiledOffer],
) -> impl Iterator<Item = (&'i str, Register)> {
    let programs = offers.iter().filter_map(|offer| offer.program.as_ref().ok());
    let lists: BTreeSet<u32> = programs.map(|program| program.shown).collect();
    let lists = lists.into_iter().filter_map(|list| interner.shown.all.get(list as usize));
    let mut by_name: BTreeMap<&str, BTreeSet<Register>> = BTreeMap::new();
    for shown in lists.flatten() {
        by_name.entry(&shown.name).or_default().insert(shown.register);
    }
    by_name.into_iter().filter_map(|(name, registers)| {
        let register = registers.first().copied().filter(|_| registers.len() == 1)?;
        let needs = closure(interner, [register]);
        let is_offers = |register: &Register| {
            matches!(interner.sources.get(*register as usize), Some(Source::Constant { .. }))
        };
        (!needs.iter().any(is_offers)).then_some((name, register))
    })
}

fn feature(interner: &Interner<'_>, name: &str, register: Register, takes: Takes) -> Feature {
    let needs = closure(interner, [register]).into_iter();
    let fields = needs.filter_map(|register| interner.fields.get(Record::field(register)?));
    let fields = fields.map(|field| field.key.clone()).collect();
    Feature { name: name.to_owned(), register, fields, takes }
}

/// Why it must not be learned from.
fn private(directory: &Directory<'_>, feature: &Feature) -> Option<String> {
    let field = feature.fields.iter().find(|field| directory.private.contains(field.as_str()))?;
    Some(if *field == feature.name {
        format!("`{field}` cannot be a feature: it is private")
    } else {
        format!(
            "`{}` cannot be a feature: it is computed of `{field}`, which is private",
            feature.name
        )
    })
}
