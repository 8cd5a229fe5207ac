//! What an edit of the rules does while several processes serve one database.

use policy_svc::{App, Deps};
use proffer_proto::policy::v1::{
    self as proto, contact_gate_service_client::ContactGateServiceClient,
};
use serve::Neighbour;

use super::world::*;

/// Tighter or looser: the replica that did not write the edit asks for it with every question and
/// keeps nothing old.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_binds_the_next_reserve_of_every_replica() {
    let world = World::on_postgres().await;
    world.seed().await;
    let replica = App::build(&world.location, Deps { clock: world.clock.clone() }).await.unwrap();
    let gate = ContactGateServiceClient::new(Neighbour::local(replica.routes()));
    let reserve = async |decision: &str| {
        let request = reservation(world.question("ann"), decision);
        told(&gate.clone().reserve(request).await.unwrap().into_inner())
    };
    assert_eq!(reserve("dec_1").await, "granted");
    world.create_policy(cap("pol_one", "global", 30, 1)).await;
    assert_eq!(reserve("dec_2").await, "frequency_cap");
    let request = proto::DeleteContactPolicyRequest { id: "pol_one".into(), etag: String::new() };
    world.policies().delete_contact_policy(request).await.unwrap();
    assert_eq!(reserve("dec_3").await, "granted");
}
