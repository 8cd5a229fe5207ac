//! The rules of deciding: pure functions of (snapshot, request, facts, now).

pub mod assignment;
pub mod case;
pub mod compile;
pub mod conclude;
pub mod creative;
pub mod evaluate;
pub mod flow;
pub mod judgement;
pub mod metric;
pub mod model;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod rank;
pub mod reason;
pub mod request;
pub mod scalar;
pub mod schedule;
pub mod scratch;
pub mod snapshot;
pub mod trace;
pub mod zone;
