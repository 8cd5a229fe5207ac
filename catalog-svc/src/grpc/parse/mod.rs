//! Resources from their messages, as the domain knows them. Knows neither the log nor the other
//! resources.

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
