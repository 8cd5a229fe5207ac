//! The calls of the two documents the product comes from, as curl would send them.

use http::Method;
use proffer_proto::{
    catalog::v1 as catalog, decision::v1 as decision, experiment::v1 as experiment,
    policy::v1 as policy,
};
use serde_json::Value;

use super::world::{StandIn, World};

/// The calls, verbatim.
const CALLS: &str = include_str!("seed-calls.txt");

/// Path and body of every call.
pub fn calls() -> Vec<(&'static str, &'static str)> {
    let calls = CALLS.split("curl -X POST $BASE").skip(1);
    calls.map(|call| call.trim().trim_end_matches('\'').split_once(" -d '").unwrap()).collect()
}

/// Everything in `part` is in `whole` with the same value.
fn assert_holds(whole: &Value, part: &Value) {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            for (key, value) in part {
                assert_holds(
                    whole.get(key).unwrap_or_else(|| panic!("`{key}` is missing in {whole:?}")),
                    value,
                );
            }
        }
        (Value::Array(whole), Value::Array(part)) => {
            assert_eq!(whole.len(), part.len());
            whole.iter().zip(part).for_each(|(whole, part)| assert_holds(whole, part));
        }
        (Value::Number(whole), Value::Number(part)) => assert_eq!(whole.as_f64(), part.as_f64()),
        (whole, part) => assert_eq!(whole, part),
    }
}

/// Whatever is created is read back in the shape in which it was sent, and that can be sent again.
#[tokio::test]
async fn every_call_transcodes_and_reads_back_in_its_own_shape() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let calls = calls();
    assert_eq!(calls.len(), 12);
    for (path, body) in calls {
        let first = world.post(path, body).await;
        let expected = if path == "/api/v1/recommend" { 200 } else { 201 };
        assert_eq!(first.status, expected, "{path}: {}", first.text);
        let asked = stand_in.last();
        let method = asked.path.rsplit('.').next().unwrap();
        if path == "/api/v1/recommend" {
            let asked: decision::RecommendRequest = stand_in.last_message();
            assert_eq!(
                (asked.customer_id.as_str(), asked.flow.as_str()),
                ("cust_lapsed_1", "Winback")
            );
            continue;
        }
        // A create request and its answer hold the resource under the same number: the echo is a
        // right answer.
        match method {
            "SchemaService/CreateSchema" => echo::<catalog::CreateSchemaRequest>(&stand_in, method),
            "CategoryService/CreateCategory" => {
                echo::<catalog::CreateCategoryRequest>(&stand_in, method)
            }
            "OfferService/CreateOffer" => echo::<catalog::CreateOfferRequest>(&stand_in, method),
            "OutcomeTypeService/CreateOutcomeType" => {
                echo::<catalog::CreateOutcomeTypeRequest>(&stand_in, method)
            }
            "ChannelService/CreateChannel" => {
                echo::<policy::CreateChannelRequest>(&stand_in, method)
            }
            "ContactPolicyService/CreateContactPolicy" => {
                echo::<policy::CreateContactPolicyRequest>(&stand_in, method)
            }
            "DecisionFlowService/CreateDecisionFlow" => {
                echo::<decision::CreateDecisionFlowRequest>(&stand_in, method)
            }
            "ExperimentService/CreateExperiment" => {
                echo::<experiment::CreateExperimentRequest>(&stand_in, method)
            }
            other => panic!("{other}"),
        }
        let answer = world.post(path, body).await;
        assert_holds(&answer.json(), &serde_json::from_str(body).unwrap());
        let again = world.send(Method::POST, path, &[], answer.text.clone()).await;
        assert_eq!(again.text, answer.text, "{path}");
        assert_eq!(stand_in.last().message, asked.message, "{path}");
    }
}

fn echo<M: prost::Message + Default>(stand_in: &StandIn, method: &str) {
    stand_in.answer(method, &stand_in.last_message::<M>());
}
