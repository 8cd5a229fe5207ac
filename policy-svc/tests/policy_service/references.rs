//! What policies refer to in catalog-svc, and in the own log.

use std::sync::Arc;

use proffer_proto::{
    catalog::v1::{Schema, SchemaField},
    policy::v1::{self as proto, contact_policy::Rule},
    values::v1::Reference,
};
use prost::Message as _;
use testkit::WrittenLog;

use crate::world::{World, cap, seeded_on_both};

/// catalog-svc with these names.
fn catalog() -> WrittenLog {
    let log = WrittenLog::of(&[
        ("category", "cat_apparel", "Apparel"),
        ("offer", "off_spring", "Spring"),
        ("outcome_type", "complaint", "Complaint"),
    ]);
    let fields = vec![SchemaField { name: "tier".into(), ..Default::default() }];
    let schema = Schema { fields, ..Default::default() };
    log.write("schema", "schema_customer", "Customer", schema.encode_to_vec());
    log
}

fn reference(kind: &str, named: &str, id: &str) -> Reference {
    Reference { kind: kind.into(), named: named.into(), id: id.into() }
}

async fn warnings(world: &World, policy: proto::ContactPolicy) -> Vec<String> {
    world.create_policy(policy).await.warnings
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_the_catalog_is_bound_or_warned_of_with_the_nearest_one() {
    seeded_on_both(async |world| {
        world.app.follow(Arc::new(catalog()));
        let scope = "category:apparel;offer:Spring;channel:Email";
        let created = world.create_policy(cap("pol_a", scope, 1, 1)).await;
        assert_eq!(created.warnings, [""; 0]);
        assert_eq!(
            created.references,
            [
                reference("category", "apparel", "cat_apparel"),
                reference("offer", "Spring", "off_spring"),
                reference("channel", "Email", "ch_email"),
            ]
        );
        assert_eq!(created.scope, scope);
        let misspelt = "category:Aparel;offer:Sprign;channel:fax;subcategory:Shoes";
        assert_eq!(
            warnings(world, cap("pol_b", misspelt, 1, 1)).await,
            [
                "scope refers to category `Aparel`, which does not exist; did you mean `Apparel`?",
                "scope refers to offer `Sprign`, which does not exist; did you mean `Spring`?",
                "scope refers to channel `fax`, which does not exist; known are email, sms, web",
                "scope refers to subcategory `shoes`, which does not exist",
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_safeguard_that_a_typo_would_switch_off_says_so() {
    seeded_on_both(async |world| {
        world.app.follow(Arc::new(catalog()));
        let rule = |id: &str, rule: Rule| proto::ContactPolicy {
            rule: Some(rule),
            ..cap(id, "global", 1, 1)
        };
        let outcomes = vec!["complaints".to_owned(), "complaint".to_owned()];
        let rest = proto::OutcomeBased { outcomes, window_days: 90 };
        assert_eq!(
            warnings(world, rule("pol_rest", Rule::OutcomeBased(rest))).await,
            ["outcome_based refers to outcome type `complaints`, which does not exist; did you \
              mean `complaint`?"]
        );
        let offers = vec!["Spring".to_owned(), "off_spirng".to_owned()];
        let either = proto::MutualExclusion { offers, window_days: 9 };
        assert_eq!(
            warnings(world, rule("pol_either", Rule::MutualExclusion(either))).await,
            ["mutual_exclusion refers to offer `off_spirng`, which does not exist; known are \
              Spring"]
        );
        let (field, segments) = ("customer.tiers".to_owned(), vec!["gold".to_owned()]);
        let staff = proto::SegmentExclusion { field, segments };
        assert_eq!(
            warnings(world, rule("pol_staff", Rule::SegmentExclusion(staff))).await,
            ["segment_exclusion refers to field `tiers`, which does not exist; did you mean \
              `tier`?"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_checked_is_accepted_and_says_so() {
    seeded_on_both(async |world| {
        let created = world.create_policy(cap("pol_a", "category:Apparel;offer:o", 1, 1)).await;
        assert_eq!(
            created.warnings,
            ["category `Apparel`", "offer `o`"].map(|named| format!(
                "scope refers to {named}, which could not be checked: catalog-svc does not answer"
            ))
        );
        assert!(created.references.iter().all(|reference| reference.id.is_empty()));
        // Written again while the neighbor is there, it is bound.
        world.app.follow(Arc::new(catalog()));
        let request = proto::UpdateContactPolicyRequest {
            id: "pol_a".into(),
            contact_policy: Some(proto::ContactPolicy::default()),
            update_mask: Some(prost_types::FieldMask { paths: vec!["description".into()] }),
        };
        let updated = world.policies().update_contact_policy(request).await.unwrap();
        let updated = updated.into_inner().contact_policy.unwrap();
        assert_eq!(updated.references[0], reference("category", "Apparel", "cat_apparel"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_resources_place_is_not_taken_by_a_new_one_of_its_name() {
    seeded_on_both(async |world| {
        let log = catalog();
        world.app.follow(Arc::new(log.clone()));
        world.create_policy(cap("pol_a", "category:Apparel", 1, 1)).await;
        log.delete("category", "cat_apparel");
        log.write("category", "cat_new", "Apparel", Vec::new());
        let request = proto::UpdateContactPolicyRequest {
            id: "pol_a".into(),
            contact_policy: Some(proto::ContactPolicy::default()),
            update_mask: Some(prost_types::FieldMask { paths: vec!["description".into()] }),
        };
        let updated = world.policies().update_contact_policy(request).await.unwrap();
        let updated = updated.into_inner().contact_policy.unwrap();
        assert_eq!(updated.references, [reference("category", "Apparel", "cat_apparel")]);
        assert_eq!(updated.warnings, ["scope refers to category `Apparel`, which was deleted"]);
        let fresh = world.create_policy(cap("pol_b", "category:Apparel", 1, 1)).await;
        assert_eq!(fresh.references, [reference("category", "Apparel", "cat_new")]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_channel_keeps_its_policies_and_a_deleted_one_names_them() {
    seeded_on_both(async |world| {
        let fields = vec![SchemaField { name: "timezone".into(), ..Default::default() }];
        let schema = Schema { fields, ..Default::default() };
        let log = WrittenLog::default();
        log.write("schema", "schema_customer", "Customer", schema.encode_to_vec());
        world.app.follow(Arc::new(log));
        world.create_policy(cap("pol_b", "channel:email,ch_sms", 1, 1)).await;
        let update = proto::UpdateChannelRequest {
            id: "email".into(),
            channel: Some(proto::Channel { name: "newsletter".into(), ..Default::default() }),
            update_mask: Some(prost_types::FieldMask { paths: vec!["name".into()] }),
        };
        let renamed = world.channels().update_channel(update).await.unwrap();
        let renamed = renamed.into_inner().channel.unwrap();
        assert_eq!((renamed.warnings, renamed.channel_type.as_str()), (Vec::new(), "email"));
        let delete = proto::DeleteChannelRequest { id: "newsletter".into(), etag: String::new() };
        let deleted = world.channels().delete_channel(delete).await.unwrap().into_inner();
        assert_eq!(
            deleted.warnings,
            ["contact policy `pol_b` refers to channel `email`, which no longer exists"]
        );
    })
    .await;
}
