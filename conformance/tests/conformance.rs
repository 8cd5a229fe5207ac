//! The product through every door, as real processes: `cargo xtask test` builds them and brings
//! what they need.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod conformance {
    mod app_role;
    mod backup;
    mod crash;
    mod disk_full;
    mod faults;
    mod grpcurl;
    mod import;
    mod life;
    mod logs;
    mod not_now;
    mod one_folder;
    mod operations;
    mod outage;
    mod pages;
    mod pending;
    mod read_your_writes;
    mod scenarios;
    mod snippets;
    mod stream;
    mod traces;
    mod training;
}
