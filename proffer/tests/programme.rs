//! A whole programme on a clock that is set by hand: customers in every zone, asked day and night
//! by a caller who asks again exactly when the answer says so.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod programme {
    mod caller;
    mod closed_loop;
    mod closed_loop_world;
    mod exposure;
    mod read_out;
    mod world;
}
