//! How a process starts, limits its load, reports health and stops.
//!
//! It has no words of the domain: the five services and the all-in-one binary use it alike.
//!
//! - [`Neighbour`]: another service, in this process or over the network, behind one type.
//! - [`Call`]: the call a task works for; its ids, trace and deadline go on to other services.
//! - [`Replicas`]: a client of a service with several replicas; the only layer with retries.
//! - [`background`]: threads of low priority for long work.
//! - [`Clock`]: the only place that reads the time.
//! - [`listen`]: a hardened gRPC listener with health and reflection, stopped gracefully.
//! - [`Admission`]: limits the calls in flight; calls beyond the queue are refused at once.
//! - [`ByteBudget`]: limits the bytes held for callers.
//! - [`Problem`]: builds a status with reason, metadata and field violations.
//! - [`caught`]: a panic as the error of one call.
//! - [`Recent`]: a map with a bound, for what is kept per tenant.
//! - [`settings`]: flags, environment variables and a settings file, read by one precedence.
//! - [`metadata`]: tenant and actor of a call.

mod admission;
mod arrivals;
pub mod background;
mod byte_budget;
mod call;
mod clock;
mod connection;
mod deadline;
mod door;
mod ending;
mod frames;
mod health;
mod health_service;
mod limits;
mod line;
mod lingering;
mod listen;
mod listen_settings;
pub mod metadata;
mod metered;
mod method;
mod neighbour;
mod opening;
mod panicked;
mod problem;
mod process;
mod recent;
mod replicas;
pub mod request_id;
mod retention;
mod settings;
mod stopping;
pub mod telemetry;
mod undecodable;
mod window;

pub use admission::{Admission, AdmissionSettings, Ask, Needs, Permit};
pub use arrivals::ConnectionLimits;
pub use byte_budget::{ByteBudget, HeldShare};
pub use call::{Call, TracedCall, carried};
pub use clock::{Clock, Stopwatch, from_micros};
pub use door::{Hosts, authority, is_from_another_site, is_grpc};
pub use health::{Readiness, admin, follow_store, show_readiness};
pub use limits::{Limits, REQUEST_TIMEOUT};
pub use line::Line;
pub use listen::{Listener, Surface, by_protocol, check_exposure, reflection};
pub use listen_settings::ListenSettings;
pub use metered::{CallBytes, refusal_in};
pub use neighbour::{CALL_TIMEOUT, Neighbour};
pub use panicked::{caught, caught_now};
pub use problem::{
    Problem, RETRY_AFTER, code_name, internal, item_fault, store_status, unavailable,
};
pub use process::{Process, ProcessSettings, Task, block_on, close_all, main, run, spawn_until};
pub use recent::Recent;
pub use replicas::{CONNECT_TIMEOUT, NeighbourError, Replicas};
pub use retention::{BATCH_MAX, Deleted, Pace, retention_task};
pub use settings::{
    Checked, PlaceSettings, RIGHT, Refusal, RetentionLimit, RetentionSettings, Secret,
    SourceSettings, StoreSettings, address, log_filter, neighbour_url, read as read_settings,
    retention_limit, settings, settings_table,
};
pub use stopping::{Shutdown, StopSettings, shutdown_on_signal};
