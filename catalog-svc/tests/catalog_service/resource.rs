//! What all kinds of configuration have in common.

use proffer_proto::catalog::v1::{
    Category, CreateCategoryRequest, CreateOfferRequest, CreateSchemaRequest,
    DeleteCategoryRequest, GetCategoryRequest, ListCategoriesRequest, Offer, UpdateCategoryRequest,
};
use tonic::Code;

use crate::support::{Catalog, category, code, faults, offer, on_both, on_sqlite, refusal};

async fn get(catalog: &Catalog, id: &str) -> Result<Category, tonic::Status> {
    let answer =
        catalog.categories().get_category(GetCategoryRequest { id: id.to_owned() }).await?;
    Ok(answer.into_inner().category.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_is_found_by_id_or_name_and_its_etag_guards_it() {
    on_both(async |catalog| {
        let created = catalog.create_category(category("Apparel", &[])).await.unwrap();
        assert_eq!(get(&catalog, "aPPAREL").await.unwrap(), created);
        let taken = (Code::AlreadyExists, "ALREADY_EXISTS".to_owned());
        assert_eq!(refusal(catalog.create_category(category("APPAREL", &[])).await), taken);
        let same_id = Category { id: "cat_apparel".into(), ..category("Other", &[]) };
        assert_eq!(refusal(catalog.create_category(same_id).await), taken);

        let with = |etag: &str, description: &str| Category {
            etag: etag.to_owned(),
            description: description.to_owned(),
            ..Default::default()
        };
        let updated = catalog
            .update_category("Apparel", with(&created.etag, "one"), &["description"])
            .await
            .unwrap();
        assert_eq!((updated.revision, updated.name.as_str()), (2, "Apparel"));
        let stale = (Code::Aborted, "ETAG_MISMATCH".to_owned());
        let late =
            catalog.update_category("Apparel", with(&created.etag, "two"), &["description"]).await;
        assert_eq!(refusal(late), stale);
        catalog.update_category("Apparel", with("", "three"), &["description"]).await.unwrap();

        let delete =
            |etag: &str| DeleteCategoryRequest { id: "Apparel".into(), etag: etag.to_owned() };
        assert_eq!(
            refusal(catalog.categories().delete_category(delete(&updated.etag)).await),
            stale
        );
        catalog.categories().delete_category(delete("")).await.unwrap();
        assert_eq!(code(catalog.categories().delete_category(delete("")).await), Code::NotFound);
        assert_eq!(code(get(&catalog, "Apparel").await), Code::NotFound);
    })
    .await;
}

/// Without an etag an update overwrites whatever is there, however many write at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn updates_without_an_etag_do_not_fail_each_other() {
    on_both(async |catalog| {
        catalog.create_category(category("Apparel", &[])).await.unwrap();
        let catalog = &catalog;
        let updates = (0..8).map(|n| async move {
            let patch = Category { description: n.to_string(), ..Default::default() };
            catalog.update_category("Apparel", patch, &["description"]).await.unwrap()
        });
        futures::future::join_all(updates).await;
        assert_eq!(get(catalog, "Apparel").await.unwrap().revision, 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_come_in_pages_by_id() {
    on_both(async |catalog| {
        for name in ["C", "A", "B"] {
            catalog.create_category(category(name, &[])).await.unwrap();
        }
        let list = async |page_size, page_token: &str| {
            let request =
                ListCategoriesRequest { page_size, page_token: page_token.to_owned(), status: 0 };
            let answer = catalog.categories().list_categories(request).await?.into_inner();
            let names: Vec<_> = answer.categories.into_iter().map(|found| found.name).collect();
            Ok::<_, tonic::Status>((names, answer.next_page_token))
        };
        let (first, token) = list(2, "").await.unwrap();
        assert_eq!(first, ["A", "B"]);
        assert_eq!(list(2, &token).await.unwrap(), (vec!["C".to_owned()], String::new()));
        assert_eq!(faults(list(-1, "").await), ["page_size is -1; it must be 1 to 1000"]);
        assert_eq!(faults(list(1, "x").await), ["page_token is not a token of an earlier page"]);
    })
    .await;
}

/// A page of large resources ends early rather than to outgrow an answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_resources_is_cut() {
    let catalog = on_sqlite().await;
    for n in 0..7 {
        let mut large = offer(&format!("O{n}"), "X", vec![]);
        for field in 0..12 {
            large
                .custom_fields
                .insert(format!("f{field}"), crate::support::text(&"x".repeat(16 * 1024)));
        }
        catalog.create_offer(large).await.unwrap();
    }
    let list = async |page_token: String| {
        let request =
            proffer_proto::catalog::v1::ListOffersRequest { page_token, ..Default::default() };
        let answer = catalog.offers().list_offers(request).await.unwrap().into_inner();
        (
            answer.offers.into_iter().map(|offer| offer.name).collect::<Vec<_>>(),
            answer.next_page_token,
        )
    };
    let (first, token) = list(String::new()).await;
    assert_eq!(first, ["O0", "O1", "O2", "O3", "O4"]);
    assert_eq!(list(token).await, (vec!["O5".to_owned(), "O6".to_owned()], String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_its_resource_is_told_so() {
    let catalog = on_sqlite().await;
    let schema = catalog
        .schemas()
        .create_schema(CreateSchemaRequest { schema: None, ..Default::default() })
        .await;
    assert_eq!(faults(schema), ["schema is required"]);
    let category = catalog
        .categories()
        .create_category(CreateCategoryRequest { category: None, ..Default::default() })
        .await;
    assert_eq!(faults(category), ["category is required"]);
    let offer = catalog
        .offers()
        .create_offer(CreateOfferRequest { offer: None, ..Default::default() })
        .await;
    assert_eq!(faults(offer), ["offer is required"]);
    let update = UpdateCategoryRequest { id: "x".into(), category: None, update_mask: None };
    assert_eq!(
        faults(catalog.categories().update_category(update).await),
        ["category is required"]
    );
    catalog.create_category(crate::support::category("A", &[])).await.unwrap();
    let unknown = catalog.update_category("A", Category::default(), &["colour"]).await;
    assert_eq!(faults(unknown), ["update_mask contains the unknown field `colour`"]);
}

/// PostgreSQL takes no null character in text; that must not look like a store that is away.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_references_are_not_found() {
    on_both(async |catalog| {
        let long = "x".repeat(100_000);
        for named in ["", "a\0b", "\n", "'; drop table entry; --", long.as_str()] {
            assert_eq!(code(get(&catalog, named).await), Code::NotFound);
            let patch = Offer { description: "x".into(), ..Default::default() };
            assert_eq!(
                code(catalog.update_offer(named, patch, &["description"]).await),
                Code::NotFound
            );
            assert_eq!(code(catalog.delete_schema(named).await), Code::NotFound);
        }
    })
    .await;
}

/// What is larger than a request may be is refused before it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_256_kib_is_refused() {
    let catalog = on_sqlite().await;
    let large = Category { description: "x".repeat(256 * 1024), ..category("A", &[]) };
    assert_eq!(code(catalog.create_category(large).await), Code::OutOfRange);
}
