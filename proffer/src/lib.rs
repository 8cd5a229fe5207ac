//! All five services in one process; tests and benchmarks start them with this library.

pub mod suite;
