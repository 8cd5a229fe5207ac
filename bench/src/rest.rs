//! A REST client with one persistent HTTP/1.1 connection.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A client with its connection.
#[derive(Debug)]
pub struct Rest {
    connection: SendRequest<Full<Bytes>>,
    host: String,
}

impl Rest {
    /// Connects to the server.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await.context("connect to the server")?;
        socket.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(async move { drop(driver.await) });
        Ok(Self { connection, host: address.to_string() })
    }

    /// Posts JSON and returns the body of the answer. Any status other than success is an error.
    pub async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> anyhow::Result<Bytes> {
        let request = Request::post(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))?;
        self.connection.ready().await?;
        let (parts, body) = self.connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        anyhow::ensure!(
            parts.status.is_success(),
            "{path}: {} {}",
            parts.status,
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }
}
