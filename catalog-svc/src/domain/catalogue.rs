//! The schemas, categories and behavioral metrics of a tenant, against which names are resolved.

use std::collections::{BTreeMap, BTreeSet};

use formula::Type;
use wire::name::is_same;

use super::{
    behavioral_metric::BehavioralMetric,
    category::Category,
    schema::{CUSTOMER_SCHEMA, Schema},
};

/// Most schemas that are tried in turn when schemas disagree on the type of a field.
const READINGS_MAX: usize = 16;

/// The schemas, categories and behavioral metrics of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    schemas: Vec<Schema>,
    categories: Vec<Category>,
    /// Types by field name; the customer schema's first, then by schema id.
    fields: BTreeMap<String, Vec<Type>>,
    /// Whether the metric of a key is active.
    metrics: BTreeMap<String, bool>,
}

impl Catalogue {
    /// The catalogue of these schemas and categories, without any metric.
    pub fn new(mut schemas: Vec<Schema>, mut categories: Vec<Category>) -> Self {
        let is_other = |schema: &Schema| !is_same(&schema.name, CUSTOMER_SCHEMA);
        schemas.sort_by(|a, b| (is_other(a), &a.id).cmp(&(is_other(b), &b.id)));
        categories.sort_by(|a, b| a.id.cmp(&b.id));
        let mut fields: BTreeMap<String, Vec<Type>> = BTreeMap::new();
        for (name, of_type) in schemas.iter().flat_map(|schema| &schema.fields) {
            fields.entry(name.clone()).or_default().push(of_type.formula_type());
        }
        Self { schemas, categories, fields, metrics: BTreeMap::new() }
    }

    /// The same with `schema` in place of the one of its id, or added.
    #[must_use]
    pub fn with_schema(&self, schema: Schema) -> Self {
        let others = self.schemas.iter().filter(|other| other.id != schema.id).cloned();
        let after = Self::new(others.chain([schema.clone()]).collect(), self.categories.clone());
        Self { metrics: self.metrics.clone(), ..after }
    }

    /// The same with `category` in place of the one of its id, or added.
    #[must_use]
    pub fn with_category(&self, category: Category) -> Self {
        let others = self.categories.iter().filter(|other| other.id != category.id).cloned();
        let after = Self::new(self.schemas.clone(), others.chain([category.clone()]).collect());
        Self { metrics: self.metrics.clone(), ..after }
    }

    /// The same without the schema of this id.
    #[must_use]
    pub fn without_schema(&self, id: &str) -> Self {
        let others = self.schemas.iter().filter(|other| other.id != id).cloned().collect();
        Self { metrics: self.metrics.clone(), ..Self::new(others, self.categories.clone()) }
    }

    /// The same without the category of this id.
    #[must_use]
    pub fn without_category(&self, id: &str) -> Self {
        let others = self.categories.iter().filter(|other| other.id != id).cloned().collect();
        Self { metrics: self.metrics.clone(), ..Self::new(self.schemas.clone(), others) }
    }

    /// The same with these metrics and no others.
    #[must_use]
    pub fn with_metrics(self, metrics: &[BehavioralMetric]) -> Self {
        let metrics = metrics.iter().map(|metric| (metric.key.clone(), metric.is_active)).collect();
        Self { metrics, ..self }
    }

    /// The same without the metric of this key.
    #[must_use]
    pub fn without_metric(&self, key: &str) -> Self {
        let mut without = self.clone();
        without.metrics.remove(key);
        without
    }

    /// By id.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// Index of the category a reference names: as its id, else as its name.
    pub fn category(&self, reference: &str) -> Option<usize> {
        let id = reference.trim();
        let by_id = self.categories.iter().position(|category| category.id == id);
        by_id.or_else(|| {
            self.categories.iter().position(|category| is_same(reference, &category.name))
        })
    }

    /// The type of a field under a reading: a flow reads one schema, and a field is declared when
    /// any schema has it.
    pub fn field_type(&self, name: &str, reading: usize) -> Option<Type> {
        let read = self.schemas.get(reading).and_then(|schema| schema.fields.get(name));
        read.map(|of_type| of_type.formula_type())
            .or_else(|| self.fields.get(name)?.first().copied())
    }

