//! The trait of all configuration resources: kind, id, name, etag, stamp. One CRUD works on it.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_types::Timestamp;

use crate::{
    catalog::v1 as catalog, decision::v1 as decision, experiment::v1 as experiment,
    policy::v1 as policy, values::v1::Reference,
};

/// What the store says about a resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stamp {
    /// Its id.
    pub id: String,
    /// Revision that wrote this state.
    pub revision: i64,
    /// Changes with every write.
    pub etag: String,
    /// When it was created.
    pub created_at: Option<Timestamp>,
    /// When it was last written.
    pub updated_at: Option<Timestamp>,
}

/// A configuration resource.
pub trait Resource: Message + Name + Default + Clone + Send + Sync + 'static {
    /// Kind in logs, errors and revisions; also the name of the field that carries it in requests.
    const KIND: &'static str;
    /// Word of its collection in REST paths.
    const COLLECTION: &'static str;
    /// Prefix of made ids.
    const PREFIX: &'static str;
    /// `id`, or `key` where that is the identity.
    const IDENTITY: &'static str = "id";
    /// The id as given, or empty.
    fn id(&self) -> &str;
    /// Name for people.
    fn name(&self) -> &str;
    /// Text about it.
    fn description(&self) -> &str;
    /// The etag as given, or empty.
    fn etag(&self) -> &str;
    /// The status, for kinds that have a `ResourceStatus`.
    fn status_mut(&mut self) -> Option<&mut i32> {
        None
    }
    /// What it refers to, for kinds that refer to others.
    fn references(&self) -> &[Reference] {
        &[]
    }
    /// The same, to be bound.
    fn references_mut(&mut self) -> Option<&mut Vec<Reference>> {
        None
    }
    /// Sets what the store says; `Stamp::default()` clears it.
    fn stamp(&mut self, stamp: Stamp);
    /// Sets the warnings of an answer.
    fn warn(&mut self, warnings: Vec<String>);
}

/// A kind of resource, by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Kind in logs and errors.
    pub kind: &'static str,
    /// Word of its collection in REST paths.
    pub collection: &'static str,
    /// Full name of its message.
    pub message: String,
    /// True when each tenant has exactly one from the start, whose id is the kind.
    pub is_single: bool,
}

impl Known {
    /// The service that owns it, as people and processes call it.
    pub fn service(&self) -> String {
        let package = self.message.split('.').nth(1).unwrap_or_default();
        format!("{package}-svc")
    }
}

fn known<R: Resource>() -> Known {
    let (kind, collection) = (R::KIND, R::COLLECTION);
    Known { kind, collection, message: R::full_name(), is_single: R::default().id() == R::KIND }
}

/// Every kind of resource.
pub static KINDS: LazyLock<Vec<Known>> = LazyLock::new(|| {
    vec![
        known::<catalog::Schema>(),
        known::<catalog::Category>(),
        known::<catalog::Offer>(),
        known::<catalog::Creative>(),
        known::<catalog::Placement>(),
        known::<catalog::BehavioralMetric>(),
        known::<catalog::OutcomeType>(),
        known::<policy::Channel>(),
        known::<policy::ContactPolicy>(),
        known::<policy::TenantSettings>(),
        known::<decision::DecisionFlow>(),
        known::<decision::WeightProfile>(),
        known::<decision::Model>(),
        known::<experiment::Experiment>(),
        known::<experiment::EffectModel>(),
    ]
});

/// The kind of this name.
pub fn of_kind(kind: &str) -> Option<&'static Known> {
    KINDS.iter().find(|known| known.kind == kind)
}

