//! The winback campaign with many offers, each with the four rules of the example, and 64 customers
//! in rotation.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use decision_svc::domain::{
    compile::CompiledFlow,
    flow::{Flow, Node},
    rank::Weights,
    scalar::{Fields, Scalar},
    score::ScoreMethod,
    snapshot::{Catalog, Category, ComputedField, Offer, Schema},
    step::{Compute, ContactPolicy, Enrich, Inventory, Qualify, Rank, Response, Score, Step},
};
use formula::{
    OutputType, Type,
    rule::{Literal, Operator, Rule},
};

/// Customers in rotation.
pub const CUSTOMERS: usize = 64;
/// The weights of the example.
pub const WEIGHTS: Weights =
    Weights { propensity: 0.30, relevance: 0.20, impact: 0.20, emphasis: 0.05, uplift: 0.25 };

/// What offers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Three categories; all offers of a category have the same rules.
    Shared,
    /// Three categories; every offer has its own bounds.
    Single,
    /// Three offers per category.
    Sparse,
}

/// Offers and customers, independent of any engine.
pub struct Workload {
    pub today: NaiveDate,
    pub now: DateTime<Utc>,
    pub offers: Vec<OfferRow>,
    pub customers: Vec<Customer>,
    pub categories: usize,
}

/// One offer.
#[derive(Clone, Copy, Debug)]
pub struct OfferRow {
    pub category: usize,
    pub days_min: i32,
    pub days_max: i32,
    pub business_value: f64,
    pub margin: f64,
    pub priority: f64,
}

/// One customer.
#[derive(Clone, Copy, Debug)]
pub struct Customer {
    pub category: usize,
    pub last_purchase: NaiveDate,
    pub purchases: i64,
    pub revenue: f64,
}

/// Pseudo-random numbers, equal on every machine (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % count
    }
}

impl Workload {
    /// Generates that many offers of a shape.
    pub fn new(offers: usize, shape: Shape) -> Self {
        let mut dice = Dice(7);
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().expect("an instant");
        let today = now.date_naive();
        let categories = if shape == Shape::Sparse { offers / 3 } else { 3 };
        let offer = |number: usize| OfferRow {
            category: number % categories,
            days_min: if shape == Shape::Single { 90 + dice.below(60) as i32 } else { 90 },
            days_max: if shape == Shape::Single { 300 + dice.below(120) as i32 } else { 365 },
            business_value: dice.below(101) as f64,
            margin: dice.below(101) as f64,
            priority: dice.below(101) as f64,
        };
        let offers = (0..offers).map(offer).collect();
        let customer = |_| Customer {
            category: dice.below(categories as u64) as usize,
            last_purchase: today - TimeDelta::days(30 + dice.below(370) as i64),
            purchases: 2 + dice.below(9) as i64,
            revenue: 30.0 + dice.below(400) as f64,
        };
        let customers = (0..CUSTOMERS).map(customer).collect();
        Self { today, now, offers, customers, categories }
    }

    /// Compiles the flow.
    pub fn compile(&self) -> CompiledFlow {
        CompiledFlow::compile(self.flow(), "flow_winback", "Winback", 1, &self.catalog())
    }

    /// The flow of the example.
    pub fn flow(&self) -> Flow {
        let steps = [
            ("inv", Step::from(Inventory::default())),
            ("enr", Enrich::default().into()),
            ("compute", Compute.into()),
            ("qual", Qualify.into()),
            ("cp", ContactPolicy.into()),
            ("score", Score { method: ScoreMethod::Propensity, min_uplift: None }.into()),
            ("rank", Rank { weights: Some(WEIGHTS), ..Rank::default() }.into()),
            ("out", Response.into()),
        ];
        Flow {
            nodes: steps.into_iter().map(|(id, step)| Node { id: id.to_owned(), step }).collect(),
            ..Flow::default()
        }
    }

    /// The catalog: every category computes the two fields of the example.
    pub fn catalog(&self) -> Catalog {
        let field = |name: &str, formula: &str, output| ComputedField {
            name: name.to_owned(),
            formula: formula.to_owned(),
            output: Some(output),
        };
        let category = |number: usize| Category {
            id: format!("cat_{number:05}"),
            name: format!("Category {number}"),
            computed_fields: vec![
                field(
                    "daysSinceLastPurchase",
                    "round((today() - customer.lastPurchaseDate) / 86400)",
                    OutputType::Integer,
                ),
                field(
                    "isRecoverable",
                    "lifetimePurchases >= 3 && lifetimeRevenue >= 50",
                    OutputType::Boolean,
                ),
            ],
            is_active: true,
        };
        let fields = [
            ("age", Type::Number),
            ("consentEmail", Type::Boolean),
            ("country", Type::String),
            ("lastPurchaseDate", Type::Date),
            ("lifetimePurchases", Type::Number),
            ("lifetimeRevenue", Type::Number),
            ("primaryCategory", Type::String),
            ("timezone", Type::String),
        ];
        let fields = fields.into_iter().map(|(name, of_type)| (name.to_owned(), of_type)).collect();
        let private = Default::default();
        let schema =
            Schema { id: "schema_customer".into(), name: "Customer".into(), fields, private };
        let offers = self.offers.iter().enumerate().map(|(number, row)| row.offer(number));
        let categories = (0..self.categories).map(category);
        Catalog {
            revision: 1,
            offers: offers.map(|offer| (offer.id.as_str().into(), offer.into())).collect(),
            categories: categories.map(|category| (category.id.clone(), category)).collect(),
            schemas: BTreeMap::from([(schema.id.clone(), schema)]),
            ..Catalog::default()
        }
    }
}

/// The value of `primaryCategory` for a category.
pub fn category_word(category: usize) -> String {
    format!("word{category}")
}

impl OfferRow {
    fn offer(&self, number: usize) -> Offer {
        let rule = |field: &str, op, value| Rule::Condition { field: field.to_owned(), op, value };
        Offer {
            id: format!("off_{number:05}"),
            name: format!("Offer {number}"),
            category: format!("cat_{:05}", self.category),
            priority: self.priority,
            business_value: self.business_value,
            margin: Some(self.margin),
            purpose: "marketing".to_owned(),
            rules: vec![
                rule(
                    "primaryCategory",
                    Operator::Eq,
                    Literal::String(category_word(self.category)),
                ),
                rule(
                    "daysSinceLastPurchase",
                    Operator::Gte,
                    Literal::Number(f64::from(self.days_min)),
                ),
                rule(
                    "daysSinceLastPurchase",
                    Operator::Lte,
                    Literal::Number(f64::from(self.days_max)),
                ),
                rule("isRecoverable", Operator::Eq, Literal::Boolean(true)),
            ],
            is_active: true,
            ..Offer::default()
        }
    }
}

impl Customer {
    /// The record as catalog-svc returns it.
    pub fn record(&self) -> Fields {
        let fields = [
            ("age", Scalar::Integer(40)),
            ("consentEmail", Scalar::Boolean(true)),
            ("country", Scalar::String("GB".to_owned())),
            ("lastPurchaseDate", Scalar::String(self.last_purchase.to_string())),
            ("lifetimePurchases", Scalar::Integer(self.purchases)),
            ("lifetimeRevenue", Scalar::Double(self.revenue)),
            ("primaryCategory", Scalar::String(category_word(self.category))),
            ("timezone", Scalar::String("Europe/London".to_owned())),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
