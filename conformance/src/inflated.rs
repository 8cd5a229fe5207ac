//! gRPC requests with compressed messages, for a server that reads plain ones.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// The longest body that is taken, in bytes.
const BYTES_MAX: usize = 64 << 20;

/// Answers `request` with its messages inflated.
pub async fn inflated(request: Request, next: Next) -> Response {
    if request.headers().get(&ENCODING).is_none_or(|encoding| encoding != "gzip") {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let plain = to_bytes(body, BYTES_MAX).await.map_err(anyhow::Error::from);
    match plain.and_then(|bytes| messages(&bytes)) {
        Ok(plain) => {
            parts.headers.remove(&ENCODING);
            next.run(Request::from_parts(parts, Body::from(plain))).await
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// The messages of a body, each after a byte that says whether it is compressed and four with its
/// length.
fn messages(mut bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut plain = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let [flag, length @ ..] = *head;
        let length = u32::from_be_bytes(length) as usize;
        let (message, rest) = rest.split_at_checked(length).context("a message is cut")?;
        let mut inflated = Vec::new();
        match flag {
            0 => inflated.extend_from_slice(message),
            1 => drop(flate2::read::GzDecoder::new(message).read_to_end(&mut inflated)?),
            other => bail!("{other} says neither plain nor compressed"),
        }
        plain.push(0);
        plain.extend_from_slice(&u32::try_from(inflated.len())?.to_be_bytes());
        plain.extend_from_slice(&inflated);
        bytes = rest;
    }
    Ok(plain)
}
