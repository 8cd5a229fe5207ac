//! The import of a file of customer records: forwards a raw body in pieces as it arrives.

use axum::body::Body as HttpBody;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, Response, StatusCode, header};
use proffer_proto::catalog::v1::{
    CsvSeparator, ImportFormat, ImportHeader, ImportRecordsRequest, import_records_request::Part,
    record_service_client::RecordServiceClient,
};
use proffer_proto::errors::v1::ErrorReason;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serve::{Shutdown, metadata, metadata::ROWS_KEPT};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{Rest, fixed::METHOD, request};
use crate::{
    ask, json::print, neighbours::Service, part_turns::PartTurns, path_template, problem::Problem,
    query,
};

/// Bytes of a piece.
const PIECE_BYTES: usize = 128 * 1024;
/// Query parameters.
const ALL_OR_NOTHING: &str = "allOrNothing";
const SEPARATOR: &str = "separator";

impl Rest {
    /// Imports a file. There is no limit of its whole time: catalog-svc gives up when no piece
    /// arrives for a while.
    pub async fn import(
        &self,
        schema: &str,
        parts: &http::request::Parts,
        body: HttpBody,
    ) -> Result<Response<HttpBody>, Problem> {
        let header = header(schema, parts)?;
        let bytes = parts.extensions.get::<serve::CallBytes>();
        if let Some(bytes) = bytes {
            bytes.begin().await?;
            bytes.pass_on();
        }
        let first = ImportRecordsRequest { part: Some(Part::Header(header)) };
        let shutdown = parts.extensions.get::<Shutdown>().cloned().unwrap_or_default();
        let ask = ask::of(&parts.extensions, (Service::Catalog, METHOD), (0, 0));
        let body = HttpBody::new(PartTurns::new(body, self.admission.clone(), ask));
        let pieces = pieces(first, body, shutdown.clone());
        super::named(METHOD);
        let mut request = metadata::request(metadata::DEFAULT_TENANT, pieces);
        request.metadata_mut().remove("grpc-timeout");
        if let Some(bytes) = bytes {
            request.extensions_mut().insert(bytes.clone());
        }
        let neighbour = self.neighbours.of(Service::Catalog).clone();
        let answer = RecordServiceClient::new(neighbour).import_records(request).await;
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            Err(status) if shutdown.is_cancelled() => return Err(stopping(&status)),
            Err(status) => return Err(ended_early(status)),
        };
        let shapes = &self.table.shapes;
        let shape = self.table.streams.get(METHOD).and_then(|shape| shapes.at(*shape));
        let shape = shape.ok_or_else(|| serve::internal(&"an answer without a plan"))?;
        let message =
            DynamicMessage::decode(shape.descriptor.clone(), answer.encode_to_vec().as_slice());
        let message = message.map_err(|error| serve::internal(&error))?;
        Ok(super::json(print::message(shapes, shape, &message)))
    }
}

/// Why an import ended before its file. catalog-svc says how many rows it kept, unless it could not
/// be asked.
fn ended_early(status: Status) -> Problem {
    if std::error::Error::source(&status).is_some() {
        tracing::warn!(%status, "an import lost its service");
        let message = "catalog-svc is unavailable; how many rows are stored is unknown: \
                       import the file again";
        return serve::Problem::new(Code::Unavailable, ErrorReason::Unavailable, message)
            .with("service", Service::Catalog.name())
            .retry_after(serve::RETRY_AFTER)
            .into();
    }
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    let http = match (status.code(), reason.as_str()) {
        (Code::DeadlineExceeded, _) => Some(StatusCode::REQUEST_TIMEOUT),
        (_, "LIMIT_EXCEEDED") => Some(StatusCode::PAYLOAD_TOO_LARGE),
        _ => None,
    };
    match http {
        Some(http) => Problem::from(status).with_http(http),
        None => status.into(),
    }
}

/// The process stops; what came before is kept.
fn stopping(status: &Status) -> Problem {
    let info = status.get_details_error_info();
    let kept = info.and_then(|info| info.metadata.get(ROWS_KEPT).cloned());
    let message = match &kept {
        Some(kept) => {
            format!("the server is stopping; {kept} rows are stored: import the file again")
        }
        None => "the server is stopping; how many rows are stored is unknown".to_owned(),
    };
    let problem = serve::Problem::new(Code::Unavailable, ErrorReason::Unavailable, message);
    problem.with(ROWS_KEPT, kept.unwrap_or_default()).retry_after(serve::RETRY_AFTER).into()
}

