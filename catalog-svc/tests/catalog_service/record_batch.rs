//! Batches of records.

use proffer_proto::catalog::v1::{CustomerRecord, RowFault};
use tonic::Code;

use crate::support::{
    CUSTOMER_FIELDS, Catalog, code, integer, on_both, on_sqlite, record, refusal, schema, text,
};

async fn customers(catalog: &Catalog) {
    catalog.create_schema(schema("Customer", &CUSTOMER_FIELDS)).await.unwrap();
}

fn purchases(id: &str, count: i64) -> CustomerRecord {
    record(id, &[("lifetimePurchases", integer(count))])
}

fn lines(faults: &[RowFault]) -> Vec<String> {
    let line = |fault: &RowFault| {
        format!("{} {} {} {}", fault.index, fault.customer_id, fault.field, fault.message)
    };
    faults.iter().map(line).collect()
}

fn mixed() -> Vec<CustomerRecord> {
    vec![
        purchases("c1", 1),
        record("c2", &[("lifetimePurchases", text("two")), ("colour", text("red"))]),
        purchases("", 3),
        purchases("c1", 4),
        purchases("c5", 5),
    ]
}

const MIXED_FAULTS: [&str; 4] = [
    "1 c2 colour is not a field of schema `Customer`; known are consentEmail, consentSMS, \
     lastPurchaseDate, \
     lifetimePurchases, lifetimeRevenue, preferredChannel, primaryCategory, timezone",
    "1 c2 lifetimePurchases must be an integer, not the string `two`",
    "2  customerId is required",
    "3 c1 customerId `c1` is in row 0 already: send one row per customer",
];

#[tokio::test(flavor = "multi_thread")]
async fn faulty_rows_are_refused_by_row_and_field_and_the_rest_is_kept() {
    on_both(async |catalog| {
        customers(&catalog).await;
        catalog.put("c5", &[("timezone", text("UTC"))]).await.unwrap();
        let answer = catalog.batch(mixed(), false).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (2, 3));
        assert_eq!(lines(&answer.faults), MIXED_FAULTS);
        assert_eq!(catalog.get("c1").await.unwrap().fields["lifetimePurchases"], integer(1));
        let replaced = catalog.get("c5").await.unwrap();
        assert_eq!((replaced.version, replaced.fields.len()), (2, 1));
        assert_eq!(code(catalog.get("c2").await), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_or_nothing_keeps_nothing_when_one_row_is_faulty() {
    on_both(async |catalog| {
        customers(&catalog).await;
        let answer = catalog.batch(mixed(), true).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (0, 5));
        assert_eq!(lines(&answer.faults), MIXED_FAULTS);
        assert_eq!(code(catalog.get("c1").await), Code::NotFound);
        let right = vec![purchases("c1", 1), purchases("c2", 2)];
        let answer = catalog.batch(right, true).await.unwrap();
        assert_eq!((answer.accepted, answer.refused, answer.faults.len()), (2, 0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_rows_are_the_most() {
    on_both(async |catalog| {
        customers(&catalog).await;
        let rows = |count: i64| (0..count).map(|n| purchases(&format!("c{n}"), n)).collect();
        let answer = catalog.batch(rows(1_000), false).await.unwrap();
        assert_eq!((answer.accepted, answer.refused), (1_000, 0));
        assert_eq!(catalog.get("c999").await.unwrap().fields["lifetimePurchases"], integer(999));
        assert_eq!(catalog.batch(rows(1_000), false).await.unwrap().accepted, 1_000);
        assert_eq!(catalog.get("c250").await.unwrap().version, 2);
        let beyond = refusal(catalog.batch(rows(1_001), false).await);
        assert_eq!(beyond, (Code::InvalidArgument, "LIMIT_EXCEEDED".to_owned()));
        assert_eq!(catalog.batch(Vec::new(), false).await.unwrap().accepted, 0);
    })
    .await;
}

/// An answer has a size; a row with very many faults tells some and counts the rest.
#[tokio::test(flavor = "multi_thread")]
async fn the_faults_of_one_row_are_counted_beyond_ten() {
    let catalog = on_sqlite().await;
    let names: Vec<String> = (0..40).map(|n| format!("f{n}")).collect();
    let of_type = |name| (name, proffer_proto::catalog::v1::FieldType::String);
    let fields: Vec<_> = names.iter().map(String::as_str).map(of_type).collect();
    catalog.create_schema(schema("Customer", &fields)).await.unwrap();
    let fields: Vec<_> = names.iter().map(|name| (name.as_str(), integer(1))).collect();
    let answer = catalog.batch(vec![record("c1", &fields)], false).await.unwrap();
    assert_eq!((answer.faults.len(), answer.refused), (10, 1));
    assert!(answer.faults[9].message.ends_with("; and 30 more faults"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_large_is_refused_alone() {
    let catalog = on_sqlite().await;
    let names: Vec<String> = (0..5).map(|n| format!("f{n}")).collect();
    let fields: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), proffer_proto::catalog::v1::FieldType::String))
        .collect();
    catalog.create_schema(schema("Customer", &fields)).await.unwrap();
    let big: Vec<_> =
        names.iter().map(|name| (name.as_str(), text(&"x".repeat(16 * 1024)))).collect();
    let answer = catalog.batch(vec![record("c1", &big), record("c2", &[])], false).await.unwrap();
    assert_eq!((answer.accepted, answer.refused), (1, 1));
    assert!(answer.faults[0].message.ends_with("exceeds the maximum 65536"), "{:?}", answer.faults);
}

/// Two batches with the same customers in opposite orders must not wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn crossing_batches_do_not_lock_each_other_out() {
    on_both(async |catalog| {
        customers(&catalog).await;
        let (catalog, count) = (&catalog, 16);
        let batches = (0..count).map(|turn| async move {
            let mut rows: Vec<_> = (0..200).map(|n| purchases(&format!("c{n:03}"), turn)).collect();
            if turn % 2 == 0 {
                rows.reverse();
            }
            catalog.batch(rows, false).await.unwrap()
        });
        futures::future::join_all(batches).await;
        assert_eq!(catalog.get("c100").await.unwrap().version, count);
    })
    .await;
}
