//! What decision-svc asks: one customer's facts, and the configuration as it changes.

use futures::StreamExt as _;
use proffer_proto::{
    catalog::v1::{
        BatchLookupCustomersRequest, BatchLookupCustomersResponse, Classification, FieldType,
        LookupCustomerRequest, OutcomeCategory, OutcomeType, Placement, WatchCatalogRequest,
        WatchCatalogResponse,
    },
    values::v1::ConfigurationChange,
};
use prost::Message as _;
use tonic::{Code, Status, Streaming};

use crate::{
    seed::{prepare, winback_offer},
    support::{Catalog, clicks, code, creative, integer, on_both, on_sqlite, record, schema, text},
};

async fn watch(catalog: &Catalog, after_revision: i64) -> Streaming<WatchCatalogResponse> {
    catalog
        .lookup()
        .watch_catalog(WatchCatalogRequest { after_revision })
        .await
        .unwrap()
        .into_inner()
}

async fn next(stream: &mut Streaming<WatchCatalogResponse>) -> (Vec<ConfigurationChange>, i64) {
    let page = stream.next().await.unwrap().unwrap();
    (page.changes, page.head_revision)
}

fn told(changes: &[ConfigurationChange]) -> Vec<(i64, &str, &str, bool)> {
    changes
        .iter()
        .map(|change| (change.revision, change.kind.as_str(), change.id.as_str(), change.deleted))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_tells_the_record_and_the_head_of_the_log() {
    on_both(async |catalog| {
        let empty = catalog.lookup_customer("c1", "Customer").await;
        assert_eq!((empty.record, empty.head_revision), (None, 0));
        prepare(&catalog).await;
        let unknown = catalog.lookup_customer("c1", "Customer").await;
        assert_eq!((unknown.record, unknown.head_revision), (None, 2));
        let put = catalog.put("c1", &[("lifetimePurchases", integer(4))]).await.unwrap();
        for schema in ["Customer", "customer", "schema_customer"] {
            let known = catalog.lookup_customer("c1", schema).await;
            assert_eq!((known.record.as_ref(), known.head_revision), (Some(&put), 2), "{schema}");
        }
        assert_eq!(catalog.lookup_customer("c1", "Lead").await.record, None);
        assert_eq!(catalog.lookup_customer("c1", "\0").await.record, None);
    })
    .await;
}

async fn lookup_all(
    catalog: &Catalog,
    wanted: &[(&str, &str)],
) -> Result<BatchLookupCustomersResponse, Status> {
    let ask = |(customer_id, schema): &(&str, &str)| LookupCustomerRequest {
        customer_id: (*customer_id).to_owned(),
        schema: (*schema).to_owned(),
    };
    let request = BatchLookupCustomersRequest { customers: wanted.iter().map(ask).collect() };
    catalog.lookup().batch_lookup_customers(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn several_customers_are_looked_up_as_each_would_be_alone() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        for (customer_id, purchases) in [("c1", 1), ("c2", 2), ("c3", 3)] {
            catalog.put(customer_id, &[("lifetimePurchases", integer(purchases))]).await.unwrap();
        }
        let wanted = [
            ("c3", "Customer"),
            ("c9", "Customer"),
            ("c1", "schema_customer"),
            ("c2", "Lead"),
            ("", "Customer"),
            ("c\0", "Customer"),
            ("c2", "\0"),
            ("c3", "customer"),
            ("c2", "Customer"),
        ];
        let together = lookup_all(&catalog, &wanted).await.unwrap();
        assert_eq!((together.customers.len(), together.head_revision), (9, 2));
        for ((customer_id, schema), found) in wanted.iter().zip(together.customers) {
            let alone = catalog.lookup_customer(customer_id, schema).await.record;
            assert_eq!(found.record, alone, "{customer_id:?} {schema:?}");
        }
        let nobody = lookup_all(&catalog, &[]).await.unwrap();
        assert_eq!((nobody.customers.len(), nobody.head_revision), (0, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_of_several_has_limits_and_answers_what_fits() {
    on_both(async |catalog| {
        catalog.create_schema(schema("Customer", &[("note", FieldType::String)])).await.unwrap();
        let note = "x".repeat(16_000);
        let ids: Vec<_> = (0..256).map(|number| format!("c{number}")).collect();
        let records = ids.iter().map(|id| record(id, &[("note", text(&note))]));
        for records in records.collect::<Vec<_>>().chunks(15) {
            catalog.batch(records.to_vec(), true).await.unwrap();
        }
        let wanted: Vec<_> = ids.iter().map(|id| (id.as_str(), "Customer")).collect();
        let found = lookup_all(&catalog, &wanted).await.unwrap().customers;
        assert!((190..256).contains(&found.len()), "{}", found.len());
        for (id, found) in ids.iter().zip(&found) {
            assert_eq!(&found.record.as_ref().unwrap().customer_id, id);
        }
        let too_many = vec![("c1", "Customer"); 257];
        assert_eq!(code(lookup_all(&catalog, &too_many).await), Code::InvalidArgument);
    })
    .await;
}

/// A tenant that wrote nothing has the ten system types all the same, and a watcher hears of them
/// at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_begins_with_the_system_types() {
    on_both(async |catalog| {
        let mut stream = watch(&catalog, 0).await;
        let (changes, head) = next(&mut stream).await;
        assert_eq!((changes.len(), head), (10, 0));
        assert!(changes.iter().all(|change| change.revision == 0
            && change.kind == "outcome_type"
            && !change.deleted));
        let impression = OutcomeType::decode(changes[0].resource.as_slice()).unwrap();
        assert_eq!(
            (changes[0].id.as_str(), changes[0].name.as_str()),
            ("impression", "Impression")
        );
        assert_eq!(impression.category(), OutcomeCategory::Impression);
        assert_eq!((impression.counts_as_contact, impression.is_system), (Some(true), true));

        prepare(&catalog).await;
        let mut seen = Vec::new();
        let mut head = 0;
        while head < 2 {
            let (changes, known) = next(&mut stream).await;
            seen.extend(changes);
            head = known;
        }
        assert_eq!(
            told(&seen),
            [(1, "schema", "schema_customer", false), (2, "category", "cat_apparel", false)]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_every_kind_and_every_change() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let offer =
            catalog.create_offer(winback_offer("Apparel", "Apparel", "x", [1.0; 3])).await.unwrap();
        let expired = OutcomeType {
            key: "expired".into(),
            name: "Expired".into(),
            classification: Classification::Neutral.into(),
            category: OutcomeCategory::Impression.into(),
            ..Default::default()
        };
        catalog.create_outcome_type(expired.clone()).await.unwrap();
        catalog.delete_outcome_type("expired").await.unwrap();
        catalog.create_outcome_type(expired).await.unwrap();
        let request = proffer_proto::catalog::v1::DeleteOfferRequest {
            id: offer.id.clone(),
            etag: String::new(),
        };
        catalog.offers().delete_offer(request).await.unwrap();
        catalog.create_metric(clicks()).await.unwrap();
        let hero = Placement { name: "Home hero".into(), ..Default::default() };
        catalog.create_placement(hero).await.unwrap();
        catalog.create_creative(creative("Letter", "off_apparel")).await.unwrap();

        let (changes, head) = next(&mut watch(&catalog, 0).await).await;
        assert_eq!(head, 10);
        assert_eq!(
            told(&changes[10..]),
            [
                (1, "schema", "schema_customer", false),
                (2, "category", "cat_apparel", false),
                (3, "offer", "off_apparel", false),
                (4, "outcome_type", "expired", false),
                (5, "outcome_type", "expired", true),
                (6, "outcome_type", "expired", false),
                (7, "offer", "off_apparel", true),
                (8, "behavioral_metric", "clicks_7d", false),
                (9, "placement", "plc_home_hero", false),
                (10, "creative", "cre_letter", false),
            ]
        );
        let stored =
            proffer_proto::catalog::v1::Offer::decode(changes[12].resource.as_slice()).unwrap();
        assert_eq!((stored.qualification_rules.len(), stored.warnings.len()), (4, 0));
        let custom = OutcomeType::decode(changes[15].resource.as_slice()).unwrap();
        assert_eq!(custom.counts_as_contact, Some(false));
    })
    .await;
}

/// A caller that resumes knows the system types already, and the first answer comes at once even
/// when it is empty.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_resumes_after_the_last_revision_seen() {
    on_both(async |catalog| {
        prepare(&catalog).await;
        let mut stream = watch(&catalog, 2).await;
        assert_eq!(next(&mut stream).await, (Vec::new(), 2));
        catalog.create_offer(winback_offer("Apparel", "Apparel", "x", [1.0; 3])).await.unwrap();
        let (changes, head) = next(&mut stream).await;
        assert_eq!((told(&changes), head), (vec![(3, "offer", "off_apparel", false)], 3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_from_before_the_beginning_is_refused() {
    let catalog = on_sqlite().await;
    let refused = catalog.lookup().watch_catalog(WatchCatalogRequest { after_revision: -1 }).await;
    assert_eq!(code(refused.map(drop)), Code::InvalidArgument);
}
