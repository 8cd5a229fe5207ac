//! The binary as people meet it: the demo's report agrees with itself and with the file, and
//! `serve` starts and stops.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod demo {
    mod check_config;
    mod file;
    mod large;
    mod process;
    mod report;
    mod serve;
    mod start_up;
}
