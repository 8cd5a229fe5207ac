//! What a drill reads and moves in the store of policy, past policy; and small tables of its own.

pub mod ledger;
pub mod naive;
