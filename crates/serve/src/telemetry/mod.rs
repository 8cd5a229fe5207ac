//! What a process tells of itself: logs on standard error, metrics on the admin address, and, with
//! an endpoint, traces and the same metrics over OTLP.

pub(crate) mod context;
pub(crate) mod counted;
mod figures;
mod label;
pub mod observe;
mod otlp;
mod sampler;
mod sql;
pub mod trace;

use std::io::IsTerminal as _;

use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt as _, filter_fn},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

pub use figures::Figures;
pub use label::{Labels, OTHER, TenantSettings};
pub use otlp::{OtlpSettings, Protocol};

/// How a process logs.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings<'a> {
    /// A filter such as `info` or `warn,decision_svc=debug`.
    pub filter: &'a str,
    /// True for one JSON object per line.
    pub is_json: bool,
}

/// The telemetry of a process.
#[derive(Debug, Default)]
pub struct Telemetry {
    /// The metrics, as the admin address shows them.
    pub figures: Figures,
    exporters: Option<otlp::Exporters>,
}

impl Telemetry {
    /// Starts the logs, metrics and traces of `service`, inside the runtime of the process. A
    /// second start in one process gets neither logs nor metrics: the first has them.
    pub fn start(
        service: &'static str,
        log: LogSettings<'_>,
        otlp: &OtlpSettings,
    ) -> anyhow::Result<Self> {
        let exporters = otlp.exporters(service)?;
        let spans = exporters.as_ref().map(otlp::Exporters::layers);
        // Each layer has its own filter: a trace does not depend on what is logged.
        let layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> =
            spans.into_iter().flatten().chain([lines(log)]).collect();
        drop(tracing_subscriber::registry().with(layers).try_init());
        let figures = Figures::start(exporters.as_ref().map(otlp::Exporters::meter));
        Ok(Self { figures, exporters })
    }

    /// Exports the rest. Waits for the collector a few seconds at most.
    pub async fn stop(self) {
        if let Some(exporters) = self.exporters {
            exporters.stop().await;
        }
    }
}

/// The layer that writes lines on standard error, with colors on a terminal only.
fn lines(log: LogSettings<'_>) -> Box<dyn Layer<Registry> + Send + Sync> {
    let filter = EnvFilter::try_new(log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = fmt::layer().with_writer(std::io::stderr);
    // Spans belong to traces; lines name the ids they need. It is one filter, so that a process
    // without traces makes no spans.
    let filter = filter_fn(|metadata| metadata.is_event()).and(filter);
    if log.is_json {
        lines.json().with_filter(filter).boxed()
    } else {
        let has_colors = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        lines.with_ansi(has_colors).with_filter(filter).boxed()
    }
}
