//! Test data that several test modules share: schemas, categories, metrics and offers.

use formula::{
    OutputType,
    rule::{Literal, Operator, Rule},
};

use super::{
    behavioral_metric::{Aggregate, BehavioralMetric},
    catalogue::Catalogue,
    category::{Category, ComputedField},
    offer::Offer,
    schema::{FieldType, Schema},
};

/// The winback programme's customer schema.
pub fn customer() -> Schema {
    schema(
        "Customer",
        &[
            ("lastPurchaseDate", FieldType::Date),
            ("lifetimePurchases", FieldType::Integer),
            ("lifetimeRevenue", FieldType::Decimal),
            ("primaryCategory", FieldType::String),
            ("consentEmail", FieldType::Boolean),
        ],
    )
}

pub fn schema(name: &str, fields: &[(&str, FieldType)]) -> Schema {
    let fields = fields.iter().map(|(name, of_type)| ((*name).to_owned(), *of_type)).collect();
    Schema { id: format!("schema_{}", name.to_lowercase()), name: name.to_owned(), fields }
}

/// Its only category.
pub fn apparel() -> Category {
    let mut category = category(
        "Apparel",
        &[
            ("daysSinceLastPurchase", "round((today() - customer.lastPurchaseDate) / 86400)"),
            ("isRecoverable", "lifetimePurchases >= 3 && lifetimeRevenue >= 50"),
        ],
    );
    category.computed_fields[0].output = Some(OutputType::Integer);
    category.computed_fields[1].output = Some(OutputType::Boolean);
    category
}

pub fn category(name: &str, fields: &[(&str, &str)]) -> Category {
    let field = |(name, formula): &(&str, &str)| ComputedField {
        name: (*name).to_owned(),
        formula: (*formula).to_owned(),
        output: None,
    };
    Category {
        id: format!("cat_{}", name.to_lowercase()),
        name: name.to_owned(),
        is_active: true,
        computed_fields: fields.iter().map(field).collect(),
    }
}

/// Clicks of a week.
pub fn metric(key: &str, is_active: bool) -> BehavioralMetric {
    let (outcome, aggregate) = ("click".to_owned(), Some(Aggregate::Count));
    BehavioralMetric { key: key.to_owned(), is_active, outcome, aggregate, window_days: 7 }
}

pub fn winback() -> Catalogue {
    Catalogue::new(vec![customer()], vec![apparel()])
}

/// An offer that is right without conditions.
pub fn offer(category: &str, rules: Vec<Rule>) -> Offer {
    Offer {
        id: format!("off_{}", category.to_lowercase()),
        category: category.to_owned(),
        rules,
        ..Default::default()
    }
}

pub fn number(field: &str, op: Operator, value: f64) -> Rule {
    Rule::Condition { field: field.to_owned(), op, value: Literal::Number(value) }
}

pub fn text(field: &str, value: &str) -> Rule {
    Rule::Condition {
        field: field.to_owned(),
        op: Operator::Eq,
        value: Literal::String(value.to_owned()),
    }
}

pub fn truth(field: &str) -> Rule {
    Rule::Condition { field: field.to_owned(), op: Operator::Eq, value: Literal::Boolean(true) }
}

/// The seed's rules.
pub fn winback_rules(primary: &str) -> Vec<Rule> {
    vec![
        text("primaryCategory", primary),
        number("daysSinceLastPurchase", Operator::Gte, 90.0),
        number("daysSinceLastPurchase", Operator::Lte, 365.0),
        truth("isRecoverable"),
    ]
}
