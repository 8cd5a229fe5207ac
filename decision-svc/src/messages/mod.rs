//! Domain values as messages of the contracts, and back. No I/O: services, stored records and calls
//! to neighbours share these conversions.

pub mod answer;
pub mod effect_model;
pub mod flow_config;
pub mod history;
pub mod model;
pub mod offer_subject;
pub mod question;
pub mod reason_code;
pub mod report;
pub mod scalar;
pub mod trace;

pub(crate) use wire::{instant::parse as instant, status::is_active};
