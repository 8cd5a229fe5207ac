//! A small HTTP/1.1 client: one kept connection, no redirects, no surprises.

use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, sync::Mutex};

use crate::{Answer, Fault};

/// A client of one address. Clones share the connection.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    connection: Arc<Mutex<Option<SendRequest<Full<Bytes>>>>>,
}

impl Client {
    /// A client of `http://host:port`.
    pub fn new(base: &str) -> Self {
        Self { address: base.trim_start_matches("http://").to_owned(), connection: Arc::default() }
    }

    /// A client of the same address with a connection of its own.
    pub fn apart(&self) -> Self {
        Self::new(&self.address)
    }

    /// Sends a body as it is and reads the answer.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        self.send_with(&[], method, path, body).await
    }

    /// The same with more headers.
    pub async fn send_with(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.address)
            .header(http::header::CONTENT_TYPE, "application/json");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Full::new(body.into()))?;
        let mut connection = self.connection.lock().await;
        let mut sender = match connection.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        *connection = Some(sender);
        let body = match bytes.as_ref() {
            [] => Value::Null,
            text => serde_json::from_slice(text)
                .with_context(|| format!("{status} with {:?}", String::from_utf8_lossy(text)))?,
        };
        Ok(Answer { status, error: Fault::in_json(&body), body })
    }

    /// Sends a JSON body.
    pub async fn call(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Answer> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, text).await
    }

    /// A call that must succeed; its body.
    pub async fn ok(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let answer = self.call(method, path, body).await?;
        anyhow::ensure!(
            answer.status < 300,
            "{method} {path} {body}: {} {}",
            answer.status,
            answer.body
        );
        Ok(answer.body)
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let socket = TcpStream::connect(&self.address)
            .await
            .with_context(|| format!("connect {}", self.address))?;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
