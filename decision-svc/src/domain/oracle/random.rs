//! Random catalogs, rules and customers from a seed, for tests that compare engine and oracle.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use formula::{
    OutputType, Type,
    rule::{Literal, Operator, Rule},
};

use crate::domain::{
    creative::Surface,
    metric::{Aggregate, Metric, Metrics},
    scalar::{Fields, Scalar},
    schedule::{Mandate, Schedule},
    snapshot::{Catalog, Category, ComputedField, Creative, Offer, Placement, Schema},
};

/// Pseudo-random numbers that are the same everywhere (SplitMix64).
pub(super) struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, count: usize) -> usize {
        (self.next() % count.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    pub fn many<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }
}

pub(super) const WORDS: [&str; 9] =
    ["", "apparel", "Apparel", "home", "ΣΟΦΟΣ", "straße", " gold ", "2026-07-03", "5"];
const DATES: [&str; 5] = ["2026-07-03", "2026-11-22", "2024-02-29", "2026-7-3", "2026-02-30"];
const INSTANTS: [&str; 3] = ["2026-11-21T09:30:00Z", "2026-11-21T10:30:00+01:00", "yesterday"];
pub(super) const NUMBERS: [f64; 9] = [0.0, -0.0, 1.0, 5.0, 7.5, -3.0, 90.0, 365.0, 1e300];
/// Fields of the record by type, and names that are nowhere or elsewhere.
pub(super) const FIELDS: [(&str, Type); 7] = [
    ("age", Type::Number),
    ("spent", Type::Number),
    ("city", Type::String),
    ("tier", Type::String),
    ("isMember", Type::Boolean),
    ("since", Type::Date),
    ("seenAt", Type::Timestamp),
];
const COMPUTED: [&str; 5] = ["days", "value", "label", "flag", "age"];
/// What most categories compute under these names, so that offers may borrow them.
const USUAL: [(usize, Type); 5] = [
    (1, Type::Number),
    (4, Type::Number),
    (11, Type::String),
    (16, Type::Boolean),
    (0, Type::Number),
];
const CUSTOM: [&str; 4] = ["brand", "minimum", "days", "ratio"];
pub(super) const CATEGORIES: [&str; 3] = ["Apparel", "Home", "Toys"];
pub(super) const METRICS: [&str; 3] = ["clicks", "spent", "paused"];
const CHANNELS: [&str; 3] = ["", "email", "web"];
const PLACEMENTS: [&str; 4] = ["", "banner", "plc_closed", "footer"];
pub(super) const NOW: &str = "2026-11-22T23:30:00Z";
/// Before, at and after the instant of decisions.
const BOUNDS: [&str; 3] = ["2026-11-01T00:00:00Z", NOW, "2026-12-01T00:00:00Z"];

/// The first whole number that no double is.
pub(super) const CARD: i64 = 9_007_199_254_740_993;
/// Numbers beside doubles: each is closer to one than doubles are to each other.
const EXACT: [&str; 6] = [
    "9007199254740993",
    "9007199254740995",
    "5.0000000000000000001",
    "4.9999999999999999999",
    "7.5000000000000000001",
    "-9007199254740993",
];

const FORMULAS: [&str; 49] = [
    "spent / 2",
    "round((today() - customer.since) / 86400)",
    "(today() - since) / 86400",
    "age * 2 + spent",
    "customer.age * 2 + spent",
    "100 / (age - 5)",
    "age % spent",
    "isMember ? age : spent",
    "isMember && age > 5 || tier == 'gold'",
    "coalesce(age, spent, 1)",
    "coalesce(null, spent)",
    "concat(lower(city), '-', upper(tier))",
    "city + tier",
    "trim(city) == trim(tier)",
    "length(city) + length(tier)",
    "city == null ? 'none' : city",
    "in(city, 'home', 'apparel')",
    "days_between(since, today())",
    "year(seenAt) * 12 + month(since) + weekday(today()) + day(now())",
    "seenAt - now()",
    "sqrt(age) + log(spent) + exp(age) + pow(age, 2)",
    "round(spent / 3, 2) + round(spent, 99)",
    "clamp(age, spent, 90)",
    "min(age, spent, 5) + max(age, 1)",
    "days * 2",
    "value + days",
    "offer.priority + age",
    "minimum + 1",
    "starts_with(city, 'a') || contains(tier, 'o') && !ends_with(city, '')",
    "date(tier) < since",
    "!isMember ? -(age) : abs(-age)",
    "metrics.clicks * 2 + metrics.paused",
    "metrics.spent > 5 ? 'often' : tier",
    "attributes.cart > 5",
    "attributes.cart + spent",
    "coalesce(attributes.cart, age, 0) / 2",
    "attributes.cart == attributes.page",
    "attributes.page",
    "attributes.cart == null || !attributes.page",
    "attributes.page + city",
    "(attributes.cart - attributes.page) / 86400",
    "round((since - attributes.cart) / 86400)",
    "concat(city, age, since, attributes.cart, isMember)",
    "since + age",
    "customer.since - attributes.cart < today()",
    "max(age, spent)",
    "round(spent)",
    "-spent > 9007199254740992.5 ? spent : clamp(age, -9007199254740993, 9007199254740993)",
    "in(attributes.page, city, tier) && attributes.cart != 9007199254740993",
];

