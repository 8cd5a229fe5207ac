//! Streams, which only gRPC has, through the gateway.

use conformance::{
    seed,
    suite::{Shape, Store, Suite},
};
use futures::StreamExt as _;
use proffer_proto::{
    decision::v1::{
        RecommendRequest, RecommendStreamRequest, decision_service_client::DecisionServiceClient,
    },
    values::v1::ReasonCode,
};
use serde_json::json;
use tonic::transport::Channel;

/// More small messages than the usual windows of HTTP/2 let a connection hold.
const QUESTIONS: usize = 5_000;

async fn check(shape: Shape) {
    let suite = Suite::start(shape, Store::Sqlite).await.unwrap();
    let client = suite.client();
    for number in 1..=9 {
        let call = seed::call("winback-tutorial", number).unwrap();
        client.ok(&call.method, &call.path, &call.body.unwrap()).await.unwrap();
    }
    let record = json!({"lastPurchaseDate": "2020-01-01", "lifetimePurchases": 5,
        "primaryCategory": "apparel"});
    client.ok("PUT", "/api/v1/schemas/Customer/records/lost", &record).await.unwrap();
    let questions = (0..QUESTIONS).map(|number| {
        let customer_id = if number % 2 == 0 { "lost" } else { "nobody" }.to_owned();
        let (channel, flow) = ("email".to_owned(), "Winback".to_owned());
        let request = RecommendRequest { customer_id, channel, flow, ..Default::default() };
        RecommendStreamRequest { request: Some(request) }
    });
    let channel = Channel::from_shared(suite.base.clone()).unwrap().connect().await.unwrap();
    let answers = DecisionServiceClient::new(channel)
        .recommend_stream(futures::stream::iter(questions))
        .await
        .unwrap();
    let reason = |answer: Result<_, _>| {
        let answer: proffer_proto::decision::v1::RecommendStreamResponse = answer.unwrap();
        answer.result.unwrap().into_decision().unwrap().reason_code()
    };
    let reasons: Vec<ReasonCode> = answers.into_inner().map(reason).collect().await;
    assert_eq!(reasons.len(), QUESTIONS);
    for pair in reasons.chunks(2) {
        assert_eq!(pair, [ReasonCode::NothingQualified, ReasonCode::CustomerUnknown]);
    }
    let page = "/api/v1/decisions?customerId=lost&pageSize=1000";
    let decisions = client.ok("GET", page, &json!(null)).await.unwrap();
    assert_eq!(decisions["data"].as_array().unwrap().len(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_questions_is_answered_in_order_in_one_process() {
    check(Shape::AllInOne).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_questions_is_answered_in_order_in_five_processes() {
    check(Shape::FiveProcesses).await;
}
