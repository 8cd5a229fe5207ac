//! The import of a file of customer records: forwards a raw body in pieces as it arrives.

use axum::body::Body as HttpBody;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Response, header};
use proffer_proto::catalog::v1::{
    CsvSeparator, ImportFormat, ImportHeader, ImportRecordsRequest, import_records_request::Part,
    record_service_client::RecordServiceClient,
};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serve::metadata;

use super::{Rest, request};
use crate::{json::print, neighbours::Service, path_template, problem::Problem, query};

/// The method that takes files.
const METHOD: &str = "/proffer.catalog.v1.RecordService/ImportRecords";
/// Where files are posted: below a schema.
const BEFORE: &str = "/api/v1/schemas/";
const AFTER: &str = "/records:import";
/// Bytes of a piece.
const PIECE_BYTES: usize = 128 * 1024;
/// Query parameters.
const ALL_OR_NOTHING: &str = "allOrNothing";
const SEPARATOR: &str = "separator";

/// The schema, still encoded, when a path is one where files are posted.
pub fn schema_in(path: &str) -> Option<&str> {
    let schema = path.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    (!schema.is_empty() && !schema.contains('/')).then_some(schema)
}

impl Rest {
    /// Imports a file, within the request timeout.
    pub async fn import(
        &self,
        schema: &str,
        parts: &http::request::Parts,
        body: HttpBody,
        request_id: &str,
    ) -> Result<Response<HttpBody>, Problem> {
        request::refuse_encoding(&parts.headers)?;
        let header = header(schema, parts)?;
        let first = ImportRecordsRequest { part: Some(Part::Header(header)) };
        let request = metadata::request(metadata::DEFAULT_TENANT, pieces(first, body));
        let mut request = super::labelled(request, &parts.headers, request_id);
        // Only the listener's request timeout applies.
        request.metadata_mut().remove("grpc-timeout");
        let neighbour = self.neighbours.of(Service::Catalog).clone();
        let answer =
            RecordServiceClient::new(neighbour).import_records(request).await?.into_inner();
        let shapes = &self.table.shapes;
        let shape = self.table.streams.get(METHOD).and_then(|shape| shapes.at(*shape));
        let shape = shape.ok_or_else(|| serve::internal(&"an answer without a plan"))?;
        let message =
            DynamicMessage::decode(shape.descriptor.clone(), answer.encode_to_vec().as_slice());
        let message = message.map_err(|error| serve::internal(&error))?;
        Ok(super::json(print::message(shapes, shape, &message)))
    }
}

/// The header of the import from path, query and content type, or all faults.
fn header(schema: &str, parts: &http::request::Parts) -> Result<ImportHeader, Problem> {
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

/// The header, then the body in pieces. A body that breaks off ends with an empty part.
fn pieces(first: ImportRecordsRequest, body: HttpBody) -> impl Stream<Item = ImportRecordsRequest> {
    let frames = body.into_data_stream().flat_map(|frame| {
        let pieces: Vec<_> = match frame {
            Ok(bytes) => bytes
                .chunks(PIECE_BYTES)
                .map(|piece| Part::Piece(piece.to_vec()))
                .map(Some)
                .collect(),
            // A part without content is refused: what came before it was not all.
            Err(_) => vec![None],
        };
        stream::iter(pieces.into_iter().map(|part| ImportRecordsRequest { part }))
    });
    stream::once(std::future::ready(first)).chain(frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_posted_below_a_schema() {
        assert_eq!(schema_in("/api/v1/schemas/Customer/records:import"), Some("Customer"));
        assert_eq!(schema_in("/api/v1/schemas/a%2Fb/records:import"), Some("a%2Fb"));
        for other in [
            "/api/v1/schemas//records:import",
            "/api/v1/schemas/a/b/records:import",
            "/api/v1/schemas/a/records",
        ] {
            assert_eq!(schema_in(other), None, "{other}");
        }
    }
}
