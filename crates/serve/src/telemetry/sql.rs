//! Makes spans of SQL statements. The database writes an event after each statement, with its text
//! and its time; values are never part of it.

use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};

use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanKind, TraceContextExt as _, TraceFlags, TraceState, Tracer as _,
    },
};
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    subscriber::Interest,
};
use tracing_opentelemetry::OtelData;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, dynamic_filter_fn},
    layer,
    registry::LookupSpan,
};

use super::context::is_span;

/// Targets of the events about statements: of sqlx, and of our own readers of SQLite.
const TARGETS: [&str; 2] = ["sqlx::query", "database::query"];

/// Makes spans of statements.
pub struct Statements(SdkTracer);

impl Statements {
    /// The layer. It sees the statements of traced calls only, so that no other is put into words.
    pub fn layer(tracer: SdkTracer) -> Box<dyn Layer<Registry> + Send + Sync> {
        // Only traced calls have spans. A database driver may enter them on threads of its own.
        let is_seen = dynamic_filter_fn(|metadata, context| {
            is_span(metadata) || is_statement(metadata) && context.lookup_current().is_some()
        });
        let is_seen =
            is_seen.with_max_level_hint(LevelFilter::DEBUG).with_callsite_filter(|metadata| {
                match metadata {
                    metadata if is_span(metadata) => Interest::always(),
                    metadata if is_statement(metadata) => Interest::sometimes(),
                    _ => Interest::never(),
                }
            });
        Self(tracer).with_filter(is_seen).boxed()
    }
}

fn is_statement(metadata: &Metadata<'_>) -> bool {
    metadata.is_event() && *metadata.level() <= Level::DEBUG && TARGETS.contains(&metadata.target())
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Statements {
    fn on_event(&self, event: &Event<'_>, context: layer::Context<'_, S>) {
        let Some(span) = context.event_span(event) else { return };
        let ids = span
            .extensions()
            .get::<OtelData>()
            .and_then(|data| Some((data.trace_id()?, data.span_id()?)));
        let Some((trace_id, span_id)) = ids else { return };
        let mut statement = Statement::default();
        event.record(&mut statement);
        let parent =
            SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, TraceState::NONE);
        #[expect(
            clippy::disallowed_methods,
            reason = "the end of a span is the time of its export"
        )]
        let end = SystemTime::now();
        let start = end.checked_sub(Duration::from_secs_f64(statement.seconds.max(0.0)));
        let name = statement.name();
        let mut span = self
            .0
            .span_builder(name)
            .with_kind(SpanKind::Client)
            .with_start_time(start.unwrap_or(end))
            .with_attributes([KeyValue::new("db.query.text", statement.text())])
            .start_with_context(&self.0, &Context::new().with_remote_span_context(parent));
        span.end_with_timestamp(end);
    }
}

/// What an event says of a statement.
#[derive(Default)]
struct Statement {
    summary: String,
    text: String,
    seconds: f64,
}

impl Statement {
    /// The first word, such as `select`, and what follows it.
    fn name(&self) -> String {
        let summary = if self.summary.is_empty() { &self.text } else { &self.summary };
        let words: Vec<_> = summary.split_whitespace().take(4).collect();
        words.join(" ")
    }

    fn text(self) -> String {
        let text = if self.text.trim().is_empty() { self.summary } else { self.text };
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => self.summary = value.to_owned(),
            "db.statement" | "statement" => self.text = value.to_owned(),
            _ => {}
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}
