//! experiment-svc through its generated clients, on both stores.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod experiment_service {
    pub mod counting;
    pub mod drill;
    pub mod effect_models;
    pub mod experiments;
    pub mod external;
    pub mod flows;
    pub mod leaks;
    pub mod ledger;
    pub mod past;
    pub mod plan;
    pub mod reproduced;
    pub mod results;
    pub mod retention;
    pub mod retrained;
    pub mod suite;
    pub mod sums;
    pub mod sums_many;
    pub mod training;
    pub mod training_many;
    pub mod universal;
    pub mod watch;
    pub mod windows;
}
