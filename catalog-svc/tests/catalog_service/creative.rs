//! Creatives: their content, and what they refer to.

use std::collections::BTreeMap;

use proffer_proto::{
    catalog::v1::{
        Creative, DeleteCreativeRequest, GetCreativeRequest, ListCreativesRequest, Offer, Placement,
    },
    values::v1::{ResourceStatus, Value},
};
use tonic::{Code, Status};

use crate::support::{
    Catalog, code, creative, decimal, double, faults, integer, list, null, offer, on_both,
    on_sqlite, text,
};

fn content(entries: &[(&str, Value)]) -> BTreeMap<String, Value> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

async fn get(catalog: &Catalog, named: &str) -> Result<Creative, Status> {
    let request = GetCreativeRequest { id: named.to_owned() };
    Ok(catalog.creatives().get_creative(request).await?.into_inner().creative.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creative_lives_like_every_resource() {
    on_both(async |catalog| {
        catalog.create_offer(offer("Apparel", "Apparel", vec![])).await.unwrap();
        let said = [
            ("subject", text("We miss you")),
            ("imageUrl", text("https://x/{a}.png")),
            ("rank", integer(1)),
        ];
        let given = Creative {
            channel: "email".into(),
            content: content(&said),
            ..creative("Letter", "off_apparel")
        };
        let created = catalog.create_creative(given).await.unwrap();
        assert_eq!((created.id.as_str(), created.status()), ("cre_letter", ResourceStatus::Active));
        assert_eq!((created.weight, created.content.clone()), (Some(100.0), content(&said)));
        assert_eq!(created.warnings, [""; 0]);
        assert_eq!(get(&catalog, "LETTER").await.unwrap(), created);

        let patch = Creative {
            weight: Some(0.0),
            content: content(&[("body", text("Hi"))]),
            ..Default::default()
        };
        let updated =
            catalog.update_creative("letter", patch, &["weight", "content"]).await.unwrap();
        assert_eq!(
            (updated.weight, updated.content.len(), updated.channel.as_str()),
            (Some(0.0), 1, "email")
        );
        let cleared =
            catalog.update_creative("letter", Creative::default(), &["weight"]).await.unwrap();
        assert_eq!(cleared.weight, Some(100.0));

        let listed = catalog
            .creatives()
            .list_creatives(ListCreativesRequest::default())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(listed.creatives, [cleared]);
        let delete = || DeleteCreativeRequest { id: "letter".into(), etag: String::new() };
        catalog.creatives().delete_creative(delete()).await.unwrap();
        assert_eq!(code(catalog.creatives().delete_creative(delete()).await), Code::NotFound);
        assert_eq!(code(get(&catalog, "cre_letter").await), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_creative_is_told() {
    let catalog = on_sqlite().await;
    let said = [
        ("a", null()),
        ("b", double(f64::NAN)),
        ("c", list(vec![list(vec![])])),
        ("d\n", text("x")),
        ("e", text(&"x".repeat(16 * 1024 + 1))),
    ];
    let wrong = Creative {
        status: 7,
        channel: "a\u{1}".into(),
        placement: "x".repeat(201),
        weight: Some(100.5),
        content: content(&said),
        ..creative("", "")
    };
    assert_eq!(
        faults(catalog.create_creative(wrong).await),
        [
            "creative.name is required",
            "creative.status must be one of active, draft, paused, archived",
            "creative.content.b must be a finite number",
            "creative.content.c must not contain lists of lists",
            "creative.content.e has 16385 bytes, which exceeds the maximum 16384",
            "creative.offer is required: the id or name of an offer",
            "creative.channel must not contain control characters",
            "creative.placement has 201 characters, which exceeds the maximum 200",
            "creative.weight is 100.5; it must be 0 to 100",
            "creative.content.a must not be null: leave the key out",
            "creative.content.d key must not contain control characters",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_has_fifty_keys_and_32_kib_at_most() {
    let catalog = on_sqlite().await;
    let create = async |name: &str, entries: Vec<(String, Value)>| {
        let content = entries.into_iter().collect();
        catalog.create_creative(Creative { content, ..creative(name, "off_apparel") }).await
    };
    let many = |count: usize| (0..count).map(|n| (format!("k{n}"), integer(1))).collect();
    create("Fifty", many(50)).await.unwrap();
    let fault = "creative.content has 51, which exceeds the maximum 50";
    assert_eq!(faults(create("More", many(51)).await), [fault]);
    let large =
        |count: usize| (0..count).map(|n| (format!("k{n}"), text(&"x".repeat(8_000)))).collect();
    create("Large", large(4)).await.unwrap();
    let told = faults(create("Larger", large(5)).await);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("creative.content has 40")
            && told[0].ends_with("exceeds the maximum 32768"),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn decimals_of_a_content_are_stored_plainly() {
    let catalog = on_sqlite().await;
    let said = content(&[("price", decimal("1e3")), ("prices", list(vec![decimal("25e-1")]))]);
    let given = Creative { content: said, ..creative("Letter", "off_apparel") };
    let stored = catalog.create_creative(given).await.unwrap();
    assert_eq!(
        (&stored.content["price"], &stored.content["prices"]),
        (&decimal("1000"), &list(vec![decimal("2.5")]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_or_placement_that_nobody_created_is_warned_of() {
    on_both(async |catalog| {
        let given = Creative { placement: "Home hero".into(), ..creative("Letter", "Apparel") };
        let created = catalog.create_creative(given).await.unwrap();
        assert_eq!(
            created.warnings,
            [
                "offer `Apparel` does not exist: the creative is used once it does",
                "placement `Home hero` does not exist: the creative is used once it does",
            ]
        );
        catalog.create_offer(offer("apparel", "Apparel", vec![])).await.unwrap();
        catalog
            .create_placement(Placement { name: "HOME HERO".into(), ..Default::default() })
            .await
            .unwrap();
        let patch = Creative { description: "x".into(), ..Default::default() };
        assert_eq!(
            catalog.update_creative("letter", patch, &["description"]).await.unwrap().warnings,
            [""; 0]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_offer_leaves_no_creative_behind() {
    let catalog = on_sqlite().await;
    for (id, name) in [("off_apparel", "Apparel"), ("off_other", "Other")] {
        catalog.create_offer(Offer { id: id.into(), ..offer(name, "X", vec![]) }).await.unwrap();
    }
    for (name, by) in [("By name", "APPAREL"), ("By id", "off_apparel"), ("Another", "Other")] {
        catalog.create_creative(creative(name, by)).await.unwrap();
    }
    let rename = async |name: &str| {
        let patch = Offer { name: name.into(), ..Default::default() };
        catalog.update_offer("off_apparel", patch, &["name"]).await.unwrap().warnings
    };
    let told = rename("Clothes").await;
    assert!(!told.iter().any(|told| told.starts_with("creative")), "{told:?}");
    let told = rename("CLOTHES").await;
    assert!(!told.iter().any(|told| told.starts_with("creative")), "{told:?}");
}
