//! The REST client of the demo: JSON in and out. An answer other than 2xx is an error that quotes
//! the answer.

use anyhow::Context as _;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};

/// Largest answer that is read. The gateway sends no larger ones.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The public API of a running suite.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Api {
    /// The API at `base`, for example `http://127.0.0.1:8080`. It connects at the first call.
    pub fn new(base: &str) -> Self {
        Self { base: base.to_owned(), client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Gets `path` and parses the answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(&self.call(Method::GET, path, Bytes::new()).await?)
    }

    /// Posts `body` unchanged.
    pub async fn post_text(&self, path: &str, body: &'static str) -> anyhow::Result<Bytes> {
        self.call(Method::POST, path, Bytes::from_static(body.as_bytes())).await
    }

    /// Posts `body` as JSON.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Bytes> {
        self.call(Method::POST, path, Bytes::from(serde_json::to_vec(body)?)).await
    }

    /// Patches with `body` as JSON.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Bytes> {
        self.call(Method::PATCH, path, Bytes::from(serde_json::to_vec(body)?)).await
    }

    /// Deletes `path`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.call(Method::DELETE, path, Bytes::new()).await.map(drop)
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> anyhow::Result<Bytes> {
        let about = format!("{method} {path}");
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer =
            self.client.request(request).await.with_context(|| format!("{about} got no answer"))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body
            .map_err(|error| anyhow::anyhow!("{about}: the answer was cut off: {error}"))?
            .to_bytes();
        anyhow::ensure!(
            status.is_success(),
            "{about} answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}

/// Parses an answer.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> anyhow::Result<T> {
    serde_json::from_slice(body)
        .with_context(|| format!("unexpected answer {}", String::from_utf8_lossy(body)))
}
