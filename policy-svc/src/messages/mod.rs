//! Domain values as messages of the contract and back, without I/O. Used by the services, by the
//! gate for the answers it keeps, and by the configuration, whose log holds messages.

pub mod channel;
pub mod contact_policy;
pub mod facts;
pub mod judgment;
pub mod question;
pub mod rule;
pub mod settings;

pub use wire::{
    instant::parse as instant,
    text::{id_fault, text_fault},
};

/// Longest name or reference, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_024;
