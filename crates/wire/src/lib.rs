//! One reading of what the messages of all services share, so that no two services read the same
//! message differently.

pub mod reason;
