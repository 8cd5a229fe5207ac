//! The configuration a decision is made with: immutable, swapped whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use formula::{OutputType, Type, rule::Rule};
use rpds::RedBlackTreeMapSync;
pub use wire::name::{folded, is_named};

use crate::domain::{
    effect::{EffectModel, Effects},
    metric::Metric,
    scalar::{Fields, Scalar},
    schedule::{Mandate, Schedule},
};

/// Everything configured, at one revision of each neighbour.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// From catalog-svc; none until first heard of.
    pub catalog: Option<Arc<Catalog>>,
    /// From policy-svc; none until first heard of.
    pub policy: Option<Arc<Policy>>,
    /// From experiment-svc; none until first heard of.
    pub experiment: Option<Arc<Experiments>>,
}

impl Snapshot {
    /// The effect models of a flow.
    pub fn effects_of(&self, flow_id: &str) -> Arc<Effects> {
        let experiments = self.experiment.as_ref();
        experiments.map(|experiments| experiments.effects_of(flow_id)).unwrap_or_default()
    }

    /// True when every neighbour has been heard of.
    pub fn is_complete(&self) -> bool {
        self.catalog.is_some() && self.policy.is_some() && self.experiment.is_some()
    }
}

/// Things of which there may be many, by id, shared by the revisions that have them: a change
/// copies what it is about and the way there.
pub type Shared<T> = RedBlackTreeMapSync<Arc<str>, Arc<T>>;

/// What may be offered.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// Head of catalog-svc's log when this was read.
    pub revision: i64,
    /// By id.
    pub offers: Shared<Offer>,
    /// By id.
    pub categories: BTreeMap<String, Category>,
    /// By id.
    pub schemas: BTreeMap<String, Schema>,
    /// By key.
    pub outcome_types: BTreeMap<String, OutcomeType>,
    /// By id.
    pub creatives: Shared<Creative>,
    /// By id.
    pub placements: BTreeMap<String, Placement>,
    /// By key.
    pub metrics: BTreeMap<String, Metric>,
}

/// What policy-svc configures that decisions need: where local time comes from.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Head of policy-svc's log when this was read.
    pub revision: i64,
    /// By id.
    pub channels: BTreeMap<String, Channel>,
    /// IANA zone of the tenant.
    pub timezone: String,
}

/// The experiments.
#[derive(Clone, Debug, Default)]
pub struct Experiments {
    /// Head of experiment-svc's log when this was read.
    pub revision: i64,
    /// By id.
    pub experiments: BTreeMap<String, Experiment>,
    /// Effect models that are active or in the shadow, by flow. One that has lost its last model
    /// keeps the revision of that: what is compiled for it is newer than what was before.
    pub effects: BTreeMap<String, Arc<Effects>>,
}

/// Something that may be offered.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Category as the offer names it.
    pub category: String,
    /// Id of the category that this is bound to; empty while it goes by its name.
    pub category_id: String,
    /// A finer group.
    pub subcategory: String,
    /// 0 to 100.
    pub priority: f64,
    /// 0 to 100.
    pub business_value: f64,
    /// Percent, 0 to 100.
    pub margin: Option<f64>,
    /// Purpose of the contact.
    pub purpose: String,
    /// What one contact costs, in 1/10,000 of the currency.
    pub cost_e4: i64,
    /// Fields and the values that make it relevant.
    pub affinities: Vec<(String, Scalar)>,
    /// All must be true.
    pub rules: Vec<Rule>,
    /// Further fields.
    pub custom_fields: Fields,
    /// When it may be offered.
    pub schedule: Schedule,
    /// Puts it above the others.
    pub mandate: Option<Mandate>,
    /// Only active offers take part.
    pub is_active: bool,
}

/// A group of offers with the fields its rules may use.
#[derive(Clone, Debug)]
pub struct Category {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Computed fields.
    pub computed_fields: Vec<ComputedField>,
    /// Only active categories lend their fields.
    pub is_active: bool,
}

/// A field computed at decision time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComputedField {
    /// Its name.
    pub name: String,
    /// The formula.
    pub formula: String,
    /// What the result is converted to; none keeps the formula's own type.
    pub output: Option<OutputType>,
}

/// The shape of a customer record.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Types by field.
    pub fields: BTreeMap<String, Type>,
    /// Fields from which nothing may be learned.
    pub private: BTreeSet<String>,
}

/// A kind of outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeType {
    /// Its key.
    pub key: String,
    /// Every tenant has it, and nobody can delete it.
    pub is_system: bool,
    /// Showed interest or took a desired action.
    pub is_positive: bool,
    /// The customer saw something.
    pub is_impression: bool,
    /// The customer did something.
    pub is_response: bool,
    /// Counts as a contact.
    pub counts_as_contact: bool,
}

/// What an offer says on a channel.
#[derive(Clone, Debug)]
pub struct Creative {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Id of the offer, or its name while the reference is bound to none.
    pub offer: String,
    /// The same of the channel; empty for all.
    pub channel: String,
    /// The same of the placement; empty for any.
    pub placement: String,
    /// The placement as it was written.
    pub placement_named: String,
    /// What is said.
    pub content: Fields,
    /// The heaviest is chosen.
    pub weight: f64,
    /// Only active ones are chosen.
    pub is_active: bool,
}

/// A part of a page or message that shows an offer.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Creatives of one that is not are not chosen.
    pub is_active: bool,
}

/// A way to reach customers.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Fields that hold the customer's zone.
    pub timezone_source: Vec<String>,
}

/// What an experiment names as its flow when it is about all of them.
const EVERY_FLOW: &str = "*";

