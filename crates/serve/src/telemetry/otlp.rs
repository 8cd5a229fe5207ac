//! Traces and metrics over OTLP, to a collector.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response, Uri};
use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider as _},
    trace::TracerProvider as _,
};
use opentelemetry_http::{HttpClient, HttpError, hyper::HyperClient};
use opentelemetry_otlp::{
    MetricExporter, Protocol as Encoding, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::{Sampler, SdkTracerProvider},
};
use tokio::runtime::Handle;
use tracing_subscriber::{Layer, Registry, filter::filter_fn};

use super::{context::is_span, sampler::FollowCauses, sql::Statements};

/// Time limit of an export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where traces and metrics go.
#[derive(Clone, Debug, clap::Args)]
pub struct OtlpSettings {
    /// Address of an OpenTelemetry collector that gets traces and metrics, such as
    /// `http://127.0.0.1:4317`; without it nothing is sent. Of the standard variables,
    /// OTEL_RESOURCE_ATTRIBUTES and OTEL_METRIC_EXPORT_INTERVAL hold too.
    #[arg(long, env = "PROFFER_OTLP_ENDPOINT", value_parser = endpoint)]
    pub otlp_endpoint: Option<String>,
    /// How the collector is reached: gRPC, usually on port 4317, or HTTP, usually on port 4318.
    #[arg(long, env = "PROFFER_OTLP_PROTOCOL", default_value = "grpc")]
    pub otlp_protocol: Protocol,
    /// Ratio of the traces that are exported, 0 to 1. It holds for calls whose caller sends no
    /// `traceparent`; the others follow their caller.
    #[arg(long, env = "PROFFER_TRACE_RATIO", default_value_t = 1.0, value_parser = ratio)]
    pub trace_ratio: f64,
}

/// A transport of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Protobuf over gRPC.
    Grpc,
    /// Protobuf over HTTP.
    Http,
}

impl Default for OtlpSettings {
    fn default() -> Self {
        Self { otlp_endpoint: None, otlp_protocol: Protocol::Grpc, trace_ratio: 1.0 }
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let example = "write an address such as http://127.0.0.1:4317";
    let uri: Uri = text.parse().map_err(|_| example.to_owned())?;
    match uri.scheme_str() {
        Some("http") if uri.host().is_some_and(|host| !host.is_empty()) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some("https") => Err("https is not supported; send to a collector on this machine or in \
                              the same cluster, and let it forward over TLS"
            .to_owned()),
        _ => Err(example.to_owned()),
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "write a number from 0 to 1, such as 0.01 for every hundredth".to_owned())
}

impl OtlpSettings {
    /// The exporters to the endpoint, if there is one. They need the runtime of the process.
    pub(super) fn exporters(&self, service: &'static str) -> anyhow::Result<Option<Exporters>> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let (spans, metrics) = match self.otlp_protocol {
            Protocol::Grpc => over_grpc(endpoint),
            Protocol::Http => over_http(endpoint),
        }
        .with_context(|| format!("cannot export to --otlp-endpoint {endpoint}"))?;
        let resource = resource(service);
        let tracer = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(Sampler::ParentBased(Box::new(FollowCauses(Sampler::TraceIdRatioBased(
                self.trace_ratio,
            )))))
            .with_batch_exporter(spans)
            .build();
        let meter = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(PeriodicReader::builder(metrics).build())
            .build();
        Ok(Some(Exporters { tracer, meter }))
    }
}

type Made = (SpanExporter, MetricExporter);

fn over_grpc(endpoint: &str) -> anyhow::Result<Made> {
    let spans = SpanExporter::builder().with_tonic();
    let metrics = MetricExporter::builder().with_tonic();
    Ok((
        spans.with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build()?,
        metrics.with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build()?,
    ))
}

fn over_http(endpoint: &str) -> anyhow::Result<Made> {
    let client = || OnRuntime {
        client: HyperClient::with_default_connector(EXPORT_TIMEOUT, None),
        runtime: Handle::current(),
    };
    let spans = SpanExporter::builder().with_http().with_http_client(client());
    let metrics = MetricExporter::builder().with_http().with_http_client(client());
    Ok((
        spans
            .with_protocol(Encoding::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .with_timeout(EXPORT_TIMEOUT)
            .build()?,
        metrics
            .with_protocol(Encoding::HttpBinary)
            .with_endpoint(format!("{endpoint}/v1/metrics"))
            .with_timeout(EXPORT_TIMEOUT)
            .build()?,
    ))
}

/// An HTTP client that works on the runtime of the process. Exporters run on threads of their own,
/// which have none.
#[derive(Clone, Debug)]
struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

#[tonic::async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime.spawn(async move { client.send_bytes(request).await }).await?
    }
}

/// Who exports, by OpenTelemetry's semantic conventions.
fn resource(service: &'static str) -> Resource {
    Resource::builder()
        .with_service_name(service)
        .with_attributes([
            KeyValue::new("service.namespace", "proffer"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", uuid::Uuid::now_v7().to_string()),
            KeyValue::new("process.pid", i64::from(std::process::id())),
        ])
        .build()
}

/// The exporters of a process.
#[derive(Debug)]
pub struct Exporters {
    tracer: SdkTracerProvider,
    meter: SdkMeterProvider,
}

impl Exporters {
    /// What metrics are recorded with.
    pub fn meter(&self) -> Meter {
        self.meter.meter("proffer")
    }

    /// The layers that make spans of calls, and of the statements in them.
    pub fn layers(&self) -> [Box<dyn Layer<Registry> + Send + Sync>; 2] {
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.tracer.tracer("proffer"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(is_span).with_max_level_hint(tracing::Level::INFO))
            .boxed();
        [spans, Statements::layer(self.tracer.tracer("proffer"))]
    }

    /// Exports the rest.
    pub async fn stop(self) {
        // Both block until the collector has answered.
        let stopped = tokio::task::spawn_blocking(move || {
            let traces = self.tracer.shutdown_with_timeout(EXPORT_TIMEOUT);
            traces.and(self.meter.shutdown_with_timeout(EXPORT_TIMEOUT))
        });
        if let Ok(Err(error)) = stopped.await {
            tracing::warn!(%error, "the last traces and metrics were not exported");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_endpoint_or_ratio_shows_a_right_one() {
        for right in ["http://127.0.0.1:4317", "http://collector:4318/"] {
            assert_eq!(endpoint(right).as_deref(), Ok(right.trim_end_matches('/')));
        }
        for wrong in ["", "collector", "collector:4317", "grpc://collector:4317", "http://"] {
            assert!(endpoint(wrong).unwrap_err().contains("http://127.0.0.1:4317"), "{wrong}");
        }
        assert!(endpoint("https://collector:4317").unwrap_err().contains("over TLS"));
        for right in ["0", "1", "0.01", "1e-3"] {
            assert!(ratio(right).is_ok(), "{right}");
        }
        for wrong in ["", "2", "-0.1", "NaN", "inf", "1%"] {
            assert!(ratio(wrong).unwrap_err().contains("0.01"), "{wrong}");
        }
    }
}