macro_rules! resource {
    ($message:ty, $kind:literal, $collection:literal, $prefix:literal, $identity:ident
        $(, $status:ident)? $(; $references:ident)?) => {
        impl Resource for $message {
            const KIND: &'static str = $kind;
            const COLLECTION: &'static str = $collection;
            const PREFIX: &'static str = $prefix;
            const IDENTITY: &'static str = stringify!($identity);
            fn id(&self) -> &str {
                &self.$identity
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn description(&self) -> &str {
                &self.description
            }
            fn etag(&self) -> &str {
                &self.etag
            }
            $(fn status_mut(&mut self) -> Option<&mut i32> {
                Some(&mut self.$status)
            })?
            $(fn references(&self) -> &[Reference] {
                &self.$references
            }
            fn references_mut(&mut self) -> Option<&mut Vec<Reference>> {
                Some(&mut self.$references)
            })?
            fn stamp(&mut self, stamp: Stamp) {
                self.$identity = stamp.id;
                self.revision = stamp.revision;
                self.etag = stamp.etag;
                self.created_at = stamp.created_at;
                self.updated_at = stamp.updated_at;
                self.warnings.clear();
            }
            fn warn(&mut self, warnings: Vec<String>) {
                self.warnings = warnings;
            }
        }
    };
}

resource!(catalog::Schema, "schema", "schemas", "schema", id, status);
resource!(catalog::Category, "category", "categories", "cat", id, status);
resource!(catalog::Offer, "offer", "offers", "off", id, status; references);
resource!(catalog::Creative, "creative", "creatives", "cre", id, status; references);
resource!(catalog::Placement, "placement", "placements", "plc", id, status; references);
resource!(catalog::BehavioralMetric, "behavioral_metric", "behavioral-metrics", "metric", key,
    status; references);
resource!(catalog::OutcomeType, "outcome_type", "outcome-types", "outcome", key);
resource!(policy::Channel, "channel", "channels", "ch", id, status; references);
resource!(policy::ContactPolicy, "contact_policy", "contact-policies", "pol", id,
    status; references);
resource!(decision::DecisionFlow, "decision_flow", "decision-flows", "flow", id,
    status; references);
resource!(decision::WeightProfile, "weight_profile", "weight-profiles", "prof", id, status);
resource!(decision::Model, "model", "models", "model", id, status);
resource!(experiment::Experiment, "experiment", "experiments", "exp", id; references);
resource!(experiment::EffectModel, "effect_model", "effect-models", "effect", id; references);

/// Each tenant has exactly one, whose kind is its id and its name.
impl Resource for policy::TenantSettings {
    const KIND: &'static str = "settings";
    const COLLECTION: &'static str = "settings";
    const PREFIX: &'static str = "settings";
    fn id(&self) -> &str {
        Self::KIND
    }
    fn name(&self) -> &str {
        Self::KIND
    }
    fn description(&self) -> &str {
        ""
    }
    fn etag(&self) -> &str {
        &self.etag
    }
    fn references(&self) -> &[Reference] {
        &self.references
    }
    fn references_mut(&mut self) -> Option<&mut Vec<Reference>> {
        Some(&mut self.references)
    }
    fn stamp(&mut self, stamp: Stamp) {
        self.revision = stamp.revision;
        self.etag = stamp.etag;
        self.updated_at = stamp.updated_at;
        self.warnings.clear();
    }
    fn warn(&mut self, warnings: Vec<String>) {
        self.warnings = warnings;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::json::annotation::Annotations;

    /// Read from the contracts: what is read one by one and created or updated.
    #[test]
    fn every_resource_of_the_contracts_is_known_by_its_collection() {
        let annotations = Annotations::of(&crate::POOL).unwrap();
        let methods: Vec<_> = crate::POOL
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .collect();
        let is_written = |name: &str| {
            let verbs = ["Create", "Update"].map(|verb| format!("{verb}{name}"));
            methods.iter().any(|method| verbs.contains(&method.name().to_owned()))
        };
        let mut found = BTreeSet::new();
        for method in &methods {
            let Some(name) = method.name().strip_prefix("Get") else { continue };
            for rule in annotations.http_rules(method).unwrap() {
                let collection = rule.path.strip_prefix("/api/v1/").unwrap();
                let collection = collection.split('/').next().unwrap().to_owned();
                let is_one = rule.path.matches('/').count() <= 4 && is_written(name);
                let field = method.output().get_field_by_name(&rule.response_body);
                if let Some(message) = field.as_ref().and_then(|field| {
                    field.kind().as_message().map(|message| message.full_name().to_owned())
                }) && is_one
                {
                    found.insert((rule.response_body, collection, message));
                }
            }
        }
        let listed = KINDS.iter().map(|known| {
            (known.kind.to_owned(), known.collection.to_owned(), known.message.clone())
        });
        assert_eq!(found, listed.collect());
    }
}
