//! Streams of any length: many of the smallest messages, a slow service and a slow reader.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use ::gateway::{Config, Neighbours};
use axum::{Router, body::Body as HttpBody};
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serve::{Limits, Listener, Neighbour, Shutdown};
use tokio::sync::Notify;
use tonic::{body::Body, service::Routes};
use tower::ServiceExt as _;

use super::world::World;

const MESSAGES: usize = 100_000;
/// The smallest message of gRPC: a prefix that announces nothing.
const MESSAGE: Bytes = Bytes::from_static(&[0; 5]);
/// How many messages the client sends before the service reads the first. The budget of an HTTP/2
/// connection with usual windows ends after some 2,000.
const BEFORE_THE_SERVICE: usize = 6_000;
/// How many it sends before it reads the first answer.
const BEFORE_THE_READER: usize = 10_000;

/// Counts what the client has sent, and says when it has sent enough.
#[derive(Clone, Default)]
struct Sent {
    count: Arc<AtomicUsize>,
    is_enough_for_service: Arc<Notify>,
    is_enough_for_reader: Arc<Notify>,
}

/// The client's messages, each in a frame of its own.
struct Messages(Sent);

impl http_body::Body for Messages {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let sent = self.0.count.fetch_add(1, Ordering::SeqCst);
        match sent {
            BEFORE_THE_SERVICE => self.0.is_enough_for_service.notify_one(),
            BEFORE_THE_READER => self.0.is_enough_for_reader.notify_one(),
            _ => {}
        }
        Poll::Ready((sent < MESSAGES).then_some(Ok(Frame::data(MESSAGE))))
    }
}

/// A service that begins to read late, and answers each message with the smallest one.
fn service(sent: Sent) -> Routes {
    let answer = move |request: Request<HttpBody>| {
        let sent = sent.clone();
        async move {
            let answers = async_stream::stream! {
                sent.is_enough_for_service.notified().await;
                let mut frames = request.into_body().into_data_stream();
                let mut bytes = 0;
                while let Some(frame) = frames.next().await {
                    bytes += frame.unwrap().len();
                    while bytes >= MESSAGE.len() {
                        bytes -= MESSAGE.len();
                        yield Ok::<_, std::convert::Infallible>(Frame::data(MESSAGE));
                    }
                }
                let trailers = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                yield Ok(Frame::trailers(HeaderMap::from_iter(trailers)));
            };
            Response::builder()
                .header("content-type", "application/grpc")
                .body(HttpBody::new(StreamBody::new(Box::pin(answers))))
                .unwrap()
        }
    };
    Routes::from(Router::new().fallback(answer))
}

async fn remote(routes: Routes) -> (Neighbour, Shutdown) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), Limits::default()).await.unwrap();
    let url = format!("http://{}", listener.address().unwrap());
    let shutdown = Shutdown::new();
    tokio::spawn(listener.serve(routes, shutdown.clone()));
    (Neighbour::remote(&url).unwrap(), shutdown)
}

async fn check(path: &str, is_remote: bool) {
    let sent = Sent::default();
    let routes = service(sent.clone());
    let (one, _shutdown) = match is_remote {
        true => remote(routes).await,
        false => (Neighbour::local(routes), Shutdown::new()),
    };
    let neighbours = Neighbours {
        catalog: one.clone(),
        policy: one.clone(),
        decision: one.clone(),
        experiment: one,
    };
    let world = World::start_with(Config::default(), neighbours).await;
    let url = format!("http://{}", world.address);
    let request = Request::builder()
        .method("POST")
        .uri(format!("{url}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(Messages(sent.clone())))
        .unwrap();
    let response = serve::Replicas::new(&url).unwrap().oneshot(request).await.unwrap();
    sent.is_enough_for_reader.notified().await;
    let answered = response.into_body().collect().await.unwrap();
    let status = answered.trailers().unwrap()["grpc-status"].clone();
    assert_eq!(
        (status.to_str().unwrap(), answered.to_bytes().len()),
        ("0", MESSAGES * 5),
        "{path}"
    );
}

/// The gRPC paths of the methods that take a stream.
fn paths() -> Vec<String> {
    let methods =
        proffer_proto::POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let methods = methods.filter(|method| method.is_client_streaming());
    let path = |method: prost_reflect::MethodDescriptor| {
        format!("/{}/{}", method.parent_service().full_name(), method.name())
    };
    methods.map(path).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_may_be_of_any_length_with_a_slow_service_and_a_slow_reader() {
    assert!(paths().len() >= 2);
    for path in paths() {
        check(&path, true).await;
        check(&path, false).await;
    }
}
