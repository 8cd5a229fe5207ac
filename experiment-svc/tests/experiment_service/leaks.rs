//! The audit of contacts that a holdout should have prevented.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream::BoxStream};
use history::timestamp;
use proffer_proto::{
    experiment::v1::{self as proto, Arm, ledger_entry::Entry},
    policy::v1::{
        ContactEntry, WatchContactsRequest, WatchContactsResponse,
        contact_ledger_service_server::{ContactLedgerService, ContactLedgerServiceServer},
    },
    values::v1::Reference,
};
use serve::Neighbour;
use tonic::{Request, Response, Status, service::Routes};

use super::suite::*;

/// A policy-svc with these contacts, whose stream ends with the last one.
struct Contacts(Vec<ContactEntry>);

#[tonic::async_trait]
impl ContactLedgerService for Contacts {
    type WatchContactsStream = BoxStream<'static, Result<WatchContactsResponse, Status>>;

    async fn watch_contacts(
        &self,
        request: Request<WatchContactsRequest>,
    ) -> Result<Response<Self::WatchContactsStream>, Status> {
        let after = request.into_inner().after_position;
        let rest: Vec<ContactEntry> =
            self.0.iter().filter(|contact| contact.position > after).cloned().collect();
        let pages: Vec<_> = rest
            .chunks(40)
            .map(|contacts| {
                let position = contacts.last().map_or(after, |contact| contact.position);
                Ok(WatchContactsResponse { contacts: contacts.to_vec(), position })
            })
            .collect();
        Ok(Response::new(futures::stream::iter(pages).boxed()))
    }
}

async fn follow(suite: &Suite, contacts: Vec<ContactEntry>) {
    let server = ContactLedgerServiceServer::new(Contacts(contacts));
    let policy = Neighbour::local(Routes::new(server));
    experiment_svc::neighbours::contact::follow_once(suite.app.store(), &policy, "default")
        .await
        .unwrap();
}

const FLOW: &str = "flow_winback";

fn contact(position: i64, who: &str, flow: &str, hours: i64) -> ContactEntry {
    ContactEntry {
        contact_id: format!("con_{position:04}"),
        position,
        customer_id: who.to_owned(),
        decision_id: format!("dec_{who}"),
        rank: 1,
        offer_id: "off_a".to_owned(),
        flow_id: flow.to_owned(),
        channel_id: "email".to_owned(),
        cost_ten_thousandths: 500,
        happened_at: Some(timestamp(hour(hours))),
        ..Default::default()
    }
}

async fn leaks(suite: &Suite, id: &str) -> (Vec<proto::Leak>, proto::ListLeaksResponse) {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = proto::ListLeaksRequest { id: id.to_owned(), page_size: 7, page_token };
        let page = suite.experiments.clone().list_leaks(request).await.unwrap().into_inner();
        found.extend(page.leaks.iter().cloned());
        if page.next_page_token.is_empty() {
            return (found, page);
        }
        page_token = page.next_page_token;
    }
}

