//! More calls than are worked on at once: both doors refuse the rest at once, and keep out no other
//! caller.

use std::sync::Arc;

use ::gateway::Config;
use axum::body::Body as HttpBody;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use proffer_proto::{
    catalog::v1::{GetOfferRequest, ListOffersRequest, offer_service_client::OfferServiceClient},
    decision::v1::{RecommendStreamRequest, decision_service_client::DecisionServiceClient},
};
use serve::{AdmissionSettings, Neighbour};
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt as _;
use tower::{Service as _, ServiceExt as _};

use super::world::{StandIn, World};

const HELD: &str = "OfferService/GetOffer";
const GET_OFFER: &str = "/proffer.catalog.v1.OfferService/GetOffer";
const OFFERS: &str = "/api/v1/offers";
/// Largest request of this method that the gRPC door reads, with what comes before the message.
const REQUEST_BYTES_MAX: usize = (256 << 10) + 5;

/// A gateway that works on one call at once and lets nobody wait.
async fn narrow(stand_in: &StandIn) -> World {
    let admission = AdmissionSettings { max_in_flight: Some(1), max_waiting: Some(0) };
    World::start_with(Config { admission, ..Config::default() }, stand_in.neighbours()).await
}

fn channel(world: &World) -> Neighbour {
    Neighbour::remote(&format!("http://{}", world.address)).unwrap()
}

async fn send(channel: &mut Neighbour, body: Body) -> Response<Body> {
    let request =
        Request::post(GET_OFFER).header("content-type", "application/grpc").body(body).unwrap();
    channel.ready().await.unwrap().call(request).await.unwrap()
}

#[tokio::test]
async fn one_past_the_limit_is_refused_by_both_doors_until_a_caller_leaves() {
    let stand_in = StandIn::holding(HELD);
    let world = narrow(&stand_in).await;
    let mut held = OfferServiceClient::new(channel(&world));
    let held =
        tokio::spawn(async move { held.get_offer(GetOfferRequest { id: "off_1".into() }).await });
    stand_in.reached(1).await;

    let answer = world.get(OFFERS).await;
    assert_eq!(answer.status, 429);
    assert_eq!(
        (answer.error("code"), answer.error("reason")),
        ("RESOURCE_EXHAUSTED".into(), "OVERLOADED".into())
    );
    assert_eq!(answer.headers["retry-after"], "1");
    assert!(answer.headers.contains_key("x-request-id"));
    let refused =
        OfferServiceClient::new(channel(&world)).list_offers(ListOffersRequest::default()).await;
    let status = refused.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_details_error_info().unwrap().reason, "OVERLOADED");
    assert!(status.get_details_retry_info().is_some());
    assert_eq!(stand_in.count(), 1, "a refused call reached its service");

    held.abort();
    while world.get(OFFERS).await.status != 200 {}
}