/// The header of the import from path, query and content type, or all faults.
fn header(schema: &str, parts: &http::request::Parts) -> Result<ImportHeader, Problem> {
    request::check_encoding(&parts.headers)?;
    let mut faults: Vec<(String, String)> = Vec::new();
    let schema = path_template::decode(schema).unwrap_or_else(|| {
        faults.push(("schema".to_owned(), "is not percent-encoded UTF-8 in the path".to_owned()));
        String::new().into()
    });
    let (format, mut separator) = format(&parts.headers).unzip();
    let mut all_or_nothing = false;
    match query::parse(parts.uri.query().unwrap_or_default()) {
        Ok(parameters) => {
            let mut seen: Vec<&str> = Vec::new();
            for (key, value) in &parameters {
                let fault = match (key.as_str(), value.as_str()) {
                    (key, _) if seen.contains(&key) => Some("is given twice".to_owned()),
                    (ALL_OR_NOTHING, "true" | "false") => {
                        all_or_nothing = value == "true";
                        None
                    }
                    (ALL_OR_NOTHING, _) => Some("must be true or false".to_owned()),
                    (SEPARATOR, text) => match separator_of(text) {
                        Some(declared) => {
                            separator = Some(declared);
                            None
                        }
                        None => Some("must be comma, semicolon or tab".to_owned()),
                    },
                    _ => Some(format!(
                        "is not a query parameter of this call; known: `{ALL_OR_NOTHING}`, \
                         `{SEPARATOR}`"
                    )),
                };
                faults.extend(fault.map(|text| (key.clone(), text)));
                seen.push(key);
            }
        }
        Err(error) => faults.push(("query".to_owned(), error.to_string())),
    }
    if format.is_none() {
        let text = "must be text/csv, text/tab-separated-values or application/x-ndjson: how the \
                    file is written";
        faults.push(("Content-Type".to_owned(), text.to_owned()));
    }
    if !faults.is_empty() {
        return Err(serve::Problem::invalid_fields(faults).into());
    }
    Ok(ImportHeader {
        schema: schema.into_owned(),
        format: format.unwrap_or_default().into(),
        all_or_nothing,
        separator: separator.unwrap_or_default().into(),
    })
}

/// A separator by its word, or as it is.
fn separator_of(text: &str) -> Option<CsvSeparator> {
    match text {
        "comma" | "," => Some(CsvSeparator::Comma),
        "semicolon" | ";" => Some(CsvSeparator::Semicolon),
        "tab" | "\t" => Some(CsvSeparator::Tab),
        _ => None,
    }
}

/// How a file is written, and what separates its cells as far as the content type says it.
fn format(headers: &HeaderMap) -> Option<(ImportFormat, CsvSeparator)> {
    let named = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Some((ImportFormat::Csv, CsvSeparator::Unspecified)),
        "text/tab-separated-values" => Some((ImportFormat::Csv, CsvSeparator::Tab)),
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some((ImportFormat::JsonLines, CsvSeparator::Unspecified))
        }
        _ => None,
    }
}

/// The header, then the body in pieces. A body that breaks off, or that is cut because the process
/// stops, ends with an empty part.
fn pieces(
    first: ImportRecordsRequest,
    body: HttpBody,
    shutdown: Shutdown,
) -> impl Stream<Item = ImportRecordsRequest> {
    let mut frames = body.into_data_stream();
    async_stream::stream! {
        yield first;
        loop {
            let frame = tokio::select! {
                frame = frames.next() => frame,
                () = shutdown.cancelled() => Some(Err(axum::Error::new(Stopping))),
            };
            match frame {
                Some(Ok(bytes)) => {
                    for piece in bytes.chunks(PIECE_BYTES) {
                        yield ImportRecordsRequest { part: Some(Part::Piece(piece.to_vec())) };
                    }
                }
                Some(Err(error)) => {
                    tracing::debug!(%error, "the file of an import broke off");
                    yield ImportRecordsRequest { part: None };
                    return;
                }
                None => return,
            }
        }
    }
}

/// The process stops.
#[derive(Debug, thiserror::Error)]
#[error("the server is stopping")]
struct Stopping;
