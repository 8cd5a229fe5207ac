//! Observes every call that arrives at a listener: a span, a histogram of durations, the number in
//! flight and a line in the log.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    response::Response,
};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use opentelemetry::trace::SpanContext;
use tonic::Code;
use tracing::{Instrument as _, Span};

use super::{Labels, context, counted::Counted};
use crate::{
    Call, code_name, door,
    metadata::{DEFAULT_TENANT, TENANT, is_tenant},
    method::Method,
    request_id::REQUEST_ID,
    undecodable,
};

/// Target of the lines about calls.
const TARGET: &str = "proffer::call";
/// A call that takes longer is slow: its line is a warning.
const SLOW: Duration = Duration::from_secs(1);
/// The name of a call that is in no contract.
const UNKNOWN: &str = "unknown";

/// Answers `request` by `answer`, and observes the call to the end of its answer. Calls are counted
/// by tenant where `tenants` are given.
pub async fn observed<F: Future<Output = Response>>(
    request: Request,
    method: Option<&'static Method>,
    limit: Option<Duration>,
    tenants: Option<Labels>,
    answer: impl FnOnce(Request) -> F,
) -> Response {
    let headers = request.headers();
    let is_grpc = door::is_grpc(headers);
    let name = method.map_or(UNKNOWN, |method| method.name);
    let (span, trace) = match method {
        Some(method) if method.is_probe => (Span::none(), SpanContext::NONE),
        _ => context::arrived(headers, name),
    };
    let call = Call::new(headers, trace, !span.is_none());
    if let Some(limit) = limit {
        call.limit_to(limit);
    }
    let observation = Observation {
        tenant: tenant(headers),
        tenants,
        call: call.clone(),
        method,
        span: span.clone(),
        code: None,
        in_flight: Counted::by(metrics::gauge!("proffer.calls.in.flight")),
    };
    let response = call.scope(answer(request)).instrument(span).await;
    observation.of_response(response, is_grpc)
}

/// The tenant that a call names. Others than valid ones are refused, and are not logged.
fn tenant(headers: &HeaderMap) -> String {
    let Some(name) = headers.get(TENANT) else { return DEFAULT_TENANT.to_owned() };
    let name = name.to_str().ok().filter(|name| is_tenant(name));
    name.unwrap_or("invalid").to_owned()
}

/// What is known of a call. When it is dropped, the call has ended.
#[derive(Debug)]
struct Observation {
    call: Call,
    tenant: String,
    tenants: Option<Labels>,
    method: Option<&'static Method>,
    span: Span,
    /// How it ended; unknown while it runs, and when its caller left before the end.
    code: Option<Code>,
    #[expect(dead_code, reason = "counts until it is dropped")]
    in_flight: Counted,
}

impl Observation {
    /// The response, observed to the end of its body.
    fn of_response(mut self, mut response: Response, is_grpc: bool) -> Response {
        if is_grpc {
            undecodable::correct(response.headers_mut());
        }
        self.code = match response.extensions().get::<Code>() {
            Some(code) => Some(*code),
            None if is_grpc => grpc_code(response.headers()),
            None => Some(code_of(response.status())),
        };
        if is_grpc && let Ok(id) = http::HeaderValue::try_from(self.call.request_id()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response.map(|body| Body::new(Observed { body, observation: self }))
    }

    /// What was called: a path of REST names it on its way.
    fn called(&self) -> Option<&'static Method> {
        self.method.or(self.call.method())
    }

    fn log(&self, code: Code, took: Duration) {
        let method = self.called();
        let is_stream = method.is_some_and(Method::is_stream);
        let is_slow = took >= SLOW && !is_stream;
        let is_left = is_stream && code == Code::Cancelled;
        let is_probe = method.is_some_and(|method| method.is_probe);
        let method = method.map_or(UNKNOWN, |method| method.name);
        let (request_id, tenant) = (self.call.request_id(), self.tenant.as_str());
        let trace = self.call.trace();
        let trace_id = trace.is_valid().then(|| tracing::field::display(trace.trace_id()));
        let decision_id = self.call.decision_id();
        let duration_ms = took.as_micros() as f64 / 1000.0;
        let code_name = code_name(code);
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: TARGET,
                    $level,
                    request_id,
                    trace_id,
                    method,
                    code = code_name,
                    duration_ms,
                    tenant,
                    decision_id,
                    slow = is_slow.then_some(true),
                    "call"
                )
            };
        }
        use tracing::Level;
        match code {
            _ if is_probe => line!(Level::DEBUG),
            Code::Internal | Code::Unknown | Code::DataLoss => line!(Level::ERROR),
            // An overloaded process writes no line for each call that it turns away: the refusal
            // must stay cheap, and a counter has their number.
            Code::Ok | Code::ResourceExhausted if !is_slow => line!(Level::INFO),
            _ if is_left => line!(Level::INFO),
            _ => line!(Level::WARN),
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let took = self.call.elapsed();
        let code = self.code.unwrap_or_else(|| left_code(self.call.time_left()));
        let method = self.called().map_or(UNKNOWN, |method| method.name);
        metrics::histogram!("proffer.call.duration", "method" => method, "code" => code_name(code))
            .record(took.as_secs_f64());
        let is_probe = self.called().is_some_and(|method| method.is_probe);
        if let Some(tenants) = self.tenants.as_ref().filter(|_| !is_probe) {
            let tenant = tenants.of(&self.tenant);
            metrics::counter!("proffer.tenant.calls", "tenant" => tenant, "code" => code_name(code))
                .increment(1);
        }
        if !self.span.is_none() {
            self.span.record("rpc.response.status_code", code_name(code));
            if is_server_fault(code) {
                self.span.record("otel.status_code", "ERROR");
            }
        }
        self.log(code, took);
    }
}

/// How a call ended whose caller left: at the end of its time, or before.
fn left_code(time_left: Option<Duration>) -> Code {
    if time_left == Some(Duration::ZERO) { Code::DeadlineExceeded } else { Code::Cancelled }
}

/// True for the codes that OpenTelemetry's conventions take as errors of a server.
fn is_server_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The code in the headers or trailers of an answer.
fn grpc_code(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes()))
}

/// The code of a REST answer that names none.
fn code_of(status: StatusCode) -> Code {
    match status.as_u16() {
        ..=399 => Code::Ok,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        409 => Code::Aborted,
        429 => Code::ResourceExhausted,
        499 => Code::Cancelled,
        501 | 405 => Code::Unimplemented,
        503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        500.. => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer. The call ends with it.
    struct Observed {
        #[pin]
        body: Body,
        observation: Observation,
    }
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.project();
        let observation = this.observation;
        // A stream works while its body is read.
        let _entered = observation.span.enter();
        let polled = observation.call.sync_scope(|| this.body.poll_frame(context));
        let mut frame = ready!(polled);
        match &mut frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    undecodable::correct(trailers);
                }
                if let Some(code) = frame.trailers_ref().and_then(grpc_code) {
                    observation.code = Some(code);
                }
            }
            Some(Err(_)) => observation.code = Some(Code::Unknown),
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
