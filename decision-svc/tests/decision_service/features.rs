//! What is sent of a customer to learn from: the features of the first exposure.

use std::collections::BTreeMap;

use proffer_proto::{
    catalog::v1 as catalog,
    decision::v1 as proto,
    policy::v1 as policy,
    values::v1::{ResourceStatus, Value, value::Kind},
};
use prost::Message as _;
use tonic::{Code, Status};

use super::{
    arms::{decide, exposures},
    suite::{Suite, holdout, lapsed, on_both, question, told, winback},
};

type Features = BTreeMap<String, Value>;

fn of(features: &[(&str, Kind)]) -> Features {
    let value = |kind: &Kind| Value { kind: Some(kind.clone()) };
    features.iter().map(|(name, kind)| ((*name).to_owned(), value(kind))).collect()
}

/// What the seed's flow reads of a customer who bought on 2026-07-03, 142 days ago: numbers and
/// dates, and no text.
pub fn features_of_lapsed() -> Features {
    of(&[
        ("daysSinceLastPurchase", Kind::IntegerValue(142)),
        ("lastPurchaseDate", Kind::IntegerValue(142)),
        ("lifetimePurchases", Kind::IntegerValue(5)),
        ("lifetimeRevenue", Kind::DoubleValue(320.5)),
    ])
}

/// The winback flow with this to say about learning.
fn learning(features: &[&str]) -> proto::DecisionFlow {
    let features = features.iter().map(|name| (*name).to_owned()).collect();
    let mut flow = winback();
    flow.config.as_mut().unwrap().learning =
        Some(proto::LearningSettings { features, ..Default::default() });
    flow
}

async fn update(suite: &Suite, features: &[&str]) -> Result<proto::DecisionFlow, Status> {
    let request = proto::UpdateDecisionFlowRequest {
        id: "flow_winback".to_owned(),
        decision_flow: Some(learning(features)),
        update_mask: Some(prost_types::FieldMask { paths: vec!["config".to_owned()] }),
    };
    let answer = suite.flows.clone().update_decision_flow(request).await?;
    Ok(answer.into_inner().decision_flow.unwrap())
}

/// Writes the customer schema again, with these fields marked private.
fn mark_private(suite: &Suite, private: &[&str]) -> i64 {
    let field = |(name, of_type): (&str, catalog::FieldType)| catalog::SchemaField {
        name: name.to_owned(),
        r#type: of_type.into(),
        is_pii: private.contains(&name),
        ..Default::default()
    };
    let fields = [
        ("lastPurchaseDate", catalog::FieldType::Date),
        ("lifetimePurchases", catalog::FieldType::Integer),
        ("lifetimeRevenue", catalog::FieldType::Decimal),
        ("primaryCategory", catalog::FieldType::String),
        ("timezone", catalog::FieldType::String),
        ("consentEmail", catalog::FieldType::Boolean),
    ];
    let fields = fields.map(field).to_vec();
    let schema = catalog::Schema { name: "Customer".to_owned(), fields, ..Default::default() };
    suite.fakes.write_catalog("schema", "schema_customer", "Customer", schema.encode_to_vec())
}