    /// Names of all fields of all schemas.
    pub fn field_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.fields.keys().map(String::as_str)
    }

    /// The readings under which types can differ: one schema at a time, and only one when they all
    /// agree.
    pub fn readings(&self) -> std::ops::Range<usize> {
        let differ = |types: &Vec<Type>| types.iter().any(|of_type| Some(of_type) != types.first());
        if self.fields.values().any(differ) {
            0..self.schemas.len().min(READINGS_MAX)
        } else {
            0..1
        }
    }

    /// Whether the metric of this key is active; none when there is no such metric.
    pub fn is_metric_active(&self, key: &str) -> Option<bool> {
        self.metrics.get(key).copied()
    }

    /// Keys of all metrics.
    pub fn metric_keys(&self) -> impl Iterator<Item = &str> + Clone {
        self.metrics.keys().map(String::as_str)
    }

    /// Names of all computed fields, each once.
    pub fn computed_names(&self) -> BTreeSet<&str> {
        self.categories
            .iter()
            .flat_map(|category| &category.computed_fields)
            .map(|field| field.name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{schema::FieldType, testing::category};

    fn schema(id: &str, name: &str, fields: &[(&str, FieldType)]) -> Schema {
        let fields = fields.iter().map(|(name, of_type)| ((*name).to_owned(), *of_type)).collect();
        Schema { id: id.into(), name: name.into(), fields }
    }

    #[test]
    fn the_customer_schema_is_read_first() {
        let lead = schema(
            "schema_a",
            "Lead",
            &[("age", FieldType::String), ("source", FieldType::String)],
        );
        let customer = schema("schema_b", "customer", &[("age", FieldType::Integer)]);
        let catalogue = Catalogue::new(vec![lead, customer], Vec::new());
        assert_eq!(catalogue.field_type("age", 0), Some(Type::Number));
        assert_eq!(catalogue.field_type("age", 1), Some(Type::String));
        assert_eq!(catalogue.field_type("source", 0), Some(Type::String));
        assert_eq!(catalogue.field_type("colour", 0), None);
        assert_eq!(catalogue.readings(), 0..2);
        assert_eq!(Catalogue::default().readings(), 0..1);
    }

    #[test]
    fn a_category_is_found_without_the_space_around_its_name() {
        let catalogue = Catalogue::new(Vec::new(), vec![category("Apparel", &[])]);
        for reference in ["Apparel", " apparel", "APPAREL\u{a0}", " cat_apparel "] {
            assert_eq!(catalogue.category(reference), Some(0), "{reference:?}");
        }
        assert_eq!(catalogue.category("CAT_APPAREL"), None);
    }

    #[test]
    fn metrics_stay_whatever_else_is_edited() {
        let metric = |key: &str, is_active| BehavioralMetric {
            key: key.into(),
            is_active,
            ..Default::default()
        };
        let catalogue =
            Catalogue::default().with_metrics(&[metric("clicks_7d", true), metric("spend", false)]);
        let edited = catalogue
            .with_schema(schema("schema_a", "Lead", &[]))
            .with_category(Category::default());
        assert_eq!(edited.is_metric_active("clicks_7d"), Some(true));
        assert_eq!(edited.is_metric_active("spend"), Some(false));
        assert_eq!(edited.without_metric("spend").metric_keys().collect::<Vec<_>>(), ["clicks_7d"]);
    }

    #[test]
    fn an_id_comes_before_a_name() {
        let category = |id: &str, name: &str| Category {
            id: id.into(),
            name: name.into(),
            ..Default::default()
        };
        let catalogue = Catalogue::new(
            Vec::new(),
            vec![category("cat_b", "cat_a"), category("cat_a", "Apparel")],
        );
        assert_eq!(catalogue.category("cat_a"), Some(0));
        assert_eq!(catalogue.category("APPAREL"), Some(0));
        assert_eq!(catalogue.category(" Apparel"), Some(0));
        assert_eq!(catalogue.category("cat_a "), Some(0));
        assert_eq!(catalogue.category("CAT_A"), Some(1));
        assert_eq!(catalogue.category("Home"), None);
    }
}
