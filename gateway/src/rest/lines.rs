//! Answers of any length: the messages of a stream as JSON Lines, one message a line.
//!
//! What a service sends is read as fast as the caller reads it. A stream that breaks off ends with
//! a line `{"error": …}`, and its body is cut off, so that it is taken for no whole one.

use std::{io::Write as _, sync::Arc};

use axum::body::Body as HttpBody;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Response, header};
use http_body_util::BodyExt as _;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serve::{Call, Shutdown, metadata, request_id};
use tonic::{Status, Streaming};

use super::{Rest, refusal, request};
use crate::{
    json::print,
    problem::Problem,
    route_table::{Found, Route, RouteTable},
};

/// The media type.
const JSON_LINES: &str = "application/x-ndjson";
/// Bytes that are sent together.
const CHUNK_BYTES: usize = 16 * 1024;

/// Marks an answer whose length is not known before it was made.
#[derive(Clone, Copy, Debug)]
pub struct Unmeasured;

impl Rest {
    /// Answers a call with a stream; an error before its first message is an ordinary one. The
    /// service must begin to answer in time; there is no limit of the whole time.
    pub(super) async fn lines(
        &self,
        (found, route): (&Found<'_, '_>, &Arc<Route>),
        parts: &http::request::Parts,
        body: HttpBody,
    ) -> Result<Response<HttpBody>, Problem> {
        let body = request::read_body(&parts.headers, body, route.body_bytes_max).await?;
        let query = parts.uri.query().unwrap_or_default();
        let message = self.request(route, &found.values, query, &parts.headers, &body, None)?;
        let bytes = Bytes::from(message.encode_to_vec());
        let mut request = metadata::request(metadata::DEFAULT_TENANT, bytes);
        request.metadata_mut().remove("grpc-timeout");
        let begun = self.neighbours.stream(route.service, route.path.clone(), request);
        let begun = tokio::time::timeout(self.deadline, begun).await;
        let mut messages = begun.map_err(|_| refusal::overdue(route, self.deadline))??;
        let printer = Printer { table: Arc::clone(&self.table), route: Arc::clone(route) };
        let first = messages.next().await.transpose()?;
        let first = first.map(|first| printer.line(&first)).transpose()?;
        let is_packed = takes_gzip(&parts.headers);
        let mut response = Response::new(HttpBody::empty());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON_LINES));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if is_packed {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response.extensions_mut().insert(Unmeasured);
        if parts.method == Method::HEAD {
            return Ok(response);
        }
        let call = Call::current().map(|call| call.request_id().to_owned());
        let lines = Lines {
            first,
            messages,
            printer,
            shutdown: parts.extensions.get::<Shutdown>().cloned().unwrap_or_default(),
            request_id: call.unwrap_or_else(|| request_id::of(&parts.headers)),
        };
        *response.body_mut() = HttpBody::from_stream(lines.chunks(Packer::new(is_packed)));
        Ok(response)
    }
}

/// Writes the messages of one call.
struct Printer {
    table: Arc<RouteTable>,
    route: Arc<Route>,
}

impl Printer {
    /// A message as a line: where it is one of several kinds, the one it holds.
    fn line(&self, message: &[u8]) -> Result<Vec<u8>, Status> {
        let shapes = &self.table.shapes;
        let plan = |id| shapes.at(id).ok_or_else(|| serve::internal(&"an answer without a plan"));
        let shape = plan(self.route.answer)?;
        let message = DynamicMessage::decode(shape.descriptor.clone(), message)
            .map_err(|error| serve::internal(&error))?;
        let kinds = self.route.kinds.iter();
        let held =
            kinds.map(|(field, id)| (field, *id)).find(|(field, _)| message.has_field(field));
        let mut line = match held {
            Some((field, id)) => {
                let held = message.get_field(field);
                let held = held.as_message().ok_or_else(|| serve::internal(&"no message"))?;
                print::message(shapes, plan(id)?, held)
            }
            None => print::message(shapes, shape, &message),
        };
        line.push(b'\n');
        Ok(line)
    }

