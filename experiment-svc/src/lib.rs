//! Shows what a flow earns: experiments hold some customers out, a ledger keeps arms and outcomes,
//! the analysis reads them out.
//!
//! - [`domain`]: an experiment's life and the analysis; values in, values out.
//! - [`store`]: experiments in the revision log, and the ledger. One experiment runs per flow,
//!   whatever the replicas.
//! - [`neighbours`]: follows policy-svc, for the contacts of customers.
//! - `names`: the flows of decision-svc, against which references are resolved.
//! - [`grpc`]: the services, the only place that knows the contracts' messages.
//!
//! It draws no arms: decision-svc does, by the split and the salt it follows from here, and is
//! never held up by this service.

pub mod app;
pub mod config;
pub mod domain;
pub mod grpc;
mod names;
pub mod neighbours;
pub mod store;
pub mod telemetry;

pub use app::{App, Deps};
pub use config::Config;
pub use store::schema;
