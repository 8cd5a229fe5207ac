//! Decides which offer a customer should get now, or that they should get none.
//!
//! A decision is a pure function of (snapshot, request, facts, now): [`domain`]. Everything else
//! fetches these four values or ships the answer: [`grpc`] takes questions, [`neighbours`] fetch
//! facts and ask policy, [`store`] keeps decisions and outcomes, [`relay`] tells the neighbours
//! what happened.

pub mod app;
mod aside;
pub mod compiled_flows;
pub mod config;
pub mod domain;
pub mod grpc;
pub mod neighbours;
pub mod receipt;
pub mod relay;
pub mod store;

pub use app::{App, Deps};
pub use config::{Config, SnapshotSettings};
