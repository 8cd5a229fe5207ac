//! Decides which offer a customer should get now, or that they should get none.
//!
//! A decision is a pure function of a case: question, configuration, facts and time ([`domain`]).
//! [`deciding`] builds cases and holds the use cases; [`grpc`] reads requests and writes responses;
//! [`messages`] converts between the two; [`neighbours`] are called for facts and contact
//! judgments; [`store`] keeps decisions and outcomes; [`relay`] delivers outcomes to the
//! neighbours; [`reporting`] counts both and answers reports.

pub mod app;
pub mod compiled_flows;
pub mod config;
pub mod deciding;
pub mod domain;
pub mod grpc;
pub mod messages;
pub mod names;
pub mod neighbours;
pub mod online_learning;
pub mod online_snapshots;
pub mod past_flows;
pub mod receipt;
pub mod relay;
pub mod reporting;
pub mod response_counts;
pub mod retention;
pub mod settled;
pub mod store;
pub mod telemetry;

pub use app::{App, Deps, EXPERIMENTS_SILENCE_MAX};
pub use config::{Config, FlowSettings, SnapshotSettings};
pub use store::schema;
