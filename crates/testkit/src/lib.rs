//! For tests only: throw-away stores. Panics tell a test what is missing and how to get it.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

pub mod postgres;

pub use postgres::{Postgres, fresh_database_url};