/// A holdout on a flow, or on all of them.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// Its id.
    pub id: String,
    /// Id of the flow, or its name while the reference is bound to none; `*` is every flow.
    pub flow: String,
    /// Mixed into the assignment hash.
    pub salt: String,
    /// The splits so far, the present one last.
    pub splits: Vec<Split>,
    /// Assigns nobody before.
    pub starts_at: DateTime<Utc>,
    /// Assigns nobody new from here on.
    pub planned_end: DateTime<Utc>,
    /// Assigns and counts.
    pub is_running: bool,
    /// Arms, if any, bind: it is no draft, and nothing was shipped.
    pub is_binding: bool,
}

/// How an experiment divides customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Its number, from 1.
    pub epoch: i32,
    /// Share held out, in 1/10,000.
    pub holdout_basis_points: u32,
}

impl Experiment {
    /// True when it is about every flow.
    pub fn is_universal(&self) -> bool {
        self.flow == EVERY_FLOW
    }

    /// True at an instant at which it assigns customers and counts exposures.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        self.is_running && self.starts_at <= at && at < self.planned_end
    }
}

impl Offer {
    /// What it means by its category: the id that is bound to, else the name.
    pub fn category_reference(&self) -> &str {
        if self.category_id.is_empty() { &self.category } else { &self.category_id }
    }

    /// What rules and formulas read as `offer.<field>`, and its type; the value is none when the
    /// offer leaves it out. None when there is no such field, or its value is a list.
    pub fn field(&self, field: &str) -> Option<(Option<Scalar>, Type)> {
        let value = match field {
            "margin" => return Some((self.margin.map(Scalar::Double), Type::Number)),
            "id" => Scalar::String(self.id.clone()),
            "name" => Scalar::String(self.name.clone()),
            "category" => Scalar::String(self.category.clone()),
            "subcategory" => Scalar::String(self.subcategory.clone()),
            "priority" => Scalar::Double(self.priority),
            "businessValue" => Scalar::Double(self.business_value),
            custom => self.custom_fields.get(custom)?.clone(),
        };
        let of_type = value.own_type()?;
        Some((Some(value), of_type))
    }
}

impl Catalog {
    /// The same with no offer but this one.
    pub fn with_only(&self, offer_id: &str) -> Self {
        let only =
            self.offers.get_key_value(offer_id).map(|(id, offer)| (id.clone(), offer.clone()));
        Self {
            revision: self.revision,
            offers: only.into_iter().collect(),
            categories: self.categories.clone(),
            schemas: self.schemas.clone(),
            outcome_types: self.outcome_types.clone(),
            creatives: self.creatives.clone(),
            placements: self.placements.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// The category an offer names, when it is stored.
    pub fn category(&self, reference: &str) -> Option<&Category> {
        let is_it = |category: &&Category| is_named(reference, &category.id, &category.name);
        let by_name = || self.categories.values().find(is_it);
        self.categories.get(reference.trim()).or_else(by_name)
    }

    /// The offer of this id or name.
    pub fn offer(&self, reference: &str) -> Option<&Offer> {
        let by_name =
            || self.offers.values().find(|offer| is_named(reference, &offer.id, &offer.name));
        self.offers.get(reference.trim()).or_else(by_name).map(|offer| &**offer)
    }

    /// The schema of this id or name.
    pub fn schema(&self, reference: &str) -> Option<&Schema> {
        let by_name =
            || self.schemas.values().find(|schema| is_named(reference, &schema.id, &schema.name));
        self.schemas.get(reference.trim()).or_else(by_name)
    }
}

impl Policy {
    /// Fields of the record that hold a time zone, by what its channels say.
    pub fn zone_fields(&self) -> impl Iterator<Item = &str> {
        let sources = self.channels.values().flat_map(|channel| &channel.timezone_source);
        sources.map(|source| source.strip_prefix("customer.").unwrap_or(source))
    }

    /// The channel of this id or name.
    pub fn channel(&self, reference: &str) -> Option<&Channel> {
        let by_name = || {
            self.channels.values().find(|channel| is_named(reference, &channel.id, &channel.name))
        };
        self.channels.get(reference.trim()).or_else(by_name)
    }
}

impl Experiments {
    /// Puts a model of a flow in the place of what had its id, or takes that away; `revision` is
    /// that of the change. A model belongs to one flow for good.
    pub fn put_effect_model(
        &mut self,
        id: &str,
        found: Option<(String, EffectModel)>,
        revision: i64,
    ) {
        let has_it = |effects: &&mut Arc<Effects>| effects.models.iter().any(|it| it.id == id);
        if let Some(effects) = self.effects.values_mut().find(has_it) {
            let effects = Arc::make_mut(effects);
            effects.models.retain(|it| it.id != id);
            effects.revision = revision;
        }
        if let Some((flow_id, model)) = found {
            let effects = Arc::make_mut(self.effects.entry(flow_id).or_default());
            effects.models.push(Arc::new(model));
            effects.models.sort_by(|a, b| a.id.cmp(&b.id));
            effects.revision = revision;
        }
    }

    /// The effect models of a flow.
    pub fn effects_of(&self, flow_id: &str) -> Arc<Effects> {
        self.effects.get(flow_id).cloned().unwrap_or_default()
    }

    /// The experiments on every flow, by id.
    pub fn universal(&self) -> impl Iterator<Item = &Experiment> {
        self.experiments.values().filter(|experiment| experiment.is_universal())
    }

    /// The experiments on one flow, by id.
    pub fn on_flow<'a>(
        &'a self,
        flow_id: &'a str,
        flow_name: &'a str,
    ) -> impl Iterator<Item = &'a Experiment> {
        let is_on_it = move |experiment: &&Experiment| {
            !experiment.is_universal() && is_named(&experiment.flow, flow_id, flow_name)
        };
        self.experiments.values().filter(is_on_it)
    }
}
