//! Offers: what a decision may propose.

use std::{collections::BTreeMap, ops::RangeInclusive};

use formula::{
    Type,
    rule::{Literal, Rule},
};
use wire::amount;

use super::{
    Faults,
    mandate::Mandate,
    name::{field_name_fault, word_fault},
    rule::{literal_type, shape_faults},
    schedule::Schedule,
};

/// Most affinities of an offer.
pub const AFFINITIES_MAX: usize = 20;
/// Most custom fields of an offer.
pub const CUSTOM_FIELDS_MAX: usize = 50;
/// What one contact may cost, in 1/10,000 of the currency: 0 to 10^9 units.
pub const COST: RangeInclusive<i64> = 0..=1_000_000_000 * amount::PARTS;
/// Names that `offer.x` has for every offer, as formulas write them.
pub const BUILT_IN: [(&str, Type); 7] = [
    ("id", Type::String),
    ("name", Type::String),
    ("category", Type::String),
    ("subcategory", Type::String),
    ("priority", Type::Number),
    ("businessValue", Type::Number),
    (MARGIN, Type::Number),
];
/// The only one of them that an offer may lack.
const MARGIN: &str = "margin";
/// Path of the rules within an offer.
pub const RULES: &str = "qualification_rules";

/// An offer, its values read and its names not yet resolved.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct Offer {
    pub id: String,
    pub category: String,
    /// Id of the category that this is bound to; empty while it goes by its name.
    pub category_id: String,
    pub subcategory: String,
    pub purpose: String,
    pub priority: Option<f64>,
    pub business_value: Option<f64>,
    pub margin: Option<f64>,
    pub affinities: Vec<Affinity>,
    pub rules: Vec<Rule>,
    pub custom_fields: BTreeMap<String, Literal>,
    pub schedule: Option<Schedule>,
    pub mandatory: Option<Mandate>,
}

/// A field and the value that makes the offer relevant.
#[derive(Clone, Debug, PartialEq)]
pub struct Affinity {
    /// The field.
    pub field: String,
    /// The value.
    pub value: Literal,
}

/// The names an offer brings along, with their types; none for what no rule can compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OfferNames {
    /// Custom fields, which also stand alone.
    pub custom: BTreeMap<String, Option<OfferType>>,
    /// False for an offer without a margin.
    pub has_margin: bool,
}

/// A type that can be ordered, so that offers with the same names share their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum OfferType {
    Number,
    String,
    Boolean,
}

impl OfferType {
    fn of(literal: &Literal) -> Option<Self> {
        match literal {
            Literal::Number(_) | Literal::Exact(_) => Some(Self::Number),
            Literal::String(_) => Some(Self::String),
            Literal::Boolean(_) => Some(Self::Boolean),
            Literal::List(_) | Literal::None => None,
        }
    }

    fn formula_type(self) -> Type {
        match self {
            Self::Number => Type::Number,
            Self::String => Type::String,
            Self::Boolean => Type::Boolean,
        }
    }
}

impl OfferNames {
    /// The names of any offer in a category: those of all its offers together.
    pub fn together<'a>(offers: impl IntoIterator<Item = &'a Offer>) -> Self {
        let mut together = Self { custom: BTreeMap::new(), has_margin: true };
        for offer in offers {
            for (name, of_type) in offer.names().custom {
                together.custom.entry(name).or_insert(of_type);
            }
        }
        together
    }

    /// The type of the custom field of this name; none within for a list.
    pub fn custom(&self, name: &str) -> Option<Option<Type>> {
        self.custom.get(name).map(|of_type| of_type.map(OfferType::formula_type))
    }

    /// The type of `offer.x`; none within for a list.
    pub fn offer_field(&self, name: &str) -> Option<Option<Type>> {
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        match built_in {
            Some((_, of_type)) => Some(Some(*of_type)),
            None => self.custom(name),
        }
    }

    /// What `offer.x` may be.
    pub fn offer_fields(&self) -> impl Iterator<Item = &str> + Clone {
        BUILT_IN.iter().map(|(name, _)| *name).chain(self.custom.keys().map(String::as_str))
    }
}

impl Offer {
    /// The names it brings along.
    pub fn names(&self) -> OfferNames {
        let custom = self
            .custom_fields
            .iter()
            .map(|(name, value)| (name.clone(), OfferType::of(value)))
            .collect();
        OfferNames { custom, has_margin: self.margin.is_some() }
    }

