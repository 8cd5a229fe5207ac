//! Reports: a task counts recorded outcomes and decisions, and a question is answered from the
//! counts.

mod kept_chunk;
pub mod read;
pub mod rolled;
pub mod roller;