fn scalar(dice: &mut Dice) -> Scalar {
    match dice.below(12) {
        0 => Scalar::Integer(dice.below(10) as i64),
        1 => Scalar::Integer(90),
        2 => Scalar::Double(*dice.pick(&NUMBERS)),
        3 => Scalar::Double(f64::NAN),
        4 if dice.one_in(2) => Scalar::Decimal((*dice.pick(&EXACT)).to_owned()),
        4 => Scalar::Decimal((*dice.pick(&["19.90", "5", "NaN", "1e999", "x"])).to_owned()),
        5 => Scalar::Boolean(dice.one_in(2)),
        6 => Scalar::String((*dice.pick(&DATES)).to_owned()),
        7 => Scalar::String((*dice.pick(&INSTANTS)).to_owned()),
        8 => Scalar::List(vec![Scalar::Integer(1)]),
        _ => Scalar::String((*dice.pick(&WORDS)).to_owned()),
    }
}

/// A value that mostly fits.
pub(super) fn fitting(dice: &mut Dice, of_type: Type) -> Scalar {
    if dice.one_in(8) {
        return scalar(dice);
    }
    match of_type {
        Type::Any => scalar(dice),
        Type::Number if dice.one_in(6) => Scalar::Decimal((*dice.pick(&EXACT)).to_owned()),
        Type::Number if dice.one_in(6) => Scalar::Integer(CARD - dice.below(3) as i64),
        Type::Number if dice.one_in(2) => Scalar::Integer(dice.below(10) as i64),
        Type::Number => Scalar::Double(*dice.pick(&NUMBERS)),
        Type::String => Scalar::String((*dice.pick(&WORDS)).to_owned()),
        Type::Boolean => Scalar::Boolean(dice.one_in(2)),
        Type::Date => Scalar::String((*dice.pick(&DATES)).to_owned()),
        Type::Timestamp => Scalar::String((*dice.pick(&INSTANTS)).to_owned()),
    }
}

fn literal(dice: &mut Dice, of_type: Option<Type>) -> Literal {
    let of_type = of_type.filter(|_| !dice.one_in(60));
    match of_type.unwrap_or(*dice.pick(&[Type::Number, Type::String, Type::Boolean, Type::Date])) {
        Type::Number if dice.one_in(4) => {
            let text = *dice.pick(&EXACT);
            formula::Number::parse(text).map_or(Literal::None, Literal::from)
        }
        Type::Number => Literal::Number(*dice.pick(&NUMBERS)),
        Type::Any => Literal::Boolean(dice.one_in(2)),
        Type::String => Literal::String((*dice.pick(&WORDS)).to_owned()),
        Type::Boolean => Literal::Boolean(dice.one_in(2)),
        Type::Date => Literal::String((*dice.pick(&DATES[..3])).to_owned()),
        Type::Timestamp => Literal::String((*dice.pick(&INSTANTS[..2])).to_owned()),
    }
}

/// A name and, when it is likely known, its type.
fn name(dice: &mut Dice) -> (String, Option<Type>) {
    match dice.below(12) {
        0..=4 => {
            let (name, of_type) = *dice.pick(&FIELDS);
            let name = if dice.one_in(2) { format!("customer.{name}") } else { name.to_owned() };
            (name, Some(of_type))
        }
        5 | 6 => ((*dice.pick(&["attributes.cart", "attributes.page"])).to_owned(), None),
        7 => (
            (*dice.pick(&["offer.priority", "offer.businessValue", "offer.margin"])).to_owned(),
            Some(Type::Number),
        ),
        8 => (
            (*dice.pick(&["offer.category", "offer.id", "offer.name"])).to_owned(),
            Some(Type::String),
        ),
        9 if dice.one_in(2) => ((*dice.pick(&CUSTOM)).to_owned(), Some(Type::Number)),
        10 if dice.one_in(8) => ("nowhere".to_owned(), None),
        10 => (format!("metrics.{}", dice.pick(&METRICS)), Some(Type::Number)),
        _ => {
            let index = dice.below(COMPUTED.len());
            (COMPUTED[index].to_owned(), Some(USUAL[index].1))
        }
    }
}

