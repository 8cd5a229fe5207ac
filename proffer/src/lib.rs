//! All five services in one process.

pub mod suite;
