//! Streams over REST: JSON Lines, packed or not, and what becomes of one that breaks off.

use std::{
    convert::Infallible,
    io::Read as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ::gateway::{Config, Neighbours};
use axum::{Router, body::Body as HttpBody};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::StreamExt as _;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use proffer_proto::experiment::v1::{
    ExportTrainingRowsRequest, ExportTrainingRowsResponse, TrainingHead, TrainingRow,
    export_training_rows_response::Part,
};
use prost::Message as _;
use serde_json::{Value, json};
use serve::Neighbour;
use tonic::service::Routes;

use super::world::{StandIn, World};

const PATH: &str = "/api/v1/experiments/exp_a/training-rows";

fn part(part: Part) -> Bytes {
    let message = ExportTrainingRowsResponse { part: Some(part) }.encode_to_vec();
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(&message);
    framed.freeze()
}

fn head(rows: i64) -> Bytes {
    part(Part::Head(TrainingHead { rows, ..Default::default() }))
}

fn row(number: usize) -> Bytes {
    part(Part::Row(TrainingRow { customer: format!("{number:064}"), ..Default::default() }))
}

/// A service that sends a head and so many rows as they are asked for, and ends with this status.
/// Counts what it sent.
fn service(rows: usize, status: &'static str, sent: Arc<AtomicUsize>) -> Routes {
    let answer = move |request: Request<HttpBody>| {
        let sent = sent.clone();
        async move {
            let asked = request.into_body().collect().await.unwrap().to_bytes();
            let asked = ExportTrainingRowsRequest::decode(&asked[5..]).unwrap();
            assert_eq!((&*asked.id, &*asked.outcome, asked.window_days), ("exp_a", "visit", 7));
            let answers = async_stream::stream! {
                if rows > 0 {
                    yield Ok::<_, Infallible>(Frame::data(head(rows as i64)));
                }
                for number in 0..rows {
                    sent.fetch_add(1, Ordering::SeqCst);
                    yield Ok(Frame::data(row(number)));
                }
                let trailers = [
                    ("grpc-status".parse().unwrap(), status.parse().unwrap()),
                    ("grpc-message".parse().unwrap(), "went%20away".parse().unwrap()),
                ];
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

async fn world(rows: usize, status: &'static str) -> (World, Arc<AtomicUsize>) {
    let sent = Arc::default();
    let one = Neighbour::local(service(rows, status, Arc::clone(&sent)));
    let neighbours = Neighbours {
        catalog: one.clone(),
        policy: one.clone(),
        decision: one.clone(),
        experiment: one,
    };
    (World::start_with(Config::default(), neighbours).await, sent)
}

async fn get(world: &World, accept: &str) -> Response<hyper::body::Incoming> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::builder()
        .uri(format!("http://{}{PATH}?outcome=visit&windowDays=7", world.address))
        .header("accept-encoding", accept)
        .body(Full::<Bytes>::default())
        .unwrap();
    client.request(request).await.unwrap()
}

/// Everything that arrives, and whether the body has its end.
async fn read(response: Response<hyper::body::Incoming>) -> (Vec<u8>, bool) {
    let (mut bytes, mut frames) = (Vec::new(), response.into_body().into_data_stream());
    while let Some(frame) = frames.next().await {
        match frame {
            Ok(frame) => bytes.extend_from_slice(&frame),
            Err(_) => return (bytes, false),
        }
    }
    (bytes, true)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_json_lines_one_message_a_line() {
    let (world, _) = world(3, "0").await;
    let response = get(&world, "identity").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert!(!response.headers().contains_key("content-encoding"));
    let (bytes, is_whole) = read(response).await;
    let lines = lines(std::str::from_utf8(&bytes).unwrap());
    assert!(is_whole);
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[0]["rows"], &lines[0]["head"]), (&json!(3), &Value::Null));
    assert_eq!(lines[3]["customer"], format!("{:064}", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_holds_the_same_lines_in_fewer_bytes() {
    let (world, _) = world(2_000, "0").await;
    let (plain, _) = read(get(&world, "identity").await).await;
    let response = get(&world, "br, gzip").await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "origin"]);
    let (packed, is_whole) = read(response).await;
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked).unwrap();
    assert!(is_whole && packed.len() * 5 < plain.len(), "{} {}", packed.len(), plain.len());
    assert_eq!(unpacked, plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_never_looks_whole() {
    let (world, _) = world(3, "14").await;
    let (bytes, is_whole) = read(get(&world, "identity").await).await;
    let lines = lines(std::str::from_utf8(&bytes).unwrap());
    assert!(!is_whole, "the body is cut off");
    let error = &lines.last().unwrap()["error"];
    assert_eq!((&error["code"], &error["message"]), (&json!("UNAVAILABLE"), &json!("went away")));
    let (packed, is_whole) = read(get(&world, "gzip").await).await;
    let mut unpacked = Vec::new();
    let told = flate2::read::GzDecoder::new(&*packed).read_to_end(&mut unpacked);
    assert!(!is_whole && told.is_err(), "gzip says so, too");
    assert!(String::from_utf8(unpacked).unwrap().contains("went away"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_before_the_first_message_is_an_ordinary_one() {
    let (world, _) = world(0, "5").await;
    let response = get(&world, "gzip").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["content-type"], "application/json");
    let (bytes, _) = read(response).await;
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(body["error"]["code"], "NOT_FOUND");
    let plain = World::start(&StandIn::default()).await;
    let wrong = plain.get(&format!("{PATH}?windowDays=soon")).await;
    assert_eq!(wrong.violations()[0].0, "windowDays");
}

/// More than all buffers between service and reader hold.
const MANY: usize = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_slows_the_service() {
    let (world, sent) = world(MANY, "0").await;
    let response = get(&world, "identity").await;
    let mut frames = response.into_body().into_data_stream();
    let mut bytes = frames.next().await.unwrap().unwrap().len();
    // The service goes on until the buffers are full, and no further: it is given every chance.
    let mut before = usize::MAX;
    while before != sent.load(Ordering::SeqCst) {
        before = sent.load(Ordering::SeqCst);
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    }
    assert!(before < MANY / 2, "{before} of {MANY} rows were made for a reader who read none");
    while let Some(frame) = frames.next().await {
        bytes += frame.unwrap().len();
    }
    assert_eq!(sent.load(Ordering::SeqCst), MANY);
    assert!(bytes > MANY * 64);
}
