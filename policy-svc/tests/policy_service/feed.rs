//! Contacts as they are shown to services that count them.

use chrono::TimeDelta;
use database::Location;
use futures::{StreamExt as _, future::join_all};
use policy_svc::{App, Deps};
use proffer_proto::policy::v1::{
    self as proto, contact_gate_service_client::ContactGateServiceClient,
    contact_ledger_service_client::ContactLedgerServiceClient,
};
use serve::Neighbour;

use super::world::*;

/// Contacts after a position, until there are `count` of them.
async fn watch(neighbour: &Neighbour, after: i64, count: usize) -> Vec<proto::ContactEntry> {
    let request = proto::WatchContactsRequest { after_position: after };
    let mut client = ContactLedgerServiceClient::new(neighbour.clone());
    let mut pages = client.watch_contacts(request).await.unwrap().into_inner();
    let mut found = Vec::new();
    while found.len() < count {
        let page = pages.next().await.unwrap().unwrap();
        let last = page.contacts.last().map(|last| last.position);
        assert!(last.is_none_or(|last| last == page.position), "{page:?}");
        found.extend(page.contacts);
    }
    found
}

fn of_flow(question: proto::ContactQuestion) -> proto::ContactQuestion {
    proto::ContactQuestion { flow_id: "flow_winback".into(), ..question }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_contact_that_happened_is_shown_once_with_what_it_came_from() {
    seeded_on_both(async |world| {
        let offer = proto::OfferSubject {
            cost_ten_thousandths: 2_500,
            category_id: "cat_apparel".into(),
            ..candidate("off_apparel", "Apparel")
        };
        let asked = |customer: &str| {
            let candidates = vec![offer.clone()];
            of_flow(proto::ContactQuestion { candidates, ..world.question(customer) })
        };
        // A slot is no contact, nor is one that was given back.
        for (customer, decision) in [("ann", "dec_1"), ("bob", "dec_2"), ("cat", "dec_3")] {
            world.reserve(asked(customer), decision).await;
        }
        world.release("cat", "dec_3", 0).await;
        world.pass(TimeDelta::minutes(5));
        assert!(world.commit(asked("ann"), "dec_1").await.go);
        let shown = watch(&world.neighbour, 0, 1).await;
        let entry = proto::ContactEntry {
            contact_id: shown[0].contact_id.clone(),
            position: 1,
            customer_id: "ann".into(),
            decision_id: "dec_1".into(),
            rank: 1,
            offer_id: "off_apparel".into(),
            category_id: "cat_apparel".into(),
            flow_id: "flow_winback".into(),
            channel_id: "ch_email".into(),
            cost_ten_thousandths: 2_500,
            happened_at: Some(stamp(noon() + TimeDelta::minutes(5))),
            unreserved: false,
        };
        assert_eq!(shown, [entry]);
        // A report commits a slot. Without a slot it is marked, without a decision it has no flow.
        let reported = |customer: &str, decision: &str| proto::OutcomeFact {
            flow_id: if decision.is_empty() { "" } else { "flow_winback" }.into(),
            ..impression(customer, 1, decision, world.clock.now())
        };
        world.deliver(vec![reported("bob", "dec_2")]).await;
        world.deliver(vec![reported("dan", "dec_4"), reported("eve", "")]).await;
        // The same report again is the same contact.
        world.deliver(vec![reported("bob", "dec_2")]).await;
        let later = watch(&world.neighbour, 1, 3).await;
        let mut shown: Vec<_> =
            later.iter().map(|it| (&*it.customer_id, &*it.flow_id, it.unreserved)).collect();
        shown.sort_unstable();
        let flow = "flow_winback";
        assert_eq!(shown, [("bob", flow, false), ("dan", flow, true), ("eve", "", true)]);
        let positions: Vec<_> = later.iter().map(|it| it.position).collect();
        assert_eq!(positions, [2, 3, 4]);
        // A follower that begins again sees the same.
        assert_eq!(watch(&world.neighbour, 0, 4).await[1..], later);
        let request = proto::WatchContactsRequest { after_position: -1 };
        let mut client = ContactLedgerServiceClient::new(world.neighbour.clone());
        let refused = client.watch_contacts(request).await.err().unwrap();
        assert_eq!(faults(&refused), ["after_position: is -1; it must be 0 or more"]);
    })
    .await;
}

/// Two processes commit contacts at once, and two followers, one at each, give positions meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn no_contact_is_skipped_while_processes_commit_at_once() {
    const CONTACTS: usize = 400;
    let world = World::on_postgres().await;
    world.create_channel(proto::Channel { name: "email".into(), ..Default::default() }).await;
    let Location::Url(_) = &world.location else { panic!("a server") };
    let second = App::build(&world.location, Deps { clock: world.clock.clone() }).await.unwrap();
    let second = Neighbour::local(second.routes());
    let neighbours = [world.neighbour.clone(), second.clone()];
    let commit = |number: usize| {
        let mut gate = ContactGateServiceClient::new(neighbours[number % 2].clone());
        let question = of_flow(world.question(&format!("c{number}")));
        async move {
            let request = proto::CommitContactRequest {
                question: Some(question),
                decision_id: format!("dec_{number}"),
                rank: 1,
            };
            assert!(gate.commit_contact(request).await.unwrap().into_inner().go);
        }
    };
    let committing = join_all((0..CONTACTS).map(commit));
    let followers = neighbours.each_ref().map(|neighbour| watch(neighbour, 0, CONTACTS));
    let [one, two] = followers;
    let (_, one, two) = tokio::join!(committing, one, two);
    assert_eq!(one, two);
    let positions: Vec<_> = one.iter().map(|it| it.position).collect();
    assert_eq!(positions, (1..=CONTACTS as i64).collect::<Vec<_>>());
    let customers: std::collections::BTreeSet<_> = one.iter().map(|it| &it.customer_id).collect();
    assert_eq!(customers.len(), CONTACTS);
}
