//! REST calls as the services receive them, and their answers as the caller does.

use ::gateway::Config;
use http::Method;
use proffer_proto::{
    catalog::v1::{self as catalog},
    decision::v1 as decision,
    experiment::v1 as experiment,
    policy::v1 as policy,
    values::v1::{Value, value::Kind},
};

use super::world::{StandIn, World, micros_left};

#[tokio::test]
async fn a_create_answers_201_with_the_resource_bare() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let offer =
        catalog::Offer { id: "off_a".into(), name: "A".into(), revision: 7, ..Default::default() };
    stand_in
        .answer("OfferService/CreateOffer", &catalog::CreateOfferResponse { offer: Some(offer) });

    let answer =
        world.post("/api/v1/offers", r#"{"name":"A","category":"Apparel","priority":70}"#).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(
        (answer.json()["id"].as_str(), answer.json()["revision"].as_i64()),
        (Some("off_a"), Some(7))
    );
    let asked: catalog::CreateOfferRequest = stand_in.last_message();
    assert_eq!(asked.offer.unwrap().priority, Some(70.0));
    assert_eq!(stand_in.last().path, "/proffer.catalog.v1.OfferService/CreateOffer");
}

#[tokio::test]
async fn ids_in_paths_are_decoded_after_the_path_is_split() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    stand_in.answer(
        "RecordService/GetRecord",
        &catalog::GetRecordResponse { record: Some(catalog::CustomerRecord::default()) },
    );
    let answer = world.get("/api/v1/schemas/My%20Schema/records/a%2Fb%3F%25%C3%A9+c").await;
    assert_eq!(answer.status, 200);
    let asked: catalog::GetRecordRequest = stand_in.last_message();
    assert_eq!((asked.schema.as_str(), asked.customer_id.as_str()), ("My Schema", "a/b?%é+c"));
}

