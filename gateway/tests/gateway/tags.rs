//! PATCH without the tag of a oneof: the stored one holds.

use http::Method;
use proffer_proto::policy::v1 as policy;

use super::world::{StandIn, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_changed_without_its_type_and_never_by_an_old_one() {
    let stand_in = StandIn::default();
    let world = World::start(&stand_in).await;
    let path = "/api/v1/contact-policies/p1";
    let stored = policy::ContactPolicy {
        etag: "e1".to_owned(),
        rule: Some(policy::contact_policy::Rule::FrequencyCap(policy::FrequencyCap::default())),
        ..Default::default()
    };
    let answer = policy::GetContactPolicyResponse { contact_policy: Some(stored) };
    stand_in.answer("ContactPolicyService/GetContactPolicy", &answer);
    let change = async |body: &str| world.send(Method::PATCH, path, &[], body.to_owned()).await;
    assert_eq!(change(r#"{"maxImpressions":5}"#).await.status, 200);
    let asked: policy::UpdateContactPolicyRequest = stand_in.last_message();
    assert_eq!(asked.update_mask.unwrap().paths, ["frequency_cap.max_impressions"]);
    assert_eq!(asked.contact_policy.unwrap().etag, "e1", "bound to what was read");
    assert_eq!(stand_in.count(), 2);

    assert_eq!(change(r#"{"name":"n"}"#).await.status, 200);
    assert_eq!(stand_in.count(), 3, "nothing needs to be read for other fields");
    assert_eq!(change(r#"{"ruleType":"cooldown","windowHours":1}"#).await.status, 200);
    assert_eq!(stand_in.count(), 4);

    let stale = || serve::Problem::etag_mismatch("contact policy", "p1", "e2");
    stand_in.refuse("ContactPolicyService/UpdateContactPolicy", stale());
    assert_eq!(change(r#"{"maxImpressions":5}"#).await.status, 409);
    assert_eq!(stand_in.count(), 12, "read and written four times");
    assert_eq!(change(r#"{"maxImpressions":5,"etag":"e0"}"#).await.status, 409);
    assert_eq!(stand_in.count(), 14, "the caller's own condition is tried once");
}
