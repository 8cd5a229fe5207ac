//! The gateway on a real port, in front of stand-ins that record what reaches them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod gateway {
    pub mod admission;
    pub mod calls;
    pub mod doors;
    pub mod errors;
    pub mod fuzz;
    pub mod grpc;
    pub mod lines;
    pub mod queries;
    pub mod refused_early;
    pub mod seeds;
    pub mod streams;
    pub mod tags;
    pub mod unread;
    pub mod world;
}
