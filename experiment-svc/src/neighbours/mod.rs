//! Calls to other services.

pub mod contact;
pub mod flow;
