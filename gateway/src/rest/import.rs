//! The import of a file of customer records: forwards a raw body in pieces as it arrives.

use axum::body::Body as HttpBody;
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Response, header};
use proffer_proto::catalog::v1::{
    ImportFormat, ImportHeader, ImportRecordsRequest, import_records_request::Part,
    record_service_client::RecordServiceClient,
};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use serve::metadata;

use super::Rest;
use crate::{json::print, neighbours::Service, path_template, problem::Problem, query};

/// The method that takes files.
const METHOD: &str = "/proffer.catalog.v1.RecordService/ImportRecords";
/// Where files are posted: below a schema.
const BEFORE: &str = "/api/v1/schemas/";
const AFTER: &str = "/records:import";
/// Bytes of a piece.
const PIECE_BYTES: usize = 128 * 1024;
/// The one query parameter.
const ALL_OR_NOTHING: &str = "allOrNothing";

/// The schema, still encoded, when a path is one where files are posted.
pub fn schema_in(path: &str) -> Option<&str> {
    let schema = path.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    (!schema.is_empty() && !schema.contains('/')).then_some(schema)
}

impl Rest {
    /// Takes a file in. It may take as long as a request may.
    pub async fn import(
        &self,
        schema: &str,
        parts: &http::request::Parts,
        body: HttpBody,
        request_id: &str,
    ) -> Result<Response<HttpBody>, Problem> {
        let header = header(schema, parts)?;
        let first = ImportRecordsRequest { part: Some(Part::Header(header)) };
        let request = metadata::request(metadata::DEFAULT_TENANT, pieces(first, body));
        let mut request = super::labelled(request, &parts.headers, request_id);
        // A file takes as long as it takes; the listener says how long at most.
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

/// What the path, the query and the content type say; all faults.
fn header(schema: &str, parts: &http::request::Parts) -> Result<ImportHeader, Problem> {
    let mut faults: Vec<(String, String)> = Vec::new();
    let schema = path_template::decode(schema).unwrap_or_else(|| {
        faults.push(("schema".to_owned(), "is not percent-encoded UTF-8 in the path".to_owned()));
        String::new().into()
    });
    let format = format(&parts.headers);
    let mut all_or_nothing = false;
    match query::parse(parts.uri.query().unwrap_or_default()) {
        Ok(parameters) => {
            for (key, value) in parameters {
                match (key.as_ref(), value.as_ref()) {
                    (ALL_OR_NOTHING, "true") => all_or_nothing = true,
                    (ALL_OR_NOTHING, "false") => {}
                    (ALL_OR_NOTHING, _) => {
                        faults.push((ALL_OR_NOTHING.to_owned(), "must be true or false".to_owned()))
                    }
                    (key, _) => {
                        let text = format!(
                            "is not a query parameter of this call; known: `{ALL_OR_NOTHING}`"
                        );
                        faults.push((key.to_owned(), text));
                    }
                }
            }
        }
        Err(error) => faults.push(("query".to_owned(), error.to_string())),
    }
    let encoding = parts
        .headers
        .get(header::CONTENT_ENCODING)
        .map(http::HeaderValue::as_bytes)
        .unwrap_or_default();
    if !matches!(encoding, b"" | b"identity") {
        faults.push((
            "Content-Encoding".to_owned(),
            "is not taken; send the body as it is".to_owned(),
        ));
    }
    if format.is_none() {
        let text = "must be text/csv or application/x-ndjson: how the file is written";
        faults.push(("Content-Type".to_owned(), text.to_owned()));
    }
    if !faults.is_empty() {
        return Err(serve::Problem::invalid_fields(faults).into());
    }
    Ok(ImportHeader {
        schema: schema.into_owned(),
        format: format.unwrap_or_default().into(),
        all_or_nothing,
    })
}

fn format(headers: &HeaderMap) -> Option<ImportFormat> {
    let named = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Some(ImportFormat::Csv),
        "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => {
            Some(ImportFormat::JsonLines)
        }
        _ => None,
    }
}

/// The header, then the body in pieces. A body that breaks off ends as one that was never whole.
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
