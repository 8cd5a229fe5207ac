//! Outcome types: the ten of every tenant, and a tenant's own.

use proffer_proto::catalog::v1::{
    Classification, GetOutcomeTypeRequest, ListOutcomeTypesRequest, OutcomeCategory, OutcomeType,
};
use tonic::{Code, Status};

use crate::support::{Catalog, code, faults, on_both, on_sqlite, refusal};

fn response(key: &str, name: &str) -> OutcomeType {
    OutcomeType {
        key: key.into(),
        name: name.into(),
        classification: Classification::Positive.into(),
        category: OutcomeCategory::Response.into(),
        ..Default::default()
    }
}

fn impression(key: &str, name: &str) -> OutcomeType {
    OutcomeType {
        classification: Classification::Neutral.into(),
        category: OutcomeCategory::Impression.into(),
        ..response(key, name)
    }
}

async fn get(catalog: &Catalog, key: &str) -> Result<OutcomeType, Status> {
    let answer =
        catalog.outcome_types().get_outcome_type(GetOutcomeTypeRequest { key: key.into() }).await?;
    Ok(answer.into_inner().outcome_type.unwrap())
}

/// Keys page by page.
async fn pages(catalog: &Catalog, page_size: i32) -> Vec<Vec<String>> {
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListOutcomeTypesRequest { page_size, page_token, ..Default::default() };
        let answer =
            catalog.outcome_types().list_outcome_types(request).await.unwrap().into_inner();
        pages.push(answer.outcome_types.into_iter().map(|found| found.key).collect());
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return pages;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn system_types_can_neither_be_deleted_nor_made_again() {
    on_both(async |catalog| {
        let system = (Code::FailedPrecondition, "SYSTEM_RESOURCE".to_owned());
        assert_eq!(refusal(catalog.delete_outcome_type("click").await), system);
        assert_eq!(refusal(catalog.delete_outcome_type("Opt Out").await), system);
        let exists = (Code::AlreadyExists, "ALREADY_EXISTS".to_owned());
        assert_eq!(
            refusal(catalog.create_outcome_type(response("click", "My click")).await),
            exists
        );
        assert_eq!(
            refusal(catalog.create_outcome_type(response("my_click", "CLICK")).await),
            exists
        );
        assert_eq!(
            get(&catalog, "opt_out").await.unwrap(),
            get(&catalog, "opt out").await.unwrap()
        );
        assert_eq!(code(get(&catalog, "nope").await), Code::NotFound);
        assert_eq!(code(get(&catalog, "a\0b").await), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whether_it_counts_as_contact_is_always_said() {
    let catalog = on_sqlite().await;
    let check = async |given: OutcomeType, expected: bool| {
        let key = given.key.clone();
        let created = catalog.create_outcome_type(given).await.unwrap();
        assert_eq!(created.counts_as_contact, Some(expected), "{key}");
        assert_eq!(get(&catalog, &key).await.unwrap(), created);
        assert!(!created.is_system);
    };
    check(impression("banner_seen", "Banner Seen"), true).await;
    check(impression("expired", "Expired"), false).await;
    check(response("applied", "Applied"), false).await;
    check(OutcomeType { counts_as_contact: Some(false), ..impression("footer", "Footer") }, false)
        .await;
    check(
        OutcomeType {
            counts_as_contact: Some(true),
            is_system: true,
            ..response("called", "Called")
        },
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_an_outcome_type_is_told() {
    let catalog = on_sqlite().await;
    let wrong = OutcomeType { description: "x".repeat(2_001), ..Default::default() };
    assert_eq!(
        faults(catalog.create_outcome_type(wrong).await),
        [
            "outcome_type.name is required",
            "outcome_type.description has 2001 characters, which exceeds the maximum 2000",
            "outcome_type.key is required",
            "outcome_type.classification must be one of positive, negative, neutral",
            "outcome_type.category must be one of impression, response",
        ]
    );
    let unknown = OutcomeType { classification: 9, category: 9, ..response("Bad-Key", "Bad") };
    assert_eq!(
        faults(catalog.create_outcome_type(unknown).await),
        [
            "outcome_type.key `Bad-Key` must match [a-z][a-z0-9_]{0,62}",
            "outcome_type.classification must be one of positive, negative, neutral",
            "outcome_type.category must be one of impression, response",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_key_comes_back_only_with_the_same_meaning() {
    on_both(async |catalog| {
        let exists = (Code::AlreadyExists, "ALREADY_EXISTS".to_owned());
        catalog.create_outcome_type(response("applied", "Applied")).await.unwrap();
        assert_eq!(
            refusal(catalog.create_outcome_type(response("applied", "Other")).await),
            exists
        );
        assert_eq!(
            refusal(catalog.create_outcome_type(response("other", "applied")).await),
            exists
        );
        catalog.delete_outcome_type("applied").await.unwrap();
        assert_eq!(code(get(&catalog, "applied").await), Code::NotFound);
        assert_eq!(code(catalog.delete_outcome_type("applied").await), Code::NotFound);
        assert_eq!(
            refusal(catalog.create_outcome_type(impression("applied", "Applied")).await),
            exists
        );
        let negative = OutcomeType {
            classification: Classification::Negative.into(),
            ..response("applied", "Applied")
        };
        assert_eq!(refusal(catalog.create_outcome_type(negative).await), exists);
        let revived =
            catalog.create_outcome_type(response("applied", "Applied again")).await.unwrap();
        assert_eq!((revived.key.as_str(), revived.name.as_str()), ("applied", "Applied again"));
        assert_eq!(
            refusal(catalog.create_outcome_type(response("applied", "Applied")).await),
            exists
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_run_over_system_types_into_custom_ones() {
    on_both(async |catalog| {
        assert_eq!(pages(&catalog, 10).await.len(), 1);
        assert_eq!(pages(&catalog, 4).await.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        for key in ["zeta", "alpha", "mid"] {
            catalog.create_outcome_type(response(key, key)).await.unwrap();
        }
        let all = pages(&catalog, 100).await.concat();
        assert_eq!(all[10..], ["alpha", "mid", "zeta"]);
        for size in 1..=14 {
            let found = pages(&catalog, size).await;
            assert_eq!(found.concat(), all, "{size}");
            let size = usize::try_from(size).unwrap();
            assert!(found[..found.len() - 1].iter().all(|page| page.len() == size), "{size}");
            assert!(found.iter().all(|page| !page.is_empty()), "{size}");
        }
        let listing = history::Listing::new(&["outcome_type"]);
        for wrong in ["zz", &listing.token("#11"), &listing.token("#x")] {
            let request =
                ListOutcomeTypesRequest { page_size: 1, page_token: wrong.to_owned(), category: 0 };
            let refused = catalog.outcome_types().list_outcome_types(request).await;
            assert_eq!(faults(refused), ["page_token is not a token of an earlier page"]);
        }
    })
    .await;
}