async fn replayed(suite: &Suite, decision_id: &str) -> proto::ReplayResponse {
    let request =
        proto::ReplayRequest { decision_id: decision_id.to_owned(), ..Default::default() };
    suite.decisions.clone().replay(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn features_of_both_arms_are_alike_and_part_of_the_recorded_case() {
    on_both(async |suite| {
        for customer in ["treated", "held"] {
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        // No rule reads the consent: it is read because it is named.
        update(&suite, &["consentEmail", "customer.primaryCategory", "daysSinceLastPurchase"])
            .await
            .unwrap();
        let treated = decide(&suite, "treated", &[holdout(0)]).await;
        let held = decide(&suite, "held", &[holdout(100)]).await;
        assert_eq!((&*treated.arm, &*held.arm), ("treatment", "holdout"));
        let sent = exposures(&suite, 4).await;
        let expected = of(&[
            ("consentEmail", Kind::BooleanValue(true)),
            ("daysSinceLastPurchase", Kind::IntegerValue(142)),
            ("primaryCategory", Kind::StringValue("apparel".to_owned())),
        ]);
        let mut found: Vec<_> = sent.iter().map(|it| (it.ghost, &it.features)).collect();
        found.sort_by_key(|(is_ghost, _)| *is_ghost);
        assert_eq!(found, [(false, &expected), (true, &expected)]);
        for record in [treated, held] {
            assert!(record.customer_fields.contains_key("consentEmail"), "{record:?}");
            assert!(replayed(&suite, &record.decision_id).await.identical);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_field_never_leaves_not_even_when_it_becomes_private_later() {
    on_both(async |suite| {
        for customer in ["before", "after", "computed"] {
            lapsed(&suite.fakes, customer, "apparel", "2026-07-03");
        }
        update(&suite, &["lifetimeRevenue", "lastPurchaseDate", "daysSinceLastPurchase"])
            .await
            .unwrap();
        decide(&suite, "before", &[holdout(0)]).await;
        mark_private(&suite, &["lifetimeRevenue"]);
        decide(&suite, "after", &[]).await;
        mark_private(&suite, &["lifetimeRevenue", "lastPurchaseDate"]);
        decide(&suite, "computed", &[]).await;
        let sent = exposures(&suite, 6).await;
        let names = |customer: &str| {
            let of = sent.iter().find(|it| it.customer_id == customer).unwrap();
            of.features.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(
            names("before"),
            ["daysSinceLastPurchase", "lastPurchaseDate", "lifetimeRevenue"]
        );
        assert_eq!(names("after"), ["daysSinceLastPurchase", "lastPurchaseDate"]);
        assert_eq!(names("computed"), [""; 0], "what is computed of it is as private");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_that_names_a_private_field_the_id_or_the_time_zone_is_refused() {
    on_both(async |suite| {
        mark_private(&suite, &["lifetimeRevenue"]);
        let channel = policy::Channel {
            name: "email".to_owned(),
            config: Some(policy::ChannelConfig {
                timezone_source: vec!["customer.primaryCategory".to_owned()],
                ..Default::default()
            }),
            ..Default::default()
        };
        let channel = channel.encode_to_vec();
        let revision = suite.fakes.write_policy("channel", "ch_email", "email", channel);
        let min_revision = vec![format!("policy:{revision}")];
        let known = proto::RecommendRequest { min_revision, ..question("cust_lapsed_1") };
        suite.recommend(known).await.unwrap();
        let fields = async |features: &[&str]| {
            let status = update(&suite, features).await.unwrap_err();
            let (code, _, fields) = told(&status);
            assert_eq!(code, Code::InvalidArgument, "{status:?}");
            let prefix = "decision_flow.config.learning.";
            fields.into_iter().map(|it| it.replacen(prefix, "", 1)).collect::<Vec<_>>()
        };
        let named = ["lifetimePurchases", "customerId", "customer.timezone"];
        assert_eq!(fields(&named).await, ["features[1]", "features[2]"]);
        let private = ["customer.lifetimeRevenue", "isRecoverable", "lifetimePurchases"];
        assert_eq!(fields(&private).await, ["features[0]", "features[1]"]);
        assert_eq!(fields(&["primaryCategory"]).await, ["features[0]"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_flow_says_about_learning_is_completed_and_unknown_names_are_warnings() {
    on_both(async |suite| {
        let flow = update(&suite, &["lifetimePurchases", "shoeSize"]).await.unwrap();
        let settled = flow.config.clone().unwrap().learning.unwrap();
        assert_eq!(
            (&*settled.outcome, settled.window_days, settled.propensity_window_days),
            ("conversion", 30, 3)
        );
        let about = flow.warnings.iter().filter(|warning| warning.starts_with("learning"));
        assert_eq!(
            about.collect::<Vec<_>>(),
            ["learning: `shoeSize` is not declared, and nothing is learned from it"]
        );
        assert_eq!(flow.status(), ResourceStatus::Active);
        // Nothing is learned from it, and everything goes on.
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-03");
        decide(&suite, "ann", &[holdout(0)]).await;
        let sent = exposures(&suite, 2).await;
        assert_eq!(sent[0].features, of(&[("lifetimePurchases", Kind::IntegerValue(5))]));
        assert!(suite.recommend(question("ann")).await.is_ok());
    })
    .await;
}
