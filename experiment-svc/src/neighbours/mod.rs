//! Calls to other services.

pub mod contact;
