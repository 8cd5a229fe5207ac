//! What a process tells about itself: logs, to standard error.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Starts logging. `filter` is a tracing filter such as `info` or `warn,decision_svc=debug`; JSON when `is_json`.
/// Calling it twice keeps the first.
pub fn start(filter: &str, is_json: bool) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if is_json {
        registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_target(true).with_writer(std::io::stderr)).try_init()
    };
    drop(started);
}
