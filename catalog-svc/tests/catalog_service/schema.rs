//! Schemas: fields come and go, and never change their type.

use proffer_proto::{
    catalog::v1::{FieldType, Schema, SchemaField},
    values::v1::ResourceStatus,
};
use tonic::Code;

use crate::{
    seed::{prepare, winback_offer},
    support::{CUSTOMER_FIELDS, code, faults, integer, on_both, on_sqlite, refusal, schema, text},
};

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_schema_is_told() {
    let catalog = on_sqlite().await;
    let mut wrong = schema(
        "",
        &[("a", FieldType::String), ("a", FieldType::Date), ("version", FieldType::String)],
    );
    wrong.fields.push(SchemaField { name: "b".into(), r#type: 77, ..Default::default() });
    wrong.status = 9;
    wrong.id = "Not an id".into();
    assert_eq!(
        faults(catalog.create_schema(wrong).await),
        [
            "schema.name is required",
            "schema.id `Not an id` must match [a-z][a-z0-9_]{0,62}",
            "schema.status must be one of active, draft, paused, archived",
            "schema.fields[1].name `a` is used twice",
            "schema.fields[2].name `version` is taken: every record has it",
            "schema.fields[3].type of `b` must be one of string, integer, decimal, boolean, date, \
             timestamp",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_is_never_retyped_not_even_after_it_was_removed() {
    on_both(async |catalog| {
        let (a, b) = (("a", FieldType::String), ("b", FieldType::Integer));
        catalog.create_schema(schema("Customer", &[a])).await.unwrap();
        let retyped = (Code::FailedPrecondition, "FIELD_RETYPED".to_owned());
        assert_eq!(
            refusal(catalog.set_fields("Customer", &[("a", FieldType::Integer)]).await),
            retyped
        );
        assert_eq!(catalog.set_fields("Customer", &[a, b]).await.unwrap().fields.len(), 2);
        catalog.set_fields("Customer", &[b]).await.unwrap();
        assert_eq!(
            refusal(catalog.set_fields("Customer", &[b, ("a", FieldType::Date)]).await),
            retyped
        );
        let status = catalog.set_fields("Customer", &[("a", FieldType::Date)]).await.unwrap_err();
        let message =
            "field `a` is of type string and cannot become date: add a field of another name";
        assert_eq!(status.message(), message);
        assert_eq!(catalog.set_fields("Customer", &[b, a]).await.unwrap().fields.len(), 2);
    })
    .await;
}

/// The log is read back in pages, and the oldest revision counts like the newest.
#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_remembered_over_many_revisions() {
    on_both(async |catalog| {
        catalog.create_schema(schema("Customer", &[("a", FieldType::String)])).await.unwrap();
        for n in 0..120 {
            let description = n.to_string();
            let patch = Schema { description, ..Default::default() };
            catalog.update_schema("Customer", patch, &["description", "fields"]).await.unwrap();
        }
        let retyped = catalog.set_fields("Customer", &[("a", FieldType::Integer)]).await;
        assert_eq!(code(retyped), Code::FailedPrecondition);
        catalog.set_fields("Customer", &[("a", FieldType::String)]).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_field_reads_as_null_and_comes_back_with_its_values() {
    on_both(async |catalog| {
        let (a, b) = (("a", FieldType::String), ("b", FieldType::Integer));
        catalog.create_schema(schema("Customer", &[a, b])).await.unwrap();
        catalog.put("c1", &[("a", text("x")), ("b", integer(1))]).await.unwrap();
        catalog.set_fields("Customer", &[b]).await.unwrap();
        assert_eq!(catalog.get("c1").await.unwrap().fields.keys().collect::<Vec<_>>(), ["b"]);
        let looked_up = catalog.lookup_customer("c1", "Customer").await.record.unwrap();
        assert_eq!(looked_up.fields.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(
            faults(catalog.patch("c1", &[("a", text("y"))]).await),
            ["record.fields.a is not a field of schema `Customer`; did you mean `b`?"]
        );
        catalog.patch("c1", &[("b", integer(2))]).await.unwrap();
        catalog.set_fields("Customer", &[a, b]).await.unwrap();
        assert_eq!(catalog.get("c1").await.unwrap().fields["a"], text("x"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_a_field_that_is_needed_succeeds_and_says_what_it_broke() {
    let catalog = on_sqlite().await;
    prepare(&catalog).await;
    for name in ["Apparel", "Home"] {
        catalog.create_offer(winback_offer(name, name, "x", [1.0; 3])).await.unwrap();
    }
    let updated = catalog.set_fields("Customer", &CUSTOMER_FIELDS[1..]).await.unwrap();
    assert_eq!(updated.warnings.len(), 3, "{:?}", updated.warnings);
    let begins = |n: usize, with: &str| {
        assert!(updated.warnings[n].starts_with(with), "{}", updated.warnings[n])
    };
    begins(0, "computed field `daysSinceLastPurchase` of category `Apparel`: formula `round(");
    begins(
        1,
        "offer `off_apparel` is refused in decisions from now on: qualification_rules[1].field:",
    );
    begins(
        2,
        "offer `off_home` is refused in decisions from now on: qualification_rules[1].field:",
    );
    let again =
        catalog.update_schema("Customer", Schema::default(), &["description"]).await.unwrap();
    assert_eq!(again.warnings, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_schema_leaves_its_records_out_of_sight() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        catalog.create_offer(winback_offer("Apparel", "Apparel", "x", [1.0; 3])).await.unwrap();
        catalog.put("c1", &[]).await.unwrap();
        catalog.delete_schema("Customer").await.unwrap();
        assert_eq!(code(catalog.get("c1").await), Code::NotFound);
        assert_eq!(catalog.lookup_customer("c1", "Customer").await.record, None);
        assert_eq!(code(catalog.delete_schema("Customer").await), Code::NotFound);
        let again = catalog.create_schema(schema("Customer", &CUSTOMER_FIELDS)).await.unwrap();
        assert_eq!(again.id, "schema_customer_2");
        assert_eq!(code(catalog.get("c1").await), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_kept_and_active_when_left_out() {
    let catalog = on_sqlite().await;
    let draft = Schema { status: ResourceStatus::Draft.into(), ..schema("Draft", &[]) };
    assert_eq!(catalog.create_schema(draft).await.unwrap().status(), ResourceStatus::Draft);
    let renamed = Schema { name: "Plan".into(), ..Default::default() };
    assert_eq!(
        catalog.update_schema("Draft", renamed, &["name"]).await.unwrap().status(),
        ResourceStatus::Draft
    );
    let unset = catalog.update_schema("Plan", Schema::default(), &["status"]).await.unwrap();
    assert_eq!((unset.name.as_str(), unset.status()), ("Plan", ResourceStatus::Active));
}
