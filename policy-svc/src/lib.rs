//! Who may be contacted, when and how often: channels, quiet hours, consent, contact policies and
//! the contact ledger.
//!
//! - [`domain`]: the rules; values in, values out, no I/O and no clock.
//! - [`configuration`]: channels, policies and settings, read from the log as rules.
//! - [`gate`]: the use cases: reserve, check, commit, release, outcomes, consent.
//! - [`store`]: the ledger. Writes about one customer are serialized, so no cap is ever exceeded.
//! - [`messages`]: domain values as messages of the contract and back.
//! - `names`: what catalog-svc and the own log name, against which references are resolved.
//! - [`grpc`]: the services: parse, call the gate, print.
//!
//! It does not choose offers, and it knows of customers only what a question contains.

mod app;
mod config;
pub mod configuration;
pub mod domain;
pub mod feed;
pub mod gate;
pub mod grpc;
mod id;
mod lapses;
pub mod messages;
mod names;
mod retention;
pub mod store;
pub mod telemetry;

pub use app::{App, Deps};
pub use config::Config;
pub use store::{Drift, schema};