/// Customers 0 to 299, every third held out, assigned in hour 10; each has a contact before the arm
/// and one by another flow, the treated one by the experiment's flow.
async fn story(suite: &Suite) -> Vec<ContactEntry> {
    suite.create(running()).await.unwrap();
    let (mut entries, mut contacts) = (Vec::new(), Vec::new());
    for number in 0..300 {
        let who = format!("c{number:03}");
        let is_held_out = number % 3 == 0;
        let arm = if is_held_out { Arm::Holdout } else { Arm::Treatment };
        entries.push(assigned(&who, arm, hour(10)));
        let mut add = |flow, hours| {
            contacts.push(contact(contacts.len() as i64 + 1, &who, flow, hours));
        };
        add(FLOW, 9);
        add("flow_other", 11);
        if !is_held_out {
            add(FLOW, 12);
        }
    }
    for batch in entries.chunks(500) {
        suite.deliver(batch.iter().cloned()).await.unwrap();
    }
    contacts
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_fifty_injected_leaks_are_named() {
    on_both(async |suite| {
        let mut contacts = story(&suite).await;
        let mut injected = BTreeSet::new();
        for number in 0..50 {
            let (position, who) = (contacts.len() as i64 + 1, format!("c{:03}", number * 6));
            contacts.push(contact(position, &who, FLOW, 20 + number));
            injected.insert((who, format!("con_{position:04}")));
        }
        follow(&suite, contacts.clone()).await;
        // The stream starts anew, and a part comes twice.
        follow(&suite, contacts.clone()).await;
        let (found, page) = leaks(&suite, SEED).await;
        let named: BTreeSet<_> =
            found.iter().map(|leak| (leak.customer_id.clone(), leak.contact_id.clone())).collect();
        assert_eq!((found.len(), named), (50, injected));
        let (treatment, holdout) = (page.treatment.unwrap(), page.holdout.unwrap());
        assert_eq!((treatment.customers, treatment.contacts, treatment.cost), (200, 200, 10.0));
        assert_eq!((holdout.customers, holdout.contacts, holdout.cost), (100, 50, 2.5));
        assert_eq!((treatment.other_contacts, holdout.other_contacts), (200, 100));
        let others = [treatment, holdout].map(|arm| arm.other_contacts_per_customer);
        assert_eq!(others, [Some(1.0), Some(1.0)]);
        let results = suite.results(SEED, "").await.unwrap();
        let sizes: Vec<_> = results.arms.iter().map(|arm| arm.n).collect();
        assert_eq!(sizes, [200, 100], "leaks stay in the read-out");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_after_the_conclusion_or_before_the_arm_is_no_leak() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        suite.deliver([assigned("ann", Arm::Holdout, hour(10))]).await.unwrap();
        suite.clock.set(hour(30));
        suite.conclude(SEED, true).await.unwrap();
        let at = |position, hours| contact(position, "ann", FLOW, hours);
        follow(&suite, vec![at(1, 9), at(2, 10), at(3, 29), at(4, 30)]).await;
        let (found, _) = leaks(&suite, SEED).await;
        let named: Vec<_> = found.iter().map(|leak| leak.contact_id.as_str()).collect();
        assert_eq!(named, ["con_0002", "con_0003"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_before_the_arm_are_deleted_by_age_and_leaks_stay() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        suite
            .deliver_through([assigned("ann", Arm::Holdout, hour(10))], Some(hour(1)))
            .await
            .unwrap();
        let at = |position, who, hours| contact(position, who, FLOW, hours);
        follow(&suite, vec![at(1, "ann", 9), at(2, "ann", 11), at(3, "bob", 11)]).await;
        suite.clock.set(day(60));
        let limits = vec![serve::retention_limit("contacts=50").unwrap()];
        let app = suite.app.clone().with_retention(serve::RetentionSettings { limits });
        let deleted = app.delete_old_rows(serve::Pace::Full).await.unwrap();
        assert_eq!(deleted.get("contact"), Some(&2));
        assert_eq!(leaks(&suite, SEED).await.0.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_impression_on_a_held_out_decision_is_a_leak() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let Entry::Exposure(ghost) = exposed("ann", "dec_ann", hour(11)) else {
            panic!("no exposure")
        };
        let ghost = Entry::Exposure(proto::ExposureEntry { ghost: true, ..ghost });
        suite.deliver([assigned("ann", Arm::Holdout, hour(10)), ghost]).await.unwrap();
        follow(&suite, vec![contact(1, "ann", "", 12)]).await;
        assert_eq!(leaks(&suite, SEED).await.0.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_contact_of_a_customer_in_the_universal_holdout_is_a_leak() {
    on_both(async |suite| {
        let every = proto::Experiment { flow_id: "*".to_owned(), ..running() };
        let every = suite.create(every).await.unwrap();
        assert_eq!(every.references, Vec::<Reference>::new());
        suite.deliver([assigned("ann", Arm::Holdout, hour(10))]).await.unwrap();
        let contacts = vec![contact(1, "ann", "flow_other", 11), contact(2, "ann", "", 12)];
        follow(&suite, contacts).await;
        assert_eq!(leaks(&suite, SEED).await.0.len(), 2);
    })
    .await;
}

/// What the total does not cover costs nothing in it: contacts after a customer's window, and of
/// customers whose window is open or whose split is not compared.
#[tokio::test(flavor = "multi_thread")]
async fn the_net_total_counts_the_contacts_of_those_and_of_the_time_that_the_total_covers() {
    on_both(async |suite| {
        let window = proto::Experiment { outcome_window_days: Some(7), ..running() };
        suite.create(window).await.unwrap();
        let second = |who: &str| {
            let Entry::Assignment(entry) = assigned(who, Arm::Treatment, day(1)) else {
                panic!("no assignment")
            };
            Entry::Assignment(proto::AssignmentEntry { epoch: 2, ..entry })
        };
        let entries = [
            assigned("closed", Arm::Treatment, day(1)),
            assigned("other", Arm::Treatment, day(1)),
            assigned("open", Arm::Treatment, day(58)),
            assigned("held1", Arm::Holdout, day(1)),
            assigned("held2", Arm::Holdout, day(1)),
            second("alone1"),
            second("alone2"),
            Entry::Outcome(bought("o1", "closed", 20, day(2))),
            Entry::Outcome(bought("o2", "held1", 4, day(2))),
        ];
        suite.deliver_through(entries, Some(day(60))).await.unwrap();
        let contacts = [("closed", 2), ("closed", 8), ("open", 59), ("alone1", 2), ("held1", 9)];
        let contacts = (1..).zip(contacts);
        let contacts = contacts.map(|(place, (who, days))| contact(place, who, FLOW, 24 * days));
        follow(&suite, contacts.collect()).await;
        let results = suite.results(SEED, "").await.unwrap();
        let net = results.net.unwrap();
        assert_eq!((net.delivered, net.cost), (1, 0.05));
        let total = results.incremental_total.unwrap().value.unwrap();
        assert_eq!(net.value, Some(total - 0.05));
        assert_eq!(results.leaks, Some(1), "a leak counts until the conclusion");
    })
    .await;
}