fn condition(dice: &mut Dice) -> Rule {
    let (field, of_type) = name(dice);
    let text = of_type == Some(Type::String);
    let (op, value) = match dice.below(10) {
        0..=3 => (Operator::Eq, literal(dice, of_type)),
        4 => {
            let op = *dice.pick(&[Operator::In, Operator::In, Operator::NotIn]);
            (op, Literal::List((0..dice.below(4) + 1).map(|_| literal(dice, of_type)).collect()))
        }
        5 => (*dice.pick(&[Operator::Exists, Operator::NotExists]), Literal::None),
        6 if text => {
            (Operator::Matches, Literal::String((*dice.pick(&["^a", "e", "ο", "o.e$"])).to_owned()))
        }
        6 | 7 if text => {
            let ops = [
                Operator::Contains,
                Operator::NotContains,
                Operator::StartsWith,
                Operator::EndsWith,
            ];
            (*dice.pick(&ops), Literal::String((*dice.pick(&["a", "e", "", "old"])).to_owned()))
        }
        _ => {
            let ops = [Operator::Neq, Operator::Gt, Operator::Gte, Operator::Lt, Operator::Lte];
            (*dice.pick(&ops), literal(dice, of_type))
        }
    };
    Rule::Condition { field, op, value }
}

pub(super) fn rule(dice: &mut Dice, depth: usize) -> Rule {
    match dice.below(8) {
        0 if depth > 0 => {
            Rule::All((0..dice.below(10).min(3)).map(|_| rule(dice, depth - 1)).collect())
        }
        1 if depth > 0 => {
            Rule::Any((0..dice.below(10).min(3)).map(|_| rule(dice, depth - 1)).collect())
        }
        2 if depth > 0 => Rule::Not(Box::new(rule(dice, depth - 1))),
        _ => condition(dice),
    }
}

/// The name with other case or with space around it, mostly as it is.
pub(super) fn respelled(dice: &mut Dice, name: &str) -> String {
    match dice.below(8) {
        0 => name.to_lowercase(),
        1 => name.to_uppercase(),
        2 => format!(" {name}"),
        3 => format!("\u{a0}{} \t", name.to_uppercase()),
        _ => name.to_owned(),
    }
}

fn category(dice: &mut Dice, name: &str) -> Category {
    let outputs = [
        None,
        None,
        Some(OutputType::Integer),
        Some(OutputType::Text),
        Some(OutputType::Decimal),
        Some(OutputType::Boolean),
        Some(OutputType::Date),
    ];
    let field = |dice: &mut Dice| {
        let index = dice.below(COMPUTED.len());
        let (usual, is_usual) = (USUAL[index].0, !dice.one_in(8));
        ComputedField {
            name: COMPUTED[index].to_owned(),
            formula: if is_usual { FORMULAS[usual] } else { *dice.pick(&FORMULAS) }.to_owned(),
            output: if is_usual { None } else { *dice.pick(&outputs) },
        }
    };
    Category {
        id: format!("cat_{}", name.to_lowercase()),
        name: respelled(dice, name),
        computed_fields: dice.many(6, field),
        is_active: !dice.one_in(8),
    }
}

/// Random offers whose rules come mostly from a small pool, so that many are shared.
fn offer(dice: &mut Dice, number: usize, pool: &[Rule]) -> Offer {
    let rules =
        |dice: &mut Dice| if dice.one_in(4) { rule(dice, 3) } else { dice.pick(pool).clone() };
    let affinity = |dice: &mut Dice| {
        let (name, of_type) = name(dice);
        (name, of_type.map_or_else(|| Scalar::Boolean(true), |of_type| fitting(dice, of_type)))
    };
    let worth =
        |dice: &mut Dice| if dice.one_in(30) { f64::NAN } else { dice.below(5) as f64 * 25.0 };
    let names = ["Apparel", "cat_home", "Home", "Toys", "Unstored", ""];
    let category = *dice.pick(&names);
    Offer {
        id: format!("off_{number:02}"),
        name: format!("Offer {number}"),
        category: respelled(dice, category),
        category_id: (*dice.pick(&["", "", "", "cat_home", "cat_gone"])).to_owned(),
        subcategory: String::new(),
        priority: worth(dice),
        business_value: worth(dice),
        margin: dice.one_in(2).then(|| dice.below(3) as f64 * 50.0),
        purpose: "marketing".to_owned(),
        cost_e4: number as i64,
        affinities: if dice.one_in(3) { dice.many(3, affinity) } else { Vec::new() },
        rules: dice.many(4, rules),
        custom_fields: dice
            .many(2, |dice| ((*dice.pick(&CUSTOM)).to_owned(), scalar(dice)))
            .into_iter()
            .collect(),
        schedule: if dice.one_in(6) { schedule(dice) } else { Schedule::default() },
        mandate: dice
            .one_in(8)
            .then(|| Mandate { reason: "recall".to_owned(), expires_at: instant(dice) }),
        is_active: !dice.one_in(10),
    }
}

