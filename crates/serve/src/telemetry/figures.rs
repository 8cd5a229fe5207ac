//! The metrics recorder of the process. Prometheus reads it at the admin address; OTLP exports the
//! same values.

use metrics::{KeyName, Unit};
use metrics_exporter_otel::OpenTelemetryRecorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use metrics_util::layers::FanoutBuilder;
use opentelemetry::metrics::Meter;

/// Upper bounds of a histogram of durations, in seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of a histogram of numbers of items.
const ITEMS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The histograms of all processes with their bounds.
pub const HISTOGRAMS: [(&str, &[f64]); 3] = [
    ("proffer.call.duration", &SECONDS),
    ("proffer.store.call.duration", &SECONDS),
    ("proffer.commit.batch.size", &ITEMS),
];

/// The metrics of a process, as Prometheus reads them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Figures(Option<(PrometheusHandle, Collector)>);

impl Figures {
    /// Installs the recorder of the process; nothing when there is one.
    pub(super) fn start(meter: Option<Meter>) -> Self {
        let prometheus = HISTOGRAMS.iter().try_fold(
            PrometheusBuilder::new().with_recommended_naming(true),
            |builder, (name, bounds)| {
                builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), bounds)
            },
        );
        // INVARIANT: no list of bounds is empty.
        let Ok(prometheus) = prometheus else { return Self(None) };
        let prometheus = prometheus.build_recorder();
        let handle = prometheus.handle();
        let installed = match meter {
            None => metrics::set_global_recorder(prometheus).is_ok(),
            Some(meter) => {
                let otlp = OpenTelemetryRecorder::new(meter);
                for (name, bounds) in HISTOGRAMS {
                    otlp.set_histogram_bounds(&KeyName::from(name), bounds.to_vec());
                }
                let both = FanoutBuilder::default().add_recorder(prometheus).add_recorder(otlp);
                metrics::set_global_recorder(both.build()).is_ok()
            }
        };
        if !installed {
            return Self(None);
        }
        let process = Collector::default();
        process.describe();
        describe();
        Self(Some((handle, process)))
    }

    /// The metrics in the Prometheus text format; empty when another recorder is installed.
    pub fn text(&self) -> String {
        let Some((handle, process)) = &self.0 else { return String::new() };
        process.collect();
        handle.render()
    }
}

fn describe() {
    database::describe();
    metrics::describe_gauge!("proffer.build.info", "1, with the version of the process");
    metrics::gauge!("proffer.build.info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    metrics::describe_histogram!(
        "proffer.call.duration",
        Unit::Seconds,
        "Time from the arrival of a call to the end of its answer, by method and gRPC code"
    );
    metrics::describe_gauge!("proffer.calls.in.flight", "Calls that are being answered");
    metrics::gauge!("proffer.calls.in.flight").set(0);
    metrics::describe_gauge!("proffer.calls.waiting", "Calls that wait for a permit");
    metrics::gauge!("proffer.calls.waiting").set(0);
    metrics::describe_counter!("proffer.calls.refused", "Calls refused because too many waited");
    metrics::counter!("proffer.calls.refused").absolute(0);
    metrics::describe_gauge!("proffer.held", Unit::Bytes, "Bytes held for callers");
    metrics::gauge!("proffer.held").set(0);
    metrics::describe_gauge!("proffer.held.max", Unit::Bytes, "Bytes that may be held");
    metrics::describe_counter!("proffer.bytes.refused", "Waits for bytes that ended without them");
    metrics::counter!("proffer.bytes.refused").absolute(0);
    metrics::describe_gauge!("proffer.connections", "Connections that are open");
    metrics::gauge!("proffer.connections").set(0);
    for (name, meaning) in [
        ("proffer.connections.refused", "Connections closed at once: their peer or all had enough"),
        ("proffer.connections.stalled", "Connections closed because answers were not read"),
        ("proffer.accept.errors", "Connections that could not be accepted"),
    ] {
        metrics::describe_counter!(name, meaning);
        metrics::counter!(name).absolute(0);
    }
    metrics::describe_counter!("proffer.call.retries", "Calls to another service sent again");
    metrics::describe_counter!("proffer.tenant.calls", "Calls by tenant and gRPC code");
    metrics::describe_counter!("proffer.panics", "Faults of the program that ended one call");
    metrics::counter!("proffer.panics").absolute(0);
    metrics::describe_gauge!("proffer.ready", "1 while the process is ready, else 0");
}
