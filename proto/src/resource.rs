//! The trait of all configuration resources: kind, id, name, etag, stamp. One CRUD works on it.

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

macro_rules! resource {
    ($message:ty, $kind:literal, $prefix:literal, $identity:ident
        $(, $status:ident)? $(; $references:ident)?) => {
        impl Resource for $message {
            const KIND: &'static str = $kind;
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

resource!(catalog::Schema, "schema", "schema", id, status);
resource!(catalog::Category, "category", "cat", id, status);
resource!(catalog::Offer, "offer", "off", id, status; references);
resource!(catalog::Creative, "creative", "cre", id, status; references);
resource!(catalog::Placement, "placement", "plc", id, status; references);
resource!(catalog::BehavioralMetric, "behavioral_metric", "metric", key, status; references);
resource!(catalog::OutcomeType, "outcome_type", "outcome", key);
resource!(policy::Channel, "channel", "ch", id, status; references);
resource!(policy::ContactPolicy, "contact_policy", "pol", id, status; references);
resource!(decision::DecisionFlow, "decision_flow", "flow", id, status; references);
resource!(decision::WeightProfile, "weight_profile", "prof", id, status);
resource!(decision::Model, "model", "model", id, status);
resource!(experiment::Experiment, "experiment", "exp", id; references);

/// Each tenant has exactly one, whose kind is its id and its name.
impl Resource for policy::TenantSettings {
    const KIND: &'static str = "settings";
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
