//! The rules of deciding: pure functions of (snapshot, request, facts, now).

pub mod assignment;
pub mod compile;
pub mod creative;
pub mod decide;
pub mod evaluate;
pub mod flow;
pub mod judgement;
pub mod metric;
pub mod model;
pub mod offer_subject;
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
