//! What `deploy/` has: rendered, linted and run with the real tools. `cargo xtask deploy` brings
//! them. Nothing here needs Docker or a cluster.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod deploy {
    mod alert;
    mod chart;
    mod collector;
    mod compose;
    mod dashboard;
    mod image;
    mod kustomize;
    mod manifest;
    mod network;
    mod page;
    mod pod;
    mod prometheus;
    mod scanner;
    mod setting;
    mod tool;
}
