//! All services in one process, and a client of their REST door.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use database::Location;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use proffer::suite::{Addresses, Suite};
use serde_json::{Value, json};
use serve::{Clock, telemetry::Figures};

/// An answer: its status and its body.
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub bytes: usize,
}

impl Answer {
    /// The body of a call that must succeed.
    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{} {}", self.status, self.body);
        self.body
    }

    /// Status and reason of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let details = self.body["error"]["details"].as_array().cloned().unwrap_or_default();
        let reason = details.iter().find_map(|detail| detail["reason"].as_str());
        (self.status, reason.unwrap_or_default().to_owned())
    }
}

/// The REST door of a running suite. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Door {
    /// Starts all services over this folder; they run until the test ends.
    pub async fn open(folder: &Path) -> Self {
        let local = "127.0.0.1:0".parse().unwrap();
        let (location, shutdown) = (Location::Folder(folder.to_owned()), serve::Shutdown::new());
        let suite = Suite::start(
            &location,
            Addresses { listen: local, admin_listen: local },
            gateway::Config::default(),
            Duration::from_millis(250),
            Clock::system(),
            Figures::default(),
            &shutdown,
        );
        let suite = suite.await.unwrap();
        suite.ready().await;
        let base = format!("http://{}", suite.address);
        Self { base, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    pub async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, bytes) = self.send(method, path, text).await;
        let body =
            if bytes.is_empty() { json!(null) } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, body, bytes: bytes.len() }
    }

    /// Status and body as they are written: a JSON value would round long numbers.
    pub async fn text(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let (status, bytes) = self.send(method, path, body.to_owned()).await;
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn send(&self, method: Method, path: &str, text: String) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(text)))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.into_body().collect().await.unwrap().to_bytes())
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &json!(null)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, body).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, &json!(null)).await
    }
}
