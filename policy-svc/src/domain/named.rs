//! The kinds of resources that policies and channels refer to by id or name.

/// A category of offers.
pub const CATEGORY: &str = "category";
/// An offer.
pub const OFFER: &str = "offer";
/// A finer group of offers: a word, no resource.
pub const SUBCATEGORY: &str = "subcategory";
/// An outcome type.
pub const OUTCOME_TYPE: &str = "outcome_type";
/// A field of a customer's record, without `customer.`.
pub const FIELD: &str = "field";
/// A channel.
pub const CHANNEL: &str = "channel";
