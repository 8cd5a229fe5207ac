//! The call that a task works for: its ids, its trace and its deadline. Calls to other services
//! carry them on, and the log line of the call names them.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderMap, HeaderValue};
use opentelemetry::{propagation::Injector, trace::SpanContext};
use opentelemetry_http::HeaderInjector;
use tokio::task::futures::TaskLocalFuture;
use tonic::{
    Status,
    metadata::{MetadataKey, MetadataMap, MetadataValue},
};
use tracing::{Instrument as _, Span, instrument::Instrumented};

use crate::{
    Clock, Stopwatch, deadline,
    method::{self, Method},
    request_id::{self, REQUEST_ID},
    telemetry::context,
};

tokio::task_local! {
    static CURRENT: Option<Call>;
}

/// A call that this process answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Call(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    trace: SpanContext,
    is_traced: bool,
    since: Stopwatch,
    /// The time limit, counted from `since`; the first one set holds.
    limit: OnceLock<Duration>,
    method: OnceLock<&'static Method>,
    decision_id: OnceLock<String>,
}

impl Call {
    /// A call with these headers, which belongs to `trace`; its spans are exported if it is traced.
    pub(crate) fn new(headers: &HeaderMap, trace: SpanContext, is_traced: bool) -> Self {
        Self(Arc::new(Inner {
            request_id: request_id::of(headers),
            trace,
            is_traced,
            since: Clock::system().stopwatch(),
            limit: OnceLock::new(),
            method: OnceLock::new(),
            decision_id: OnceLock::new(),
        }))
    }

    /// The call that this task works for; none in a background task.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok().flatten()
    }

    /// True when the spans of the current call are exported.
    pub fn is_traced() -> bool {
        let is_traced = |call: &Option<Self>| call.as_ref().is_some_and(|call| call.0.is_traced);
        CURRENT.try_with(is_traced).unwrap_or(false)
    }

    /// Runs `work` for this call.
    pub fn scope<F: Future>(self, work: F) -> TaskLocalFuture<Option<Self>, F> {
        CURRENT.scope(Some(self), work)
    }

    /// Runs `work`, which does not wait, for this call.
    pub(crate) fn sync_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(Some(self.clone()), work)
    }

    /// The id under which the call is found in logs.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The trace it belongs to.
    pub(crate) fn trace(&self) -> &SpanContext {
        &self.0.trace
    }

    /// Time since it arrived.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.since.elapsed()
    }

    /// Limits its time, counted from its arrival. The first limit holds.
    pub fn limit_to(&self, limit: Duration) {
        self.0.limit.get_or_init(|| limit);
    }

    /// What is left of its time; none without a limit.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.limit.get().map(|limit| limit.saturating_sub(self.elapsed()))
    }

    /// DEADLINE_EXCEEDED when less than 5 ms of the current call's time are left: then it is not
    /// worked on, because its caller is gone before the answer.
    pub fn check_time() -> Result<(), Status> {
        let left = Self::current().and_then(|call| call.time_left());
        match left {
            Some(left) if left < deadline::LEFT_MIN => Err(deadline::too_late()),
            _ => Ok(()),
        }
    }

    /// Names the method that it calls, when its own path does not: the path of a gRPC method,
    /// or `/rest/index` or `/rest/validate`.
    pub fn name_method(&self, path: &str) {
        if let Some(method) = method::at(path)
            && self.0.method.set(method).is_ok()
        {
            context::rename(&Span::current(), method.name);
        }
    }

    pub(crate) fn method(&self) -> Option<&'static Method> {
        self.0.method.get().copied()
    }

    /// Names the decision that it is about, for its log line.
    pub fn name_decision(&self, decision_id: &str) {
        self.0.decision_id.get_or_init(|| decision_id.to_owned());
    }

    pub(crate) fn decision_id(&self) -> Option<&str> {
        self.0.decision_id.get().map(String::as_str)
    }
}

/// Work that goes on for the current call, if there is one, in a task of its own.
pub fn carried<F: Future>(work: F) -> Instrumented<TaskLocalFuture<Option<Call>, F>> {
    CURRENT.scope(Call::current(), work).instrument(Span::current())
}