    /// Faults that need neither another resource nor the time to be seen.
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let mut fault = |path: String, message| faults.push((path, message));
        if self.category.trim().is_empty() {
            fault("category".to_owned(), "is required: the name or id of a category".to_owned());
        }
        let words = [
            ("category", &self.category),
            ("subcategory", &self.subcategory),
            ("purpose", &self.purpose),
        ];
        for (path, word) in words {
            if let Some(message) = word_fault(word) {
                fault(path.to_owned(), message);
            }
        }
        let numbers = [
            ("priority", self.priority),
            ("business_value", self.business_value),
            (MARGIN, self.margin),
        ];
        for (path, number) in numbers {
            if let Some(number) = number.filter(|number| !(0.0..=100.0).contains(number)) {
                fault(path.to_owned(), format!("is {number}; it must be 0 to 100"));
            }
        }
        faults.extend(self.affinity_faults());
        faults.extend(shape_faults(RULES, &self.rules));
        faults.extend(self.custom_field_faults());
        faults.extend(self.schedule.iter().flat_map(Schedule::faults));
        faults
    }

    /// What it means by its category: the id that is bound to, else the name.
    pub fn category_reference(&self) -> &str {
        if self.category_id.is_empty() { &self.category } else { &self.category_id }
    }

    fn affinity_faults(&self) -> Faults {
        let count = self.affinities.len();
        if count > AFFINITIES_MAX {
            return vec![(
                "affinities".to_owned(),
                format!("has {count}, which exceeds the maximum {AFFINITIES_MAX}"),
            )];
        }
        let mut faults = Faults::new();
        for (index, affinity) in self.affinities.iter().enumerate() {
            let message = match affinity.value {
                Literal::List(_) => "must be a single value",
                Literal::None => "is required",
                _ => continue,
            };
            faults.push((format!("affinities[{index}].value"), message.to_owned()));
        }
        faults
    }

    fn custom_field_faults(&self) -> Faults {
        let count = self.custom_fields.len();
        if count > CUSTOM_FIELDS_MAX {
            let message = format!("has {count}, which exceeds the maximum {CUSTOM_FIELDS_MAX}");
            return vec![("custom_fields".to_owned(), message)];
        }
        let mut faults = Faults::new();
        for (name, value) in &self.custom_fields {
            let path = || format!("custom_fields.{}", super::name::quoted(name));
            if let Some(message) = field_name_fault(name) {
                faults.push((path(), format!("name {message}")));
            } else if BUILT_IN.iter().any(|(known, _)| known == name) {
                faults.push((path(), format!("`{name}` is taken: every offer has it")));
            }
            let is_empty_list = matches!(value, Literal::List(items) if items.is_empty());
            if literal_type(value).is_none() && !is_empty_list {
                faults.push((path(), "must not be null: leave the field out".to_owned()));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apparel() -> Offer {
        Offer {
            category: "Apparel".into(),
            priority: Some(70.0),
            margin: Some(50.0),
            ..Default::default()
        }
    }

    fn check(offer: &Offer, expected: &[&str]) {
        let faults = offer.faults();
        assert_eq!(
            faults.iter().map(|(path, text)| format!("{path} {text}")).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn the_scale_is_0_to_100() {
        for right in [0.0, 100.0, 33.3] {
            check(&Offer { priority: Some(right), ..apparel() }, &[]);
        }
        check(
            &Offer { priority: Some(100.1), ..apparel() },
            &["priority is 100.1; it must be 0 to 100"],
        );
        check(&Offer { margin: Some(-1.0), ..apparel() }, &["margin is -1; it must be 0 to 100"]);
        check(
            &Offer { business_value: Some(f64::NAN), ..apparel() },
            &["business_value is NaN; it must be 0 to 100"],
        );
    }

    #[test]
    fn every_fault_is_told() {
        let custom = [
            ("name", Literal::Number(1.0)),
            ("a b", Literal::Boolean(true)),
            ("gone", Literal::None),
        ];
        let offer = Offer {
            category: " ".into(),
            subcategory: "a\nb".into(),
            affinities: vec![Affinity { field: "x".into(), value: Literal::None }],
            custom_fields: custom.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Default::default()
        };
        check(
            &offer,
            &[
                "category is required: the name or id of a category",
                "subcategory must not contain control characters",
                "affinities[0].value is required",
                "custom_fields.a b name `a b` must match [A-Za-z_][A-Za-z0-9_]{0,62}",
                "custom_fields.gone must not be null: leave the field out",
                "custom_fields.name `name` is taken: every offer has it",
            ],
        );
    }

    #[test]
    fn an_offer_brings_its_own_names_along() {
        let mut offer = apparel();
        offer.custom_fields.insert("tier".into(), Literal::String("gold".into()));
        offer.custom_fields.insert("tags".into(), Literal::List(vec![Literal::String("a".into())]));
        let names = offer.names();
        assert_eq!(names.custom("tier"), Some(Some(Type::String)));
        assert_eq!(names.custom("tags"), Some(None));
        assert_eq!(names.custom("priority"), None);
        assert_eq!(names.offer_field("tier"), Some(Some(Type::String)));
        assert_eq!(names.offer_field("businessValue"), Some(Some(Type::Number)));
        assert_eq!(names.offer_field("margin"), Some(Some(Type::Number)));
        offer.margin = None;
        assert_eq!(offer.names().offer_field("margin"), Some(Some(Type::Number)));
    }
}