fn instant(dice: &mut Dice) -> DateTime<Utc> {
    dice.pick(&BOUNDS).parse().unwrap()
}

fn schedule(dice: &mut Dice) -> Schedule {
    Schedule {
        starts_at: dice.one_in(2).then(|| instant(dice)),
        ends_at: dice.one_in(2).then(|| instant(dice)),
    }
}

fn creative(dice: &mut Dice, number: usize) -> Creative {
    let named = dice.below(14);
    let offer = if dice.one_in(2) { format!("off_{named:02}") } else { format!("offer {named}") };
    let (channel, placement) = (*dice.pick(&CHANNELS), *dice.pick(&PLACEMENTS));
    Creative {
        id: format!("cr_{number:02}"),
        name: format!("Creative {number}"),
        offer: respelled(dice, &offer),
        channel: respelled(dice, channel),
        placement: respelled(dice, placement),
        placement_named: placement.to_owned(),
        content: Fields::new(),
        weight: dice.below(3) as f64 * 50.0,
        is_active: !dice.one_in(8),
    }
}

pub(super) fn surface(dice: &mut Dice) -> Surface {
    let channel = *dice.pick(&CHANNELS);
    let placement = (*dice.pick(&["", "Banner", "closed", "footer", "nowhere"])).to_owned();
    Surface {
        channel: (!channel.is_empty()).then(|| (format!("ch_{channel}"), channel.to_owned())),
        placement,
    }
}

pub(super) fn metrics(dice: &mut Dice) -> Metrics {
    let known = METRICS[..2]
        .iter()
        .filter(|_| !dice.one_in(4))
        .map(|key| (*key).to_owned())
        .collect::<Vec<_>>();
    known.into_iter().map(|key| (key, dice.below(8) as f64)).collect()
}

pub(super) fn catalog(dice: &mut Dice) -> Catalog {
    let pool: Vec<Rule> = (0..6).map(|_| rule(dice, 2)).collect();
    let fields = FIELDS.iter().map(|(name, of_type)| ((*name).to_owned(), *of_type)).collect();
    let schema = Schema {
        id: "schema_customer".to_owned(),
        name: "Customer".to_owned(),
        fields,
        ..Schema::default()
    };
    let offers: Vec<Offer> = (0..dice.below(14)).map(|number| offer(dice, number, &pool)).collect();
    let categories: Vec<Category> = CATEGORIES.iter().map(|name| category(dice, name)).collect();
    Catalog {
        revision: 1,
        offers: offers.into_iter().map(|offer| (offer.id.as_str().into(), offer.into())).collect(),
        categories: categories
            .into_iter()
            .map(|category| (category.id.clone(), category))
            .collect(),
        schemas: BTreeMap::from([(schema.id.clone(), schema)]),
        outcome_types: BTreeMap::new(),
        creatives: (0..dice.below(40))
            .map(|number| creative(dice, number))
            .map(|it| (it.id.as_str().into(), it.into()))
            .collect(),
        placements: [("plc_banner", "Banner", true), ("plc_closed", "Closed", false)]
            .map(|(id, name, is_active)| {
                (id.to_owned(), Placement { id: id.into(), name: name.into(), is_active })
            })
            .into(),
        metrics: METRICS
            .map(|key| {
                let (aggregate, is_active) = (Aggregate::Count, key != "paused");
                (
                    key.into(),
                    Metric {
                        key: key.into(),
                        outcome: "click".into(),
                        aggregate,
                        window_days: 7,
                        is_active,
                    },
                )
            })
            .into(),
    }
}

pub(super) fn customer(dice: &mut Dice) -> (Fields, Fields) {
    let mut record = Fields::new();
    for (name, of_type) in FIELDS {
        if !dice.one_in(5) {
            record.insert(name.to_owned(), fitting(dice, of_type));
        }
    }
    // Records of many fields, or of hardly any, are taken in in other ways.
    let way = dice.below(8);
    record.extend(
        (0..if way == 0 { 40 } else { 0 })
            .map(|number| (format!("other{number}"), Scalar::Integer(number))),
    );
    record.retain(|name, _| way != 1 || name == "tier");
    let attributes = ["cart", "page"]
        .into_iter()
        .filter(|_| dice.one_in(2))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    (record, attributes.into_iter().map(|name| (name, scalar(dice))).collect())
}
