//! Logs on standard error, and metrics for the admin address.

use std::sync::LazyLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Where this process's figures are gathered. Like the log there is one per process.
static FIGURES: LazyLock<Option<PrometheusHandle>> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().ok());

/// Starts logging and counting. `filter` is a tracing filter such as `info` or
/// `warn,decision_svc=debug`; JSON when `is_json`. Calling it twice keeps the first.
pub fn start(filter: &str, is_json: bool) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let started = if is_json {
        registry.with(fmt::layer().json().with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_target(true).with_writer(std::io::stderr)).try_init()
    };
    drop(started);
    LazyLock::force(&FIGURES);
}

/// The figures in Prometheus' text format; empty when somebody else gathers them.
pub fn figures() -> String {
    FIGURES.as_ref().map(PrometheusHandle::render).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        LazyLock::force(&FIGURES);
        metrics::counter!("proffer.test.thing", "kind" => "odd").increment(2);
        assert!(figures().contains("proffer_test_thing{kind=\"odd\"} 2"), "{}", figures());
    }
}
