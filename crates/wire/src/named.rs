//! What others refer to by id or name: kinds of resources, fields and subcategories.

/// A category of offers.
pub const CATEGORY: &str = "category";
/// The shape of a customer's record.
pub const SCHEMA: &str = "schema";
/// An offer.
pub const OFFER: &str = "offer";
/// A channel.
pub const CHANNEL: &str = "channel";
/// A flow.
pub const FLOW: &str = "decision_flow";
/// A model of propensity.
pub const MODEL: &str = "model";
/// The weights of a rank.
pub const WEIGHT_PROFILE: &str = "weight_profile";
/// An outcome type.
pub const OUTCOME_TYPE: &str = "outcome_type";
/// A part of a page or message.
pub const PLACEMENT: &str = "placement";
/// A field of a customer's record, without `customer.`.
pub const FIELD: &str = "field";
/// A finer group of offers: a word, no resource.
pub const SUBCATEGORY: &str = "subcategory";
