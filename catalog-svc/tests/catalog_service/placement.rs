//! Placements: their channel, and the creatives that refer to them.

use proffer_proto::catalog::v1::{
    Creative, DeletePlacementRequest, GetPlacementRequest, ListPlacementsRequest, Placement,
};
use tonic::Code;

use crate::support::{code, creative, faults, on_both, on_sqlite, refusal};

fn placement(name: &str, channel: &str) -> Placement {
    Placement { name: name.to_owned(), channel: channel.to_owned(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placement_lives_like_every_resource() {
    on_both(async |catalog| {
        let created = catalog.create_placement(placement("Home hero", "web")).await.unwrap();
        assert_eq!((created.id.as_str(), created.channel.as_str()), ("plc_home_hero", "web"));
        assert_eq!(created.warnings, [""; 0]);
        let request = GetPlacementRequest { id: "HOME hero".into() };
        let read = catalog
            .placements()
            .get_placement(request)
            .await
            .unwrap()
            .into_inner()
            .placement
            .unwrap();
        assert_eq!(read, created);
        let taken = refusal(catalog.create_placement(placement("home HERO", "")).await);
        assert_eq!(taken, (Code::AlreadyExists, "ALREADY_EXISTS".to_owned()));
        let updated =
            catalog.update_placement("Home hero", placement("", ""), &["channel"]).await.unwrap();
        assert_eq!((updated.name.as_str(), updated.channel.as_str()), ("Home hero", ""));
        let listed =
            catalog.placements().list_placements(ListPlacementsRequest::default()).await.unwrap();
        assert_eq!(listed.into_inner().placements, [updated]);
        let delete = || DeletePlacementRequest { id: "plc_home_hero".into(), etag: String::new() };
        catalog.placements().delete_placement(delete()).await.unwrap();
        assert_eq!(code(catalog.placements().delete_placement(delete()).await), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_a_placement_is_told() {
    let catalog = on_sqlite().await;
    let wrong = Placement { id: "Hero".into(), status: 9, ..placement(" ", "a\nb") };
    assert_eq!(
        faults(catalog.create_placement(wrong).await),
        [
            "placement.name is required",
            "placement.id `Hero` must match [a-z][a-z0-9_]{0,62}",
            "placement.status must be one of active, draft, paused, archived",
            "placement.channel must not contain control characters",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_placement_leaves_no_creative_behind() {
    on_both(async |catalog| {
        catalog.create_placement(placement("Hero", "")).await.unwrap();
        for (name, by) in [("By name", "hero"), ("By id", "plc_hero"), ("Anywhere", "")] {
            let given = Creative { placement: by.into(), ..creative(name, "off_apparel") };
            catalog.create_creative(given).await.unwrap();
        }
        let updated =
            catalog.update_placement("hero", placement("Banner", ""), &["name"]).await.unwrap();
        assert_eq!(updated.warnings, [""; 0]);
    })
    .await;
}
