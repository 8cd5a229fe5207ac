//! What may be offered, and what is known about customers: schemas and records, categories with
//! computed fields, offers with qualification rules, their creatives and placements, outcome types
//! and metrics of them.
//!
//! - [`domain`]: the rules; values in, values out, no I/O and no clock.
//! - [`store`]: customer records. Configuration lives in the revision log.
//! - `import`: files of records, row by row.
//! - [`grpc`]: the services, the only place that knows the contracts' messages.
//!
//! It makes no decision and knows no flow: names are resolved against everything a tenant has, and
//! the flow decides.

mod app;
mod config;
pub mod domain;
pub mod grpc;
mod import;
mod limits;
mod names;
pub mod store;
mod telemetry;

pub use app::{App, Deps};
pub use config::Config;
pub use limits::{CATEGORIES_MAX, LimitSettings, OFFERS_MAX};
pub use store::schema;
