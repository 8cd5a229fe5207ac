//! Names that nothing has: what the answer says, and how soon.

use std::time::Duration;

use database::Location;
use proffer_proto::decision::v1 as proto;
use tonic::Code;

use super::{
    neighbours::Fakes,
    suite::{Suite, on_both, question},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_flow_names_the_nearest_one_or_those_there_are() {
    on_both(async |suite| {
        let asked = async |flow: &str| {
            let request =
                proto::RecommendRequest { flow: flow.to_owned(), ..question("cust_lapsed_1") };
            suite.recommend(request).await.unwrap_err().message().to_owned()
        };
        let near = "decision flow `Winbak` not found; did you mean `Winback`?";
        assert_eq!(asked("Winbak").await, near);
        let listed = "decision flow `Upsell` not found; known are Winback";
        assert_eq!(asked("Upsell").await, listed);
    })
    .await;
}

/// With a wait of an hour an answer shows that nothing waited for the snapshot.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_channel_is_answered_as_soon_as_its_owner_knows_none() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let hour = Duration::from_secs(3_600);
    let suite = Suite::start_waiting(&location, Fakes::new(), hour).await;
    // The first decision waits for the first snapshot.
    suite.recommend(question("nobody")).await.unwrap();
    let request = proto::RecommendRequest { channel: "fax".to_owned(), ..question("nobody") };
    let answered = tokio::time::timeout(Duration::from_secs(300), suite.recommend(request)).await;
    assert_eq!(answered.unwrap().unwrap_err().code(), Code::NotFound);
}
