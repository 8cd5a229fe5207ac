//! The customer's clock and calendar once more, by a second implementation of time zones (jiff) and
//! by plain counting.
//!
//! A run does one part of twenty, from a seed that it prints. `PROFFER_DRILL_FULL=1` makes it do
//! everything, `PROFFER_DRILL_SEED` another seed: see docs/drills.md.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "second_clock/caps.rs"]
mod caps;
#[path = "second_clock/drill.rs"]
mod drill;
#[path = "second_clock/scan.rs"]
mod scan;
#[path = "second_clock/transitions.rs"]
mod transitions;
#[path = "second_clock/windows.rs"]
mod windows;
#[path = "second_clock/zone.rs"]
mod zone;
