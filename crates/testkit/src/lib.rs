//! For tests only: throw-away stores and golden files. Panics tell a test what is missing and how
//! to get it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[cfg(feature = "database")]
mod database;
mod golden;
mod growth;
#[cfg(feature = "database")]
mod log;
pub mod postgres;
pub mod statement;

#[cfg(feature = "database")]
pub use database::fresh_database_url;
pub use golden::{UPDATE_VARIABLE, golden};
pub use growth::assert_linear;
#[cfg(feature = "database")]
pub use log::WrittenLog;
pub use postgres::{Postgres, SERVER_VARIABLE, find_binaries};
