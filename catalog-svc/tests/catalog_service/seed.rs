//! The calls of the winback tutorial and of the outcome types' documentation, in their order.

use proffer_proto::{
    catalog::v1::{
        Classification, FieldType, ListOutcomeTypesRequest, Offer, Operator, OutcomeCategory,
        OutcomeType, OutputType,
    },
    values::v1::ResourceStatus,
};

use crate::support::{
    CUSTOMER_FIELDS, Catalog, boolean, category, condition, integer, offer, on_both, schema, text,
};

/// Schema and category of the tutorial.
pub async fn prepare(catalog: &Catalog) {
    catalog.create_schema(schema("Customer", &CUSTOMER_FIELDS)).await.unwrap();
    catalog.create_category(apparel()).await.unwrap();
}

pub fn apparel() -> proffer_proto::catalog::v1::Category {
    category(
        "Apparel",
        &[
            (
                "daysSinceLastPurchase",
                "round((today() - customer.lastPurchaseDate) / 86400)",
                OutputType::Integer,
            ),
            (
                "isRecoverable",
                "lifetimePurchases >= 3 && lifetimeRevenue >= 50",
                OutputType::Boolean,
            ),
        ],
    )
}

pub fn winback_offer(name: &str, in_category: &str, primary: &str, numbers: [f64; 3]) -> Offer {
    let rules = vec![
        condition("primaryCategory", Operator::Eq, text(primary)),
        condition("daysSinceLastPurchase", Operator::Gte, integer(90)),
        condition("daysSinceLastPurchase", Operator::Lte, integer(365)),
        condition("isRecoverable", Operator::Eq, boolean(true)),
    ];
    let [priority, business_value, margin] = numbers.map(Some);
    Offer { priority, business_value, margin, ..offer(name, in_category, rules) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_winback_tutorial_is_taken_as_it_stands() {
    on_both(async |catalog| {
        let customer = catalog.create_schema(schema("Customer", &CUSTOMER_FIELDS)).await.unwrap();
        assert_eq!(
            (customer.id.as_str(), customer.status(), customer.revision),
            ("schema_customer", ResourceStatus::Active, 1)
        );
        assert_eq!(customer.fields.len(), 8);
        assert_eq!(customer.fields[0].r#type(), FieldType::Date);
        assert_eq!(customer.warnings, [""; 0]);
        let category = catalog.create_category(apparel()).await.unwrap();
        assert_eq!(
            (category.id.as_str(), category.status()),
            ("cat_apparel", ResourceStatus::Active)
        );
        assert_eq!(category.warnings, [""; 0]);

        let apparel = winback_offer("Apparel — 20% back", "Apparel", "apparel", [70.0, 30.0, 50.0]);
        let apparel = catalog.create_offer(apparel).await.unwrap();
        assert_eq!(
            (apparel.id.as_str(), apparel.status()),
            ("off_apparel_20_back", ResourceStatus::Active)
        );
        assert_eq!((apparel.warnings.len(), apparel.purpose.as_str()), (0, "marketing"));
        let name = "Electronics — free shipping + 10% off";
        let electronics = winback_offer(name, "Electronics", "electronics", [75.0, 60.0, 35.0]);
        let home = winback_offer("Home — bundle 3, save 15%", "Home", "home", [70.0, 40.0, 45.0]);
        for offer in [electronics, home] {
            let created = catalog.create_offer(offer.clone()).await.unwrap();
            let category = &offer.category;
            let warning = format!(
                "category `{category}` does not exist: the offer belongs to it by name and has no \
                 computed fields of its own"
            );
            assert_eq!(created.warnings, [warning]);
            assert_eq!(created.qualification_rules, offer.qualification_rules);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_outcome_type_is_created_and_listed_behind_the_ten() {
    on_both(async |catalog| {
        let quote = OutcomeType {
            key: "quote_requested".into(),
            name: "Quote Requested".into(),
            description: "Customer requested a price quote for the offered product".into(),
            classification: Classification::Positive.into(),
            category: OutcomeCategory::Response.into(),
            ..Default::default()
        };
        let created = catalog.create_outcome_type(quote.clone()).await.unwrap();
        let at = Some(history::timestamp(catalog.clock.now()));
        assert!(created.revision > 0 && !created.etag.is_empty());
        let expected = OutcomeType {
            counts_as_contact: Some(false),
            revision: created.revision,
            etag: created.etag.clone(),
            created_at: at,
            updated_at: at,
            ..quote
        };
        assert_eq!(created, expected);
        let request = ListOutcomeTypesRequest::default();
        let listed =
            catalog.outcome_types().list_outcome_types(request).await.unwrap().into_inner();
        let keys: Vec<_> = listed.outcome_types.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "impression",
                "click",
                "conversion",
                "not_interested",
                "opt_out",
                "defer",
                "dismiss",
                "share",
                "save",
                "complaint",
                "quote_requested",
            ]
        );
        let impression = &listed.outcome_types[0];
        assert_eq!(impression.description, "Customer was shown the recommendation");
        assert_eq!(
            (impression.is_system, impression.counts_as_contact, impression.created_at),
            (true, Some(true), None)
        );
        assert_eq!(listed.outcome_types[1].description, "Customer clicked on the recommendation");
        assert_eq!(listed.outcome_types[10], expected);
        catalog.delete_outcome_type("quote_requested").await.unwrap();
    })
    .await;
}
