//! Who may be contacted, when and how often: channels, quiet hours, consent, contact policies and
//! the contact ledger.
//!
//! - [`domain`]: the rules; values in, values out, no I/O and no clock.
//! - [`store`]: the ledger. What is written about a customer follows from what the one before
//!   wrote, so no cap is ever passed.
//! - [`grpc`]: the services, the only place that knows the contracts' messages.
//!
//! It does not choose offers, and it learns about customers only what a question brings along.

mod app;
mod config;
pub mod domain;
pub mod grpc;
pub mod store;

pub use app::{App, Deps};
pub use config::Config;
pub use store::Drift;