#[tokio::test]
async fn a_record_is_put_under_the_customer_of_the_path() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let path = "/api/v1/schemas/Customer/records/cust%2F1";
    let body = r#"{"lifetimeRevenue":120.50,"version":3,"updatedAt":"2026-01-01T00:00:00Z"}"#;
    world.send(Method::PUT, path, &[], body).await;
    let asked: catalog::PutRecordRequest = stand_in.last_message();
    let record = asked.record.unwrap();
    assert_eq!((record.customer_id.as_str(), record.version), ("cust/1", 0));
    assert_eq!(
        record.fields["lifetimeRevenue"],
        Value { kind: Some(Kind::DecimalValue("120.50".into())) }
    );

    let same = world.send(Method::PUT, path, &[], r#"{"customerId":"cust/1"}"#).await;
    assert_eq!(same.status, 200);
    let other = world.send(Method::PUT, path, &[], r#"{"customerId":"cust_2"}"#).await;
    assert_eq!(other.status, 400);
    assert_eq!(other.violations()[0].0, "customerId");
}

#[tokio::test]
async fn the_keys_of_a_patch_are_its_mask() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let patch =
        async |path: &str, body: &'static str| world.send(Method::PATCH, path, &[], body).await;
    patch(
        "/api/v1/channels/email",
        r#"{"config":{"quietHoursEnd":"09:00"},"description":null,"revision":4}"#,
    )
    .await;
    let asked: policy::UpdateChannelRequest = stand_in.last_message();
    assert_eq!(asked.id, "email");
    assert_eq!(asked.update_mask.unwrap().paths, ["config.quiet_hours_end", "description"]);

    let nothing = patch("/api/v1/channels/email", "{}").await;
    assert_eq!((nothing.status.as_u16(), nothing.violations()[0].0.as_str()), (400, "body"));

    patch("/api/v1/channels/email?updateMask=name,config.quietHoursEnd", r#"{"name":"mail"}"#)
        .await;
    let asked: policy::UpdateChannelRequest = stand_in.last_message();
    assert_eq!(asked.update_mask.unwrap().paths, ["name", "config.quiet_hours_end"]);

    patch("/api/v1/schemas/Customer/records/c1", r#"{"lastPurchaseDate":null}"#).await;
    let asked: catalog::PatchRecordRequest = stand_in.last_message();
    assert_eq!(asked.record.unwrap().fields["lastPurchaseDate"], Value { kind: None });
}

#[tokio::test]
async fn a_delete_answers_204_without_a_body() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let answer = world.send(Method::DELETE, "/api/v1/offers/off_1?etag=e1", &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    let asked: catalog::DeleteOfferRequest = stand_in.last_message();
    assert_eq!((asked.id.as_str(), asked.etag.as_str()), ("off_1", "e1"));
    let with_body =
        world.send(Method::DELETE, "/api/v1/offers/off_1", &[], r#"{"etag":"e1"}"#).await;
    assert_eq!(with_body.status, 400);
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    assert_eq!(world.post("/api/v1/decisions/dec_1/release", "").await.status, 200);
    let asked: decision::ReleaseDecisionRequest = stand_in.last_message();
    assert_eq!((asked.decision_id.as_str(), asked.rank), ("dec_1", None));
}

#[tokio::test]
async fn the_idempotency_header_serves_when_the_body_has_no_key() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let key = |stand_in: &StandIn| {
        stand_in.last_message::<decision::RespondRequest>().outcome.unwrap().idempotency_key
    };
    let send = async |body: &'static str, header: &str| {
        world.send(Method::POST, "/api/v1/respond", &[("idempotency-key", header)], body).await
    };
    let answer = send(r#"{"customerId":"c","outcome":"click"}"#, "order-1").await;
    assert_eq!((answer.status.as_u16(), key(&stand_in).as_str()), (201, "order-1"));
    let empty = send(r#"{"customerId":"c","outcome":"click"}"#, "").await;
    assert_eq!(
        (empty.status.as_u16(), empty.violations()[0].0.as_str()),
        (400, "[\"Idempotency-Key\"]")
    );
}

#[tokio::test]
async fn head_is_get_without_its_body_and_options_tells_the_methods() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let settings = policy::TenantSettings { timezone: "UTC".into(), ..Default::default() };
    stand_in.answer(
        "SettingsService/GetSettings",
        &policy::GetSettingsResponse { settings: Some(settings) },
    );
    let get = world.get("/api/v1/settings").await;
    let head = world.send(Method::HEAD, "/api/v1/settings", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (get.status, ""));
    assert_eq!(head.headers["content-length"], get.text.len().to_string().as_str());
    let options = world.send(Method::OPTIONS, "/api/v1/settings", &[], "").await;
    assert_eq!(
        (options.status.as_u16(), &options.headers["allow"]),
        (204, &"GET, HEAD, OPTIONS, PATCH".parse().unwrap())
    );
    assert_eq!(world.send(Method::OPTIONS, "/api/v1/nothing", &[], "").await.status, 404);
}

#[tokio::test]
async fn the_tenant_is_ours_to_say_and_the_request_id_goes_along() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let headers = [
        ("x-proffer-tenant", "other"),
        ("x-proffer-actor", "root"),
        ("x-request-id", "r-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    let answer = world.send(Method::GET, "/api/v1/offers", &headers, "").await;
    assert_eq!(answer.headers["x-request-id"], "r-1");
    let received = stand_in.last().headers;
    assert_eq!(received["x-proffer-tenant"], "default");
    assert!(!received.contains_key("x-proffer-actor"));
    assert_eq!(received["x-request-id"], "r-1");
    assert_eq!(received["traceparent"], headers[3].1);
    let left = micros_left(&received);
    assert!((1..=30_000_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_call_and_read() {
    let stand_in = StandIn::default();
    let config =
        Config { allowed_origins: vec!["https://console.example.com".into()], ..Config::default() };
    let world = World::start_with(config, stand_in.neighbours()).await;
    let origin = [("origin", "https://console.example.com")];
    let answer = world.send(Method::GET, "/api/v1/offers", &origin, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["access-control-allow-origin"], origin[0].1);
    let preflight = world.send(Method::OPTIONS, "/api/v1/offers", &origin, "").await;
    assert_eq!(preflight.headers["access-control-allow-methods"], "GET, HEAD, OPTIONS, POST");
    assert!(
        preflight.headers["access-control-allow-headers"]
            .to_str()
            .unwrap()
            .contains("content-type")
    );
}

#[tokio::test]
async fn results_print_intervals_and_leave_unknown_figures_out() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let results = experiment::Results {
        metric: "revenue_per_customer".into(),
        difference: Some(1.25),
        ci95: vec![0.5, 2.0],
        verdict: experiment::ResultVerdict::Withheld.into(),
        withheld: vec!["before the planned end".into()],
        ..Default::default()
    };
    stand_in.answer(
        "ExperimentService/GetResults",
        &experiment::GetResultsResponse { results: Some(results) },
    );
    let answer =
        world.get("/api/v1/experiments/exp_1/results?metric=revenue_per_customer").await.json();
    assert_eq!(answer["ci95"], serde_json::json!([0.5, 2]));
    assert_eq!(answer["verdict"], "withheld");
    assert!(answer.get("p").is_none());
}

#[tokio::test]
async fn one_misspelt_key_of_a_batch_spoils_its_own_question_only() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let body = r#"{"requests":[{"customerId":"ann"},{"customerId":"bob","chanel":"email"},
        {"customerId":"cid","limit":"many"},7,{"customerId":"dan","channel":null}]}"#;
    assert_eq!(world.post("/api/v1/recommend/batch", body).await.status, 200);
    let received: decision::RecommendBatchRequest = stand_in.last_message();
    let ids: Vec<_> = received.requests.iter().map(|it| it.customer_id.as_str()).collect();
    assert_eq!(ids, ["ann", "", "", "", "dan"]);
    assert_eq!(received.unread.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    let fault = &received.unread[&1];
    assert_eq!((fault.code.as_str(), fault.reason.as_str()), ("INVALID_ARGUMENT", "INVALID_FIELD"));
    assert_eq!(fault.field_violations[0].field, "chanel");
    assert!(fault.message.contains("`channel`"), "{}", fault.message);
    for path in ["/api/v1/respond/batch", "/api/v1/respond/bulk"] {
        let body = r#"{"outcomes":[{"customerId":"ann","outcome":"click"},{"custmer":"bob"}]}"#;
        assert_eq!(world.post(path, body).await.status, 200);
        let received: decision::RespondBatchRequest = stand_in.last_message();
        assert_eq!((received.outcomes.len(), received.unread.len()), (2, 1));
    }
    // JSON has no way to claim that an item was not read.
    let body = r#"{"requests":[],"unread":{"0":{"code":"OK"}}}"#;
    assert_eq!(world.post("/api/v1/recommend/batch", body).await.status, 400);
}

#[tokio::test]
async fn the_faults_of_a_batch_speak_the_names_of_json() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let fault = |field: &str, message: &str| {
        let problem = serve::Problem::invalid_field(field, message);
        Some(serve::item_fault(&problem.into()))
    };
    let refused = decision::RecommendResult {
        outcome: fault("customer_id", "is required beside `min_revision`")
            .map(decision::recommend_result::Outcome::Error),
    };
    let answer = decision::RecommendBatchResponse { results: vec![refused] };
    stand_in.answer("DecisionService/RecommendBatch", &answer);
    let answer = world.post("/api/v1/recommend/batch", r#"{"requests":[{}]}"#).await.json();
    assert_eq!(
        answer["results"][0]["error"],
        serde_json::json!({
            "code": "INVALID_ARGUMENT",
            "reason": "INVALID_FIELD",
            "message": "`customerId` is required beside `minRevision`",
            "metadata": {},
            "fieldViolations": [{
                "field": "customerId",
                "description": "is required beside `minRevision`",
            }],
        })
    );
    let error = fault("decision_id", "is required with `rank`");
    let refused = decision::RespondBatchResult { error, ..Default::default() };
    let answer = decision::RespondBatchResponse { results: vec![refused], ..Default::default() };
    stand_in.answer("OutcomeService/RespondBatch", &answer);
    let answer = world.post("/api/v1/respond/batch", r#"{"outcomes":[{}]}"#).await.json();
    assert_eq!(answer["results"][0]["error"]["message"], "`decisionId` is required with `rank`");
}

#[tokio::test]
async fn two_different_idempotency_keys_are_refused() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let respond = async |headers: &[(&str, &str)], body: &str| {
        world.send(Method::POST, "/api/v1/respond", headers, body.to_owned()).await
    };
    let body = r#"{"customerId":"ann","outcome":"click","idempotencyKey":"a"}"#;
    let refused = respond(&[("idempotency-key", "b")], body).await;
    assert_eq!(
        (refused.status.as_u16(), refused.violations()[0].0.as_str()),
        (400, "[\"Idempotency-Key\"]")
    );
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_eq!(respond(&twice, r#"{"customerId":"ann","outcome":"click"}"#).await.status, 400);
    assert_eq!(stand_in.count(), 0);
    assert_eq!(respond(&[("idempotency-key", "a")], body).await.status, 201);
}

#[tokio::test]
async fn null_is_as_left_out_and_refused_where_a_value_is_required() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let body = r#"{"customerId":"ann","channel":null,"requestId":null,"attributes":null,
        "dryRun":null,"limit":null,"excludeOffers":null}"#;
    assert_eq!(world.post("/api/v1/recommend", body).await.status, 200);
    let left_out = decision::RecommendRequest { customer_id: "ann".into(), ..Default::default() };
    assert_eq!(stand_in.last_message::<decision::RecommendRequest>(), left_out);
    let reached = stand_in.count();
    for (method, path, body, field) in [
        (Method::POST, "/api/v1/offers", r#"{"name":null,"category":"a"}"#, "name"),
        (Method::PATCH, "/api/v1/offers/x", r#"{"name":null}"#, "name"),
        (
            Method::PATCH,
            "/api/v1/experiments/x",
            r#"{"holdoutPercentage":null}"#,
            "holdoutPercentage",
        ),
        (
            Method::POST,
            "/api/v1/schemas",
            r#"{"name":"a","fields":[{"name":"b","type":null}]}"#,
            "fields[0].type",
        ),
        (
            Method::POST,
            "/api/v1/contact-policies",
            r#"{"name":"a","ruleType":"cooldown","windowHours":null}"#,
            "windowHours",
        ),
    ] {
        let answer = world.send(method, path, &[], body).await;
        assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        assert_eq!(answer.violations()[0].0, field, "{}", answer.text);
        assert!(answer.violations()[0].1.starts_with("is required"), "{}", answer.text);
    }
    assert_eq!(stand_in.count(), reached);
    let cleared =
        world.send(Method::PATCH, "/api/v1/offers/x", &[], r#"{"description":null}"#).await;
    assert_eq!(cleared.status, 200);
}

#[tokio::test]
async fn if_match_and_etag_are_as_http_has_them() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let offer = catalog::Offer { id: "x".into(), etag: "e1".into(), ..Default::default() };
    stand_in
        .answer("OfferService/GetOffer", &catalog::GetOfferResponse { offer: Some(offer.clone()) });
    stand_in
        .answer("OfferService/UpdateOffer", &catalog::UpdateOfferResponse { offer: Some(offer) });
    let (path, body) = ("/api/v1/offers/x", r#"{"name":"b"}"#);
    let read = world.get(path).await;
    assert_eq!(read.headers["etag"], "\"e1\"");
    let known = world.send(Method::GET, path, &[("if-none-match", "\"e0\", \"e1\"")], "").await;
    assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""));

    let change = async |header: &str, body: &str| {
        world.send(Method::PATCH, path, &[("if-match", header)], body.to_owned()).await
    };
    assert_eq!(change("\"e1\"", body).await.headers["etag"], "\"e1\"");
    let asked: catalog::UpdateOfferRequest = stand_in.last_message();
    assert_eq!(asked.offer.unwrap().etag, "e1");
    assert_eq!(asked.update_mask.unwrap().paths, ["name"]);
    assert_eq!(change("*", body).await.status, 200);
    assert_eq!(stand_in.last_message::<catalog::UpdateOfferRequest>().offer.unwrap().etag, "");
    world.send(Method::DELETE, path, &[("if-match", "\"e1\"")], "").await;
    assert_eq!(stand_in.last_message::<catalog::DeleteOfferRequest>().etag, "e1");

    let reached = stand_in.count();
    for odd in ["e1", "W/\"e1\"", "\"e1\", \"e2\""] {
        let answer = change(odd, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.violations()[0].0.as_str()),
            (400, "[\"If-Match\"]")
        );
    }
    assert_eq!(change("\"e1\"", r#"{"name":"b","etag":"e2"}"#).await.status, 400);
    let answer = world.send(Method::POST, "/api/v1/respond", &[("if-match", "\"e1\"")], "{}").await;
    assert_eq!(answer.status, 400, "an ignored condition loses an edit in silence");
    assert_eq!(stand_in.count(), reached);

    let stale = || serve::Problem::etag_mismatch("offer", "x", "e2");
    stand_in.refuse("OfferService/UpdateOffer", stale());
    stand_in.refuse("OfferService/DeleteOffer", stale());
    let answer = change("\"e1\"", body).await;
    assert_eq!((answer.status.as_u16(), answer.error("reason")), (412, "ETAG_MISMATCH".into()));
    let answer = world.send(Method::DELETE, path, &[("if-match", "\"e1\"")], "").await;
    assert_eq!(answer.status, 412);
    let answer = world.send(Method::PATCH, path, &[], r#"{"name":"b","etag":"e1"}"#).await;
    assert_eq!(answer.status, 409, "an etag in the body is answered as before");
}

#[tokio::test]
async fn a_picture_is_sent_as_it_is_and_can_run_nothing() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let text = "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>".to_owned();
    let content_type = "image/svg+xml".to_owned();
    let picture = Some(proffer_proto::values::v1::TextBody { content_type, text: text.clone() });
    stand_in.answer(
        "ExperimentService/GetResultsPicture",
        &experiment::GetResultsPictureResponse { picture },
    );
    let answer = world.get("/api/v1/experiments/exp_1/results.svg?metric=conversion_rate").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "image/svg+xml; charset=utf-8");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert_eq!(answer.text, text);
}
