//! A gateway on a free port, a service with prepared answers, and a REST client.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use ::gateway::{Config, Gateway, Neighbours};
use axum::{Router, body::Body as HttpBody, extract::State, http::Request};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use prost::Message;
use serde_json::Value;
use serve::{Limits, Listener, Neighbour, Readiness, Shutdown};
use tonic::{Status, service::Routes};

/// A call as a service received it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Path of the method.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// The message.
    pub message: Bytes,
}

/// A prepared answer.
type Told = Result<Vec<u8>, Status>;

/// A service that records calls and gives each method its prepared answer, else an empty message.
#[derive(Clone, Default)]
pub struct StandIn {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<HashMap<String, Told>>>,
    is_silent: bool,
    held: Option<&'static str>,
}

impl StandIn {
    /// One that never answers.
    pub fn silent() -> Self {
        Self { is_silent: true, ..Self::default() }
    }

    /// One that takes `method`, named as in `OfferService/GetOffer`, and never answers it.
    pub fn holding(method: &'static str) -> Self {
        Self { held: Some(method), ..Self::default() }
    }

    /// Returns once so many calls came.
    pub async fn reached(&self, count: usize) {
        while self.count() < count {
            tokio::task::yield_now().await;
        }
    }

    /// Answers `method`, named as in `OfferService/CreateOffer`, with `answer`.
    pub fn answer(&self, method: &str, answer: &impl Message) {
        self.answers.lock().unwrap().insert(method.to_owned(), Ok(answer.encode_to_vec()));
    }

    /// Refuses `method` with `status`.
    pub fn refuse(&self, method: &str, status: impl Into<Status>) {
        self.answers.lock().unwrap().insert(method.to_owned(), Err(status.into()));
    }

    /// The last call.
    pub fn last(&self) -> Received {
        self.received.lock().unwrap().last().cloned().expect("nothing was received")
    }

    /// The message of the last call.
    pub fn last_message<M: Message + Default>(&self) -> M {
        M::decode(self.last().message).unwrap()
    }

    /// How many calls came.
    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    /// The stand-in as a neighbour.
    pub fn neighbour(&self) -> Neighbour {
        Neighbour::local(Routes::from(Router::new().fallback(stand_in).with_state(self.clone())))
    }

    /// The stand-in as all four neighbours.
    pub fn neighbours(&self) -> Neighbours {
        let one = self.neighbour();
        Neighbours {
            catalog: one.clone(),
            policy: one.clone(),
            decision: one.clone(),
            experiment: one,
        }
    }
}

async fn stand_in(
    State(stand_in): State<StandIn>,
    request: Request<HttpBody>,
) -> Response<HttpBody> {
    if stand_in.is_silent {
        std::future::pending::<()>().await;
    }
    let (parts, body) = request.into_parts();
    let framed = body.collect().await.unwrap().to_bytes();
    let path = parts.uri.path().to_owned();
    let received =
        Received { path: path.clone(), headers: parts.headers, message: framed.slice(5..) };
    stand_in.received.lock().unwrap().push(received);
    let method = path.rsplit('.').next().unwrap_or_default();
    if stand_in.held == Some(method) {
        std::future::pending::<()>().await;
    }
    match stand_in.answers.lock().unwrap().get(method) {
        Some(Err(status)) => status.clone().into_http(),
        Some(Ok(message)) => grpc_answer(message),
        None => grpc_answer(&[]),
    }
}

fn grpc_answer(message: &[u8]) -> Response<HttpBody> {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    Response::builder()
        .header("content-type", "application/grpc")
        .body(HttpBody::new(body))
        .unwrap()
}

/// A gateway that listens.
pub struct World {
    /// Where.
    pub address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    shutdown: Shutdown,
    /// What its health follows; ready at first.
    pub readiness: Readiness,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An answer of the REST door.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub text: String,
}

impl Answer {
    /// The body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// What the envelope says under `error`.
    pub fn error(&self, key: &str) -> Value {
        self.json()["error"][key].clone()
    }

    /// The field violations, as path and description.
    pub fn violations(&self) -> Vec<(String, String)> {
        let details = self.error("details");
        let listed = details
            .as_array()
            .unwrap()
            .iter()
            .find_map(|detail| detail["fieldViolations"].as_array().cloned());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        listed
            .unwrap_or_default()
            .iter()
            .map(|fault| (text(&fault["field"]), text(&fault["description"])))
            .collect()
    }
}

impl World {
    /// In front of one stand-in.
    pub async fn start(stand_in: &StandIn) -> Self {
        Self::start_with(Config::default(), stand_in.neighbours()).await
    }

    /// In front of `neighbours`.
    pub async fn start_with(config: Config, neighbours: Neighbours) -> Self {
        Self::start_within(config, Limits::default(), neighbours).await
    }

    /// In front of `neighbours`, behind a listener with these limits.
    pub async fn start_within(config: Config, limits: Limits, neighbours: Neighbours) -> Self {
        let gateway = Gateway::build(config, neighbours).unwrap();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), limits).await.unwrap();
        let (address, shutdown) = (listener.address().unwrap(), Shutdown::new());
        let readiness = Readiness::default();
        readiness.set(true);
        let routes = Routes::from(gateway.router(&readiness).unwrap());
        tokio::spawn(listener.serve(routes, shutdown.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, client, shutdown, readiness }
    }

    /// Sends a request as `curl -d` does: the body is JSON, the content type a form's.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Every call of the API: method, and path with a value for each variable.
    pub async fn calls(&self) -> Vec<(Method, String)> {
        let index = self.get("/api/v1").await.json();
        let path = |template: &str| {
            let filled = template.split('/').map(|part| match part.strip_prefix('{') {
                Some(_) => "x",
                None => part,
            });
            filled.collect::<Vec<_>>().join("/")
        };
        let calls = index["data"].as_array().unwrap().iter().map(|call| {
            let method = call["method"].as_str().unwrap().parse().unwrap();
            (method, path(call["path"].as_str().unwrap()))
        });
        calls.collect()
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Method::POST, path, &[], body.to_owned()).await
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }
}

/// The time limit that a service was given, in microseconds.
pub fn micros_left(headers: &http::HeaderMap) -> u64 {
    let limit = headers["grpc-timeout"].to_str().unwrap();
    limit.strip_suffix('u').unwrap().parse().unwrap()
}
