//! What holds for every kind of resource of every service, asked of all of them over REST.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod resources {
    mod audit;
    mod kind;
    mod large_page;
    mod narrowed;
    mod round_trip;
    mod rules;
    mod settings;
    mod suite;
    mod validate;
}
