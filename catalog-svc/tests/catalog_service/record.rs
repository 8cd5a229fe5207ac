//! One customer's record.

use proffer_proto::{
    catalog::v1::{
        CustomerRecord, DeleteRecordRequest, FieldType, ListRecordsRequest, PutRecordRequest,
    },
    values::v1::Value,
};
use tonic::{Code, Status};

use crate::support::{
    CUSTOMER_FIELDS, Catalog, boolean, code, decimal, double, faults, instant, integer, list, null,
    on_both, on_sqlite, refusal, schema, text,
};

async fn customers(catalog: &Catalog) {
    catalog.create_schema(schema("Customer", &CUSTOMER_FIELDS)).await.unwrap();
}

async fn page(
    catalog: &Catalog,
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<CustomerRecord>, String), Status> {
    let (schema, page_token) = ("Customer".to_owned(), page_token.to_owned());
    let answer = catalog
        .records()
        .list_records(ListRecordsRequest { schema, page_size, page_token })
        .await?;
    let answer = answer.into_inner();
    Ok((answer.records, answer.next_page_token))
}

async fn delete(catalog: &Catalog, customer_id: &str) -> Result<(), Status> {
    let request =
        DeleteRecordRequest { schema: "Customer".into(), customer_id: customer_id.into() };
    catalog.records().delete_record(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn put_replaces_patch_merges_and_null_clears() {
    on_both(async |catalog| {
        customers(&catalog).await;
        let whole = [
            ("lastPurchaseDate", text("2026-07-03")),
            ("lifetimePurchases", integer(4)),
            ("timezone", null()),
        ];
        let created = catalog.put("c1", &whole).await.unwrap();
        assert_eq!((created.customer_id.as_str(), created.version), ("c1", 1));
        assert_eq!(created.updated_at, Some(history::timestamp(catalog.clock.now())));
        assert_eq!(
            created.fields.keys().collect::<Vec<_>>(),
            ["lastPurchaseDate", "lifetimePurchases"]
        );

        catalog.clock.set(instant("2026-11-26T10:00:00Z"));
        let changes = [("lifetimePurchases", null()), ("lifetimeRevenue", decimal("19.90"))];
        let patched = catalog.patch("c1", &changes).await.unwrap();
        assert_eq!(
            (patched.version, patched.updated_at),
            (2, Some(history::timestamp(catalog.clock.now())))
        );
        assert_eq!(patched.fields.len(), 2);
        assert_eq!(patched.fields["lifetimeRevenue"], decimal("19.90"));
        assert_eq!(catalog.get("c1").await.unwrap(), patched);

        let replaced = catalog.put("c1", &[("consentEmail", boolean(true))]).await.unwrap();
        assert_eq!((replaced.version, replaced.fields.len()), (3, 1));
        assert_eq!(catalog.lookup_customer("c1", "customer").await.record, Some(replaced));

        delete(&catalog, "c1").await.unwrap();
        assert_eq!(code(catalog.get("c1").await), Code::NotFound);
        assert_eq!(code(delete(&catalog, "c1").await), Code::NotFound);
        assert_eq!(code(catalog.patch("c1", &[]).await), Code::NotFound);
        assert_eq!(catalog.put("c1", &[]).await.unwrap().version, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_strict_and_exact() {
    let catalog = on_sqlite().await;
    let fields = [
        ("s", FieldType::String),
        ("i", FieldType::Integer),
        ("d", FieldType::Decimal),
        ("t", FieldType::Timestamp),
    ];
    catalog.create_schema(schema("Customer", &fields)).await.unwrap();
    let check = async |field: &str, given: Value, expected: Result<Value, &str>| {
        let stored = catalog.put("c", &[(field, given.clone())]).await;
        match expected {
            Ok(expected) => assert_eq!(stored.unwrap().fields[field], expected),
            Err(message) => {
                assert_eq!(faults(stored), [format!("record.fields.{field} {message}")])
            }
        }
    };
    check(
        "d",
        decimal("0.1000000000000000000000000001"),
        Ok(decimal("0.1000000000000000000000000001")),
    )
    .await;
    check("d", text("1e3"), Ok(decimal("1000"))).await;
    check("d", double(19.9), Ok(decimal("19.9"))).await;
    check(
        "d",
        decimal("12345678901234567890123456789"),
        Err("has 29 significant digits, which exceeds the maximum 28"),
    )
    .await;
    check("i", double(12.0), Ok(integer(12))).await;
    check("i", decimal("1e3"), Ok(integer(1000))).await;
    check("i", integer(i64::MAX), Ok(integer(i64::MAX))).await;
    check("i", decimal("12.5"), Err("must be an integer, not the number 12.5")).await;
    check("t", text("2026-07-03T12:00:00.5+02:00"), Ok(text("2026-07-03T10:00:00.500Z"))).await;
    check(
        "t",
        text("2026-07-03"),
        Err("`2026-07-03` is not a timestamp: write RFC 3339 with an offset"),
    )
    .await;
    check("s", list(vec![text("a")]), Err("must be a string, not a list")).await;
    check("s", text("a\0b"), Err("must not contain a null character")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_record_is_told() {
    let catalog = on_sqlite().await;
    customers(&catalog).await;
    let wrong = [
        ("consentEmial", boolean(true)),
        ("lastPurchaseDate", text("2026-02-30")),
        ("lifetimePurchases", text("four")),
        ("consentSMS", integer(1)),
    ];
    assert_eq!(
        faults(catalog.put("a\nb", &wrong).await),
        [
            "record.customer_id must not contain control characters",
            "record.fields.consentEmial is not a field of schema `Customer`; did you mean \
             `consentEmail`?",
            "record.fields.consentSMS must be true or false, not the number 1",
            "record.fields.lastPurchaseDate `2026-02-30` is not a calendar date: write YYYY-MM-DD",
            "record.fields.lifetimePurchases must be an integer, not the string `four`",
        ]
    );
    let missing = PutRecordRequest { schema: "Customer".into(), record: None };
    assert_eq!(faults(catalog.records().put_record(missing).await), ["record is required"]);
    let unknown = PutRecordRequest { schema: "Custommer".into(), record: None };
    assert_eq!(
        refusal(catalog.records().put_record(unknown).await),
        (Code::NotFound, "NOT_FOUND".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_compared_and_ordered_byte_for_byte() {
    on_both(async |catalog| {
        customers(&catalog).await;
        let ids = ["Z", "a", "a ", "a/b", "b", "z", "ä", "日本", "😀"];
        for id in ids.iter().rev() {
            catalog.put(id, &[]).await.unwrap();
        }
        assert_eq!(code(catalog.get("A").await), Code::NotFound);
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let (records, next) = page(&catalog, 2, &token).await.unwrap();
            seen.extend(records.into_iter().map(|record| record.customer_id));
            if next.is_empty() {
                break;
            }
            token = next;
        }
        assert_eq!(seen, ids);
        assert_eq!(page(&catalog, 9, "").await.unwrap().1, "");
        assert_eq!(
            faults(page(&catalog, 1001, "").await),
            ["page_size is 1001; it must be 1 to 1000"]
        );
        assert_eq!(
            faults(page(&catalog, 1, "zz").await),
            ["page_token is not a token of an earlier page"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_customer_id_is_refused_everywhere() {
    on_both(async |catalog| {
        customers(&catalog).await;
        let long = "x".repeat(129);
        for wrong in ["", "a\0b", "\u{7f}", long.as_str()] {
            assert_eq!(code(catalog.put(wrong, &[]).await), Code::InvalidArgument);
            assert_eq!(code(catalog.patch(wrong, &[]).await), Code::InvalidArgument);
            assert_eq!(code(catalog.get(wrong).await), Code::InvalidArgument);
            assert_eq!(code(delete(&catalog, wrong).await), Code::InvalidArgument);
            assert_eq!(catalog.lookup_customer(wrong, "Customer").await.record, None);
        }
        catalog.put(&"x".repeat(128), &[]).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_stays_small() {
    on_both(async |catalog| {
        let names: Vec<String> = (0..5).map(|n| format!("f{n}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), FieldType::String)).collect();
        catalog.create_schema(schema("Customer", &fields)).await.unwrap();
        let big = text(&"x".repeat(16 * 1024));
        let three: Vec<_> = names.iter().take(3).map(|name| (name.as_str(), big.clone())).collect();
        catalog.put("c1", &three).await.unwrap();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), big.clone())).collect();
        assert!(faults(catalog.put("c1", &all).await)[0].starts_with("record the record has 82"));
        let two: Vec<_> = names.iter().skip(3).map(|name| (name.as_str(), big.clone())).collect();
        assert!(faults(catalog.patch("c1", &two).await)[0].ends_with("exceeds the maximum 65536"));
        assert_eq!(catalog.get("c1").await.unwrap().version, 1);
    })
    .await;
}

/// A page ends early rather than to outgrow an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_records_is_cut() {
    let catalog = on_sqlite().await;
    let fields = [("a", FieldType::String), ("b", FieldType::String), ("c", FieldType::String)];
    catalog.create_schema(schema("Customer", &fields)).await.unwrap();
    let big = || text(&"x".repeat(16 * 1024));
    for n in 0..30 {
        catalog
            .put(&format!("c{n:02}"), &[("a", big()), ("b", big()), ("c", big())])
            .await
            .unwrap();
    }
    let (first, token) = page(&catalog, 1000, "").await.unwrap();
    assert_eq!(first.len(), 21);
    let (rest, end) = page(&catalog, 1000, &token).await.unwrap();
    assert_eq!((rest.len(), rest[0].customer_id.as_str(), end.as_str()), (9, "c21", ""));
}

/// Each caller writes a field of its own; a merge on a stale read would lose some.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_patches_at_once_lose_nothing() {
    on_both(async |catalog| {
        let names: Vec<String> = (0..32).map(|n| format!("f{n}")).collect();
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), FieldType::Integer)).collect();
        catalog.create_schema(schema("Customer", &fields)).await.unwrap();
        catalog.put("c1", &[]).await.unwrap();
        let (catalog, names) = (&catalog, &names);
        let patches = (0..32).map(|n| async move {
            catalog.patch("c1", &[(&names[n], integer(n as i64))]).await.unwrap()
        });
        futures::future::join_all(patches).await;
        let record = catalog.get("c1").await.unwrap();
        assert_eq!((record.version, record.fields.len()), (33, 32));
        assert!((0..32).all(|n| record.fields[&names[n]] == integer(n as i64)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_each_other() {
    on_both(async |catalog| {
        customers(&catalog).await;
        catalog.put("c1", &[]).await.unwrap();
        let request = proffer_proto::catalog::v1::GetRecordRequest {
            schema: "Customer".into(),
            customer_id: "c1".into(),
        };
        let other = serve::metadata::request("other", request);
        assert_eq!(code(catalog.records().get_record(other).await), Code::NotFound);
    })
    .await;
}