#[tokio::test]
async fn rest_calls_take_turns_with_grpc_calls() {
    let stand_in = StandIn::holding(HELD);
    let world = std::sync::Arc::new(narrow(&stand_in).await);
    let holder = std::sync::Arc::clone(&world);
    let held = tokio::spawn(async move { holder.get("/api/v1/offers/off_1").await });
    stand_in.reached(1).await;
    let refused =
        OfferServiceClient::new(channel(&world)).list_offers(ListOffersRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    held.abort();
    while world.get(OFFERS).await.status != 200 {}
}

#[tokio::test]
async fn health_passes_a_door_that_is_full_and_a_stream_waits_for_its_turn() {
    let stand_in = StandIn::holding(HELD);
    let world = narrow(&stand_in).await;
    let mut held = OfferServiceClient::new(channel(&world));
    let held =
        tokio::spawn(async move { held.get_offer(GetOfferRequest { id: "off_1".into() }).await });
    stand_in.reached(1).await;
    assert_eq!(world.get(OFFERS).await.status, 429);
    HealthClient::new(channel(&world)).check(HealthCheckRequest::default()).await.unwrap();
    let questions = tokio_stream::once(RecommendStreamRequest::default());
    let mut client = DecisionServiceClient::new(channel(&world));
    let mut stream = Box::pin(client.recommend_stream(questions));
    // It is not refused, and it does not begin either: the second health check is answered first.
    let mut health = HealthClient::new(channel(&world));
    let request = HealthCheckRequest::default();
    tokio::select! {
        biased;
        _ = &mut stream => panic!("a part of a stream had no turn and was passed on"),
        checked = health.check(request) => drop(checked.unwrap()),
    }
    assert_eq!(stand_in.count(), 1);
    held.abort();
    stream.await.unwrap();
}

/// Decisions that hang have all turns that they may have: outcomes, withdrawals and calls that do
/// not decide are answered all the same.
#[tokio::test]
async fn withdrawals_and_outcomes_get_in_while_decisions_hang() {
    let stand_in = StandIn::holding("DecisionService/Recommend");
    let admission = AdmissionSettings { max_in_flight: Some(16), max_waiting: Some(0) };
    let config = Config { admission, ..Config::default() };
    let world = Arc::new(World::start_with(config, stand_in.neighbours()).await);
    const QUESTION: &str = r#"{"customerId":"a","channel":"web"}"#;
    let ask = || {
        let world = world.clone();
        tokio::spawn(async move { world.post("/api/v1/recommend", QUESTION).await.status })
    };
    let held: Vec<_> = (0..12).map(|_| ask()).collect();
    stand_in.reached(12).await;
    assert_eq!(ask().await.unwrap(), 429);
    let consent = r#"{"granted":false,"source":"form"}"#;
    let consented = world.send(Method::PUT, "/api/v1/customers/a/consents/web", &[], consent).await;
    let outcome = r#"{"customerId":"a","outcome":"click","channel":"web"}"#;
    let responded = world.post("/api/v1/respond", outcome).await;
    for answer in [&consented, &responded] {
        assert_ne!(answer.status, 429, "{}", answer.text);
    }
    assert_eq!(stand_in.count(), 14, "{} {}", consented.text, responded.text);
    assert_eq!(world.get(OFFERS).await.status, 200);
    held.iter().for_each(|held| held.abort());
}

/// The slow call comes first on the same connection, so that it would have the only turn.
#[tokio::test]
async fn a_call_that_is_sent_slowly_takes_no_turn() {
    let world = narrow(&StandIn::default()).await;
    let mut channel = channel(&world);
    let never = HttpBody::from_stream(tokio_stream::pending::<Result<bytes::Bytes, Status>>());
    let mut slow = channel.clone();
    let slow = tokio::spawn(async move { send(&mut slow, Body::new(never)).await });
    for _ in 0..10 {
        let answer = send(&mut channel, Body::new(Full::from(vec![0; 5]))).await;
        assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
        assert_eq!(world.get(OFFERS).await.status, 200);
    }
    assert!(!slow.is_finished());
    slow.abort();
}

/// Its answer was made and waits for somebody who reads it.
#[tokio::test]
async fn an_answer_that_is_read_slowly_keeps_no_turn() {
    let world = narrow(&StandIn::default()).await;
    let unread = send(&mut channel(&world), Body::new(Full::from(vec![0; 5]))).await;
    assert_eq!(world.get(OFFERS).await.status, 200);
    assert!(unread.into_body().collect().await.is_ok());
}

#[tokio::test]
async fn a_request_is_read_up_to_its_limit_and_no_further() {
    let stand_in = StandIn::default();
    let world = narrow(&stand_in).await;
    let mut channel = channel(&world);
    let answer = send(&mut channel, Body::new(Full::from(vec![0; REQUEST_BYTES_MAX]))).await;
    assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
    assert_eq!(stand_in.last().message.len(), REQUEST_BYTES_MAX - 5);
    let answer = send(&mut channel, Body::new(Full::from(vec![0; REQUEST_BYTES_MAX + 1]))).await;
    assert_eq!(answer.headers()["grpc-status"], (Code::InvalidArgument as i32).to_string());
    assert_eq!(stand_in.count(), 1);
}
