//! What a drill reads and moves in the stores, past the services; and small tables of its own.

pub mod decision;
pub mod ledger;
pub mod naive;
pub mod open_read;
