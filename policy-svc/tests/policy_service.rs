//! The service through its generated clients, on both stores.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "policy_service/batch.rs"]
mod batch;
#[path = "policy_service/budgets.rs"]
mod budgets;
#[path = "policy_service/configuration.rs"]
mod configuration;
#[path = "policy_service/consents.rs"]
mod consents;
#[path = "policy_service/contention.rs"]
mod contention;
#[path = "policy_service/edited.rs"]
mod edited;
#[path = "policy_service/feed.rs"]
mod feed;
#[path = "policy_service/gate.rs"]
mod gate;
#[path = "policy_service/held.rs"]
mod held;
#[path = "policy_service/lapses.rs"]
mod lapses;
#[path = "policy_service/naive_ways.rs"]
mod naive_ways;
#[path = "policy_service/outcomes.rs"]
mod outcomes;
#[path = "policy_service/pending.rs"]
mod pending;
#[path = "policy_service/references.rs"]
mod references;
#[path = "policy_service/refused.rs"]
mod refused;
#[path = "policy_service/replayed.rs"]
mod replayed;
#[path = "policy_service/retention.rs"]
mod retention;
#[path = "policy_service/windows.rs"]
mod windows;
#[path = "policy_service/world.rs"]
mod world;
