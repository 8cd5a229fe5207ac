//! Query parameters as the services receive them.

use proffer_proto::{decision::v1 as decision, values::v1::ReasonCode};

use super::world::{StandIn, World};

#[tokio::test]
async fn query_parameters_fill_the_rest_of_the_request() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let records =
        vec![decision::DecisionRecord { decision_id: "dec_1".into(), ..Default::default() }];
    let page = decision::ListDecisionsResponse { decisions: records, next_page_token: "t2".into() };
    stand_in.answer("DecisionService/ListDecisions", &page);
    let answer = world.get("/api/v1/decisions?customerId=a%26b+c&pageSize=5").await;
    assert_eq!(answer.json()["data"][0]["decisionId"], "dec_1");
    assert_eq!(answer.json()["nextPageToken"], "t2");
    let asked: decision::ListDecisionsRequest = stand_in.last_message();
    assert_eq!((asked.customer_id.as_str(), asked.page_size), ("a&b c", 5));

    for (query, path) in [
        ("pageSize=five", "pageSize"),
        ("page_size=5", "page_size"),
        ("pageSize=5&pageSize=6", "pageSize"),
        ("colour=red", "colour"),
        ("pageToken=%ff", "pageToken"),
    ] {
        let answer = world.get(&format!("/api/v1/decisions?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.violations()[0].0.as_str()),
            (400, path),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_query_takes_instants_and_words_and_names_the_nearest_word() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    stand_in.answer("DecisionService/ListDecisions", &decision::ListDecisionsResponse::default());
    for offset in ["%2B02:00", "+02:00"] {
        let after = format!("after=2026-03-10T02:00:00{offset}&reason=quiet_hours");
        let answer = world.get(&format!("/api/v1/decisions?{after}")).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
        let asked: decision::ListDecisionsRequest = stand_in.last_message();
        assert_eq!(asked.after.unwrap().seconds, 1_773_100_800);
        assert_eq!(asked.reason(), ReasonCode::QuietHours);
    }
    for (query, field, part) in [
        ("reason=quite_hours", "reason", "is `quite_hours`; did you mean `quiet_hours`?"),
        ("reason=because", "reason", "must be one of `quiet_hours`, `time_window`"),
        ("after=2026-03-10", "after", "an RFC 3339 instant"),
        ("after=2026-03-10+02:00", "after", "not `2026-03-10 02:00`"),
    ] {
        let answer = world.get(&format!("/api/v1/decisions?{query}")).await;
        let (at, message) = answer.violations()[0].clone();
        assert_eq!((answer.status.as_u16(), at.as_str()), (400, field), "{query}");
        assert!(message.contains(part), "{query}: {message}");
    }
}
