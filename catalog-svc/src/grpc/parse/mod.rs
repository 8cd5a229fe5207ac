//! Parses messages of resources into values of the domain, without reading the log.

mod behavioral_metric;
mod category;
mod creative;
mod offer;
mod schema;

pub use self::{
    behavioral_metric::behavioral_metric,
    category::{category, output_type},
    creative::creative,
    offer::offer,
    schema::{field_draft, schema},
};