/// A traced call, for work that another task does for it and for others together.
#[derive(Clone, Debug)]
pub struct TracedCall(Call, Span);

impl TracedCall {
    /// A call of this process itself, whose spans are exported in `trace`.
    pub(crate) fn new(trace: SpanContext, span: Span) -> Self {
        Self(Call::new(&HeaderMap::new(), trace, true), span)
    }

    /// The current call and its span; none when it is not traced.
    pub fn current() -> Option<Self> {
        let call = Call::current().filter(|call| call.0.is_traced)?;
        Some(Self(call, Span::current()))
    }

    /// `work` as a part of the call, or, without one, alone.
    pub fn carry<F: Future>(
        call: Option<Self>,
        work: F,
    ) -> Instrumented<TaskLocalFuture<Option<Call>, F>> {
        match call {
            Some(Self(call, span)) => call.scope(work).instrument(span),
            None => CURRENT.scope(None, work).instrument(Span::none()),
        }
    }
}

/// Writes the ids and the trace of the current call into the headers of a call to another service.
pub(crate) fn label_headers(headers: &mut HeaderMap) {
    let Some(call) = Call::current() else { return };
    if let Ok(id) = HeaderValue::try_from(call.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    context::inject(call.trace(), &mut HeaderInjector(headers));
    if let Some(left) = call.time_left() {
        deadline::shorten(headers, left);
    }
}

/// The same for the metadata of a call by a generated client.
pub(crate) fn label_metadata(metadata: &mut MetadataMap) {
    let Some(call) = Call::current() else { return };
    if let Ok(id) = MetadataValue::try_from(call.request_id()) {
        metadata.insert(REQUEST_ID, id);
    }
    context::inject(call.trace(), &mut Metadata(metadata));
}

struct Metadata<'a>(&'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(headers: &[(&'static str, &str)]) -> Call {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        let headers = headers.collect();
        Call::new(&headers, context::incoming(&headers), false)
    }

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[tokio::test]
    async fn a_call_to_another_service_carries_the_id_and_the_trace_of_its_cause() {
        let call =
            call(&[("x-request-id", "mine"), ("traceparent", PARENT), ("tracestate", "a=b")]);
        fn labelled() -> HeaderMap {
            let (mut headers, mut metadata) = (HeaderMap::new(), MetadataMap::new());
            label_headers(&mut headers);
            label_metadata(&mut metadata);
            assert_eq!(metadata.into_headers(), headers);
            headers
        }
        let headers = call.clone().scope(async { labelled() }).await;
        assert_eq!(headers["x-request-id"], "mine");
        assert_eq!(headers["traceparent"], PARENT);
        assert_eq!(headers["tracestate"], "a=b");
        let spawned = call.scope(async { tokio::spawn(carried(async { labelled() })).await }).await;
        assert_eq!(spawned.unwrap(), headers);
        assert!(labelled().is_empty());
    }

    #[tokio::test]
    async fn a_call_with_less_than_five_milliseconds_left_is_not_worked_on() {
        let check = async |limit: Duration| {
            let call = call(&[]);
            call.limit_to(limit);
            call.scope(async { Call::check_time() }).await.map_err(|status| status.code())
        };
        assert_eq!(check(Duration::from_secs(60)).await, Ok(()));
        for short in [Duration::ZERO, deadline::LEFT_MIN] {
            assert_eq!(check(short).await, Err(tonic::Code::DeadlineExceeded), "{short:?}");
        }
        assert_eq!(Call::check_time().map_err(|status| status.code()), Ok(()));
    }

    #[tokio::test]
    async fn what_is_left_of_the_time_is_passed_on() {
        let call = call(&[]);
        assert_eq!(call.time_left(), None);
        call.limit_to(Duration::from_secs(7));
        call.limit_to(Duration::from_secs(70));
        let left = call.time_left().unwrap();
        assert!(left <= Duration::from_secs(7), "{left:?}");
        let mut headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-timeout"),
            "9S".parse().unwrap(),
        )]);
        call.scope(async { label_headers(&mut headers) }).await;
        let passed = headers["grpc-timeout"].to_str().unwrap();
        let micros: u64 = passed.strip_suffix('u').unwrap().parse().unwrap();
        assert!(micros <= 7_000_000, "{passed}");
    }
}
