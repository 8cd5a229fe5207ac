//! Items of a batch that cannot be read spoil nothing but themselves.

use proffer_proto::{catalog::v1 as catalog, decision::v1 as decision};

use super::world::{StandIn, World};

#[tokio::test]
async fn one_unreadable_record_spoils_its_own_row_only() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let body = r#"{"records":[{"customerId":"a","x":1,"x":2},{"customerId":"b","x":{"y":1}},
        {"customerId":"c","x":1}]}"#;
    let answer = world.post("/api/v1/schemas/Customer/records", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let asked: catalog::BatchPutRecordsRequest = stand_in.last_message();
    assert_eq!((asked.records.len(), asked.records[2].customer_id.as_str()), (3, "c"));
    let faults = |index: i32| &asked.unread[&index].field_violations[0];
    assert_eq!((faults(0).field.as_str(), faults(0).description.as_str()), ("x", "is given twice"));
    assert_eq!((asked.unread.len(), faults(1).field.as_str()), (2, "x"));
}

#[tokio::test]
async fn a_key_given_twice_in_a_batch_spoils_its_own_question_only() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let body = r#"{"requests":[{"customerId":"a","flow":"F","flow":"G"},{"customerId":"b"}]}"#;
    assert_eq!(world.post("/api/v1/recommend/batch", body).await.status, 200);
    let asked: decision::RecommendBatchRequest = stand_in.last_message();
    assert_eq!(asked.unread.keys().copied().collect::<Vec<_>>(), [0]);
    assert_eq!(asked.unread[&0].field_violations[0].field, "flow");
    let body = r#"{"requests":[{"customerId":"b"}],"requests":[]}"#;
    assert_eq!(world.post("/api/v1/recommend/batch", body).await.status, 400);
}
