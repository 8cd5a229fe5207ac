//! A small OpenTelemetry collector: takes traces and metrics over gRPC and keeps them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use axum::middleware::from_fn;
use opentelemetry_proto::tonic::{
    collector::{
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::Span,
};
use serve::{Limits, Listener, Shutdown};
use tonic::{Request, Response, Status, service::Routes};

use crate::inflated::inflated;

/// How often spans are looked for, and how many times.
const POLL: Duration = Duration::from_millis(50);
const POLLS_MAX: usize = 400;

/// A span with the name of its service.
#[derive(Clone, Debug)]
pub struct Exported {
    /// `service.name` of the resource.
    pub service: String,
    /// The span.
    pub span: Span,
}

/// What was received.
#[derive(Debug, Default)]
struct Received {
    spans: Vec<Exported>,
    /// Service and name of each metric.
    metrics: BTreeSet<(String, String)>,
}

/// The collector. It ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    /// `http://host:port`, for `--otlp-endpoint`.
    pub endpoint: String,
    received: Arc<Mutex<Received>>,
    shutdown: Shutdown,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Collector {
    /// Starts one on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await?;
        let endpoint = format!("http://{}", listener.address()?);
        let received = Arc::<Mutex<Received>>::default();
        let routes = Routes::new(TraceServiceServer::new(Receiver(received.clone())))
            .add_service(MetricsServiceServer::new(Receiver(received.clone())));
        // Another collector sends compressed messages.
        let routes = routes.prepare().into_axum_router().layer(from_fn(inflated));
        let routes = Routes::from(routes);
        let shutdown = Shutdown::new();
        tokio::spawn(listener.serve(routes, shutdown.clone()));
        Ok(Self { endpoint, received, shutdown })
    }

    /// The spans of a trace, given as 32 hexadecimal digits.
    pub fn trace(&self, trace_id: &str) -> Vec<Exported> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_trace = |exported: &&Exported| hex(&exported.span.trace_id) == trace_id;
        received.spans.iter().filter(is_of_trace).cloned().collect()
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Exported> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).spans.clone()
    }

    /// Services and names of the metrics so far.
    pub fn metrics(&self) -> BTreeSet<(String, String)> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).metrics.clone()
    }

    /// Waits until what was received `finds` something.
    pub async fn until<T>(&self, finds: impl Fn(&Self) -> Option<T>) -> anyhow::Result<T> {
        for _ in 0..POLLS_MAX {
            if let Some(found) = finds(self) {
                return Ok(found);
            }
            tokio::time::sleep(POLL).await;
        }
        let names: Vec<_> = self
            .spans()
            .into_iter()
            .map(|exported| format!("{} {}", exported.service, exported.span.name))
            .collect();
        bail!("it never came; received were {names:#?} and {:#?}", self.metrics())
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An attribute as text; none when it is missing or no text.
pub fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref() {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => Some(text),
        _ => None,
    }
}

fn service(resource: Option<&Resource>) -> String {
    let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
    text(attributes, "service.name").unwrap_or_default().to_owned()
}

struct Receiver(Arc<Mutex<Received>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for of_resource in request.into_inner().resource_spans {
            let service = service(of_resource.resource.as_ref());
            let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            received.spans.extend(spans.map(|span| Exported { service: service.clone(), span }));
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for of_resource in request.into_inner().resource_metrics {
            let service = service(of_resource.resource.as_ref());
            let metrics = of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            received.metrics.extend(metrics.map(|metric| (service.clone(), metric.name)));
        }
        Ok(Response::new(Default::default()))
    }
}