    /// The line that says why there are no more.
    async fn error(&self, status: Status, request_id: &str) -> Vec<u8> {
        let root = self.table.error_root(&self.route);
        let response = Problem::from(status).into_response(Some(root), request_id);
        let body = response.into_body().collect().await;
        let mut line = body.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// The lines of an answer.
struct Lines {
    first: Option<Vec<u8>>,
    messages: Streaming<Bytes>,
    printer: Printer,
    shutdown: Shutdown,
    request_id: String,
}

impl Lines {
    /// The next line; none after the last.
    async fn next(&mut self) -> Option<Result<Vec<u8>, Status>> {
        let message = tokio::select! {
            message = self.messages.next() => message?,
            () = self.shutdown.cancelled() => Err(stopping()),
        };
        Some(message.and_then(|message| self.printer.line(&message)))
    }

    /// The body, in pieces; the first line comes at once.
    fn chunks(mut self, mut packer: Packer) -> impl Stream<Item = std::io::Result<Bytes>> {
        async_stream::try_stream! {
            if let Some(first) = self.first.take() {
                packer.write(&first)?;
                yield packer.flushed()?;
            }
            while let Some(line) = self.next().await {
                match line {
                    Ok(line) => packer.write(&line)?,
                    Err(status) => {
                        tracing::warn!(%status, "an answer broke off");
                        let line = self.printer.error(status, &self.request_id).await;
                        packer.write(&line)?;
                        yield packer.flushed()?;
                        // What was written is sent before the connection is closed.
                        tokio::task::yield_now().await;
                        Err(std::io::Error::other("the answer broke off"))?;
                    }
                }
                if packer.len() >= CHUNK_BYTES {
                    yield packer.taken();
                }
            }
            yield packer.finished()?;
        }
    }
}

fn stopping() -> Status {
    let message = "the server is stopping; ask again";
    let reason = proffer_proto::errors::v1::ErrorReason::Unavailable;
    let problem = serve::Problem::new(tonic::Code::Unavailable, reason, message);
    problem.retry_after(serve::RETRY_AFTER).into()
}

/// Collects what is sent, packed or as it is.
enum Packer {
    Plain(Vec<u8>),
    Gzip(GzEncoder<Vec<u8>>),
}

impl Packer {
    fn new(is_packed: bool) -> Self {
        if is_packed {
            Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast()))
        } else {
            Self::Plain(Vec::new())
        }
    }

    fn write(&mut self, line: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Plain(bytes) => bytes.write_all(line),
            Self::Gzip(encoder) => encoder.write_all(line),
        }
    }

    /// Bytes that can be taken.
    fn len(&self) -> usize {
        match self {
            Self::Plain(bytes) => bytes.len(),
            Self::Gzip(encoder) => encoder.get_ref().len(),
        }
    }

    fn taken(&mut self) -> Bytes {
        let bytes = match self {
            Self::Plain(bytes) => bytes,
            Self::Gzip(encoder) => encoder.get_mut(),
        };
        std::mem::take(bytes).into()
    }

    /// Everything written so far.
    fn flushed(&mut self) -> std::io::Result<Bytes> {
        if let Self::Gzip(encoder) = self {
            encoder.flush()?;
        }
        Ok(self.taken())
    }

    /// The rest.
    fn finished(mut self) -> std::io::Result<Bytes> {
        if let Self::Gzip(encoder) = &mut self {
            encoder.try_finish()?;
        }
        Ok(self.taken())
    }
}

/// True when the caller reads gzip.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let named = headers.get_all(header::ACCEPT_ENCODING).iter();
    let named = named.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut wanted = named.map(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=").and_then(|text| text.parse::<f64>().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_none_or(|weight| weight > 0.0)
    });
    wanted.any(|is| is)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_name_it() {
        let check = |accepted: &'static str, expected: bool| {
            let headers = [(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))];
            assert_eq!(takes_gzip(&HeaderMap::from_iter(headers)), expected, "{accepted}");
        };
        check("gzip", true);
        check("br, GZIP;q=0.5", true);
        check("gzip;q=0", false);
        check("deflate, br", false);
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
