//! What decision-svc ships: at least once, in any interleaving, and kept once.

use database::Select;
use history::timestamp;
use proffer_proto::{
    experiment::v1::{self as proto, Arm, ledger_entry::Entry},
    values::v1::{Value, value::Kind},
};
use tonic::Code;

use super::suite::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_arm_is_read_back_with_its_first_exposure() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        suite.deliver([assigned("ann", Arm::Holdout, hour(1))]).await.unwrap();
        let found = suite.assignment(SEED, "ann").await.unwrap();
        assert_eq!(
            (found.customer_id.as_str(), found.arm(), found.epoch),
            ("ann", Arm::Holdout, 1)
        );
        assert_eq!((found.assigned_at, found.first_exposure_at), (Some(timestamp(hour(1))), None));
        suite
            .deliver([exposed("ann", "dec_2", hour(3)), exposed("ann", "dec_1", hour(2))])
            .await
            .unwrap();
        suite.deliver([exposed("ann", "dec_3", hour(4))]).await.unwrap();
        let found = suite.assignment("winback q4 holdout", "ann").await.unwrap();
        assert_eq!(found.first_exposure_at, Some(timestamp(hour(2))));
    })
    .await;
}

/// Experiment, epoch, flow, offer, category, channel, offers, who emptied it; whether there are
/// features.
type ExposureColumns = (String, i64, String, String, String, String, String, String, bool);

#[tokio::test(flavor = "multi_thread")]
async fn the_earliest_exposure_stays_with_what_it_was_and_earlier_senders_say_less() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let with = |who: &str, at, offer: &str| {
            let Entry::Exposure(entry) = exposed(who, "dec_1", at) else { panic!("no exposure") };
            let score = Value { kind: Some(Kind::DoubleValue(0.5)) };
            Entry::Exposure(proto::ExposureEntry {
                epoch: 2,
                flow_id: "flow_winback".to_owned(),
                offer_id: offer.to_owned(),
                category_id: "cat_a".to_owned(),
                channel: "email".to_owned(),
                offer_ids: vec![offer.to_owned(), "with \"quotes\"".to_owned()],
                emptied_by: SEED.to_owned(),
                features: [("score".to_owned(), score)].into(),
                ..entry
            })
        };
        let later = with("ann", hour(3), "late");
        suite.deliver([later.clone(), with("ann", hour(2), "first"), later.clone()]).await.unwrap();
        suite.deliver([later, exposed("bob", "dec_2", hour(1))]).await.unwrap();
        let text = "select customer_id, epoch, flow_id, offer_id, category_id, channel, offer_ids,
             emptied_by, features is not null from exposure order by customer_id";
        let database = suite.app.store().database();
        let rows: Vec<ExposureColumns> = Select::new(text).all(database).await.unwrap();
        let row = |who: &str, epoch, words: [&str; 6], has_features| {
            let [flow, offer, category, channel, offers, emptied] = words.map(str::to_owned);
            (who.to_owned(), epoch, flow, offer, category, channel, offers, emptied, has_features)
        };
        let offers = r#"["first","with \"quotes\""]"#;
        let known = ["flow_winback", "first", "cat_a", "email", offers, SEED];
        let silent = ["", "", "", "", "[]", ""];
        assert_eq!(rows, [row("ann", 2, known, true), row("bob", 0, silent, false)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exposure_has_at_most_fifty_offers_and_five_hundred_features() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let with = |offers: usize, features: usize, epoch: i32| {
            let Entry::Exposure(entry) = exposed("ann", "dec_1", hour(1)) else {
                panic!("no exposure")
            };
            let offer_ids = (0..offers).map(|number| format!("off_{number}")).collect();
            let features =
                (0..features).map(|number| (format!("f{number}"), Value::default())).collect();
            Entry::Exposure(proto::ExposureEntry { epoch, offer_ids, features, ..entry })
        };
        suite.deliver([with(50, 500, 0)]).await.unwrap();
        let path = |field: &str| format!("entries[0].exposure.{field}");
        let expected = ["epoch", "offer_ids", "features"].map(path);
        let status = suite.deliver([with(51, 501, -1)]).await.unwrap_err();
        assert_eq!(shown(&status), invalid(&expected.each_ref().map(String::as_str)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unassigned_customer_is_not_found() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        suite.deliver([Entry::Outcome(bought("o1", "bob", 5, hour(1)))]).await.unwrap();
        let status = suite.assignment(SEED, "bob").await.unwrap_err();
        assert_eq!(shown(&status), refused(Code::NotFound, "NOT_FOUND"));
        let message = format!(
            "customer `bob` has no arm in experiment `{SEED}`: the first decision assigns one"
        );
        assert_eq!(status.message(), message);
        assert_eq!(
            suite.assignment("nope", "bob").await.unwrap_err().message(),
            "experiment `nope` not found; known are Winback Q4 holdout"
        );
        assert_eq!(
            shown(&suite.assignment(SEED, "").await.unwrap_err()),
            invalid(&["customer_id"])
        );
        assert_eq!(
            shown(&suite.assignment(SEED, "a\0b").await.unwrap_err()),
            invalid(&["customer_id"])
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_arm_stays() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        suite
            .deliver([
                assigned("ann", Arm::Treatment, hour(1)),
                assigned("ann", Arm::Holdout, hour(0)),
            ])
            .await
            .unwrap();
        suite.deliver([assigned("ann", Arm::Holdout, hour(0))]).await.unwrap();
        let found = suite.assignment(SEED, "ann").await.unwrap();
        assert_eq!((found.arm(), found.assigned_at), (Arm::Treatment, Some(timestamp(hour(1)))));
        assert_eq!(
            suite.results(SEED, "").await.unwrap().arms.iter().map(|arm| arm.n).sum::<i64>(),
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_are_listed_by_arm_and_a_token_belongs_to_it() {
    on_both(async |suite| {
        let id = suite.create(seed()).await.unwrap().id;
        let arms = ["ann", "bob", "cas", "dot", "eve"].into_iter().zip([1, 2, 1, 2, 1]);
        let arms = arms.map(|(who, arm)| assigned(who, Arm::try_from(arm).unwrap(), hour(1)));
        suite.deliver(arms).await.unwrap();
        let list = async |arm: i32, page_token: &str| {
            let request = proto::ListAssignmentsRequest {
                id: id.clone(),
                page_size: 2,
                page_token: page_token.to_owned(),
                arm,
            };
            let page = suite.experiments.clone().list_assignments(request).await?.into_inner();
            let who: Vec<_> = page.assignments.into_iter().map(|found| found.customer_id).collect();
            Ok::<_, tonic::Status>((who, page.next_page_token))
        };
        let (who, token) = list(Arm::Treatment.into(), "").await.unwrap();
        assert_eq!(who, ["ann", "cas"]);
        let last = (vec!["eve".to_owned()], String::new());
        assert_eq!(list(Arm::Treatment.into(), &token).await.unwrap(), last);
        let held_out = (vec!["bob".to_owned(), "dot".to_owned()], String::new());
        assert_eq!(list(Arm::Holdout.into(), "").await.unwrap(), held_out);
        assert_eq!(list(0, "").await.unwrap().0, ["ann", "bob"]);
        for other in [0, Arm::Holdout.into()] {
            assert_eq!(shown(&list(other, &token).await.unwrap_err()), invalid(&["page_token"]));
        }
        let status = list(9, "").await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["arm"]));
        assert!(status.message().contains("treatment, holdout"), "{}", status.message());
    })
    .await;
}

/// A small but complete history of four customers.
fn story() -> Vec<Entry> {
    let sale =
        |id: &str, customer: &str, value, at| Entry::Outcome(bought(id, customer, value, at));
    vec![
        sale("o0", "ann", 1_000, hour(0)),
        assigned("ann", Arm::Treatment, hour(1)),
        exposed("ann", "dec_1", hour(1)),
        sale("o1", "ann", 40, hour(2)),
        assigned("bob", Arm::Treatment, hour(1)),
        sale("o2", "bob", 10, hour(3)),
        sale("o3", "bob", 10, hour(4)),
        assigned("cas", Arm::Holdout, hour(2)),
        exposed("cas", "dec_2", hour(3)),
        sale("o4", "cas", 7, hour(2)),
        assigned("dot", Arm::Holdout, hour(2)),
        sale("o5", "eve", 500, hour(2)),
    ]
}

async fn totals(suite: &Suite) -> Vec<(i64, i64, f64)> {
    let results = suite.results(SEED, "revenue_per_customer").await.unwrap();
    let matched = results.ghost_matched.unwrap().arms;
    results.arms.iter().chain(&matched).map(|arm| (arm.n, arm.events(), arm.total())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn delivered_again_and_in_any_order_it_counts_once() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let expected = [(2, 2, 60.0), (2, 1, 7.0), (1, 1, 40.0), (1, 0, 0.0)];
        // Outcomes before the arms they belong to, one at a time.
        for entry in story().into_iter().rev() {
            suite.deliver([entry]).await.unwrap();
        }
        assert_eq!(totals(&suite).await, expected);
        suite.deliver(story()).await.unwrap();
        suite.deliver(story().into_iter().chain(story())).await.unwrap();
        for pair in story().chunks(2) {
            suite.deliver(pair.iter().rev().cloned()).await.unwrap();
        }
        assert_eq!(totals(&suite).await, expected);
    })
    .await;
}

/// Two relays that send the same rows in opposite order neither wait for each other for ever nor
/// count twice.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_at_once_count_once() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let replica = suite.replica().await;
        let deliver = async |n: usize| {
            let mut entries = story();
            if n % 2 == 1 {
                entries.reverse();
            }
            if n.is_multiple_of(3) { &suite } else { &replica }
                .deliver_through(entries, Some(hour(n as i64)))
                .await
        };
        let answers = futures::future::join_all((0..12).map(deliver)).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(totals(&suite).await, [(2, 2, 60.0), (2, 1, 7.0), (1, 1, 40.0), (1, 0, 0.0)]);
        assert_eq!(
            suite.results(SEED, "").await.unwrap().counted_through,
            Some(timestamp(hour(11)))
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counted_through_only_moves_on() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let through = async || suite.results(SEED, "").await.unwrap().counted_through;
        assert_eq!(through().await, None);
        suite.deliver_through([], Some(hour(5))).await.unwrap();
        suite.deliver_through([], Some(hour(3))).await.unwrap();
        suite.deliver_through(story(), None).await.unwrap();
        assert_eq!(through().await, Some(timestamp(hour(5))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_entry_refuses_the_whole_delivery_with_its_place() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let entry = |entry| proto::LedgerEntry { entry };
        let arm =
            Entry::Assignment(proto::AssignmentEntry { epoch: 0, arm: 9, ..Default::default() });
        let exposure = Entry::Exposure(proto::ExposureEntry {
            experiment_id: "Not-An-Id".to_owned(),
            ..Default::default()
        });
        let outcome = Entry::Outcome(proto::OutcomeEntry {
            customer_id: "c".repeat(129),
            key: "a\u{7}".to_owned(),
            value_e4: Some(i64::MIN),
            occurred_at: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
            ..bought("", "", 0, hour(1))
        });
        let entries = vec![
            entry(Some(assigned("ann", Arm::Treatment, hour(1)))),
            entry(None),
            entry(Some(arm)),
            entry(Some(exposure)),
            entry(Some(outcome)),
        ];
        let counted_through = Some(prost_types::Timestamp { seconds: i64::MIN, nanos: 0 });
        let request = proto::DeliverEntriesRequest { entries, counted_through };
        let status = suite.ledger.clone().deliver_entries(request).await.unwrap_err();
        let fields = [
            "entries[1]",
            "entries[2].assignment.arm",
            "entries[2].assignment.epoch",
            "entries[2].assignment.experiment_id",
            "entries[2].assignment.customer_id",
            "entries[2].assignment.assigned_at",
            "entries[3].exposure.experiment_id",
            "entries[3].exposure.customer_id",
            "entries[3].exposure.decision_id",
            "entries[3].exposure.at",
            "entries[4].outcome.value_e4",
            "entries[4].outcome.outcome_id",
            "entries[4].outcome.customer_id",
            "entries[4].outcome.key",
            "entries[4].outcome.occurred_at",
            "counted_through",
        ];
        assert_eq!(shown(&status), invalid(&fields));
        assert_eq!(
            suite.assignment(SEED, "ann").await.unwrap_err().code(),
            Code::NotFound,
            "nothing was stored"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_entries_are_taken_and_one_more_is_refused() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let entries = |count: usize| {
            (0..count).map(|n| assigned(&format!("c{n:03}"), Arm::Treatment, hour(1)))
        };
        let status = suite.deliver(entries(501)).await.unwrap_err();
        let (code, reason, fields) = shown(&status);
        assert_eq!(
            (code, reason.as_str(), fields),
            (Code::InvalidArgument, "LIMIT_EXCEEDED", vec!["entries".to_owned()])
        );
        suite.deliver(entries(500)).await.unwrap();
        let malformed = (0..500).map(|_| Entry::Assignment(proto::AssignmentEntry::default()));
        assert_eq!(
            shown(&suite.deliver(malformed).await.unwrap_err()).2.len(),
            20,
            "faults travel in headers"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arms_are_listed_by_customer_in_pages() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        // Byte order, on both stores: capitals, then small letters, then the rest.
        let customers = ["Zoe", "ann", "bob", "zoe", "été"];
        suite
            .deliver(customers.iter().rev().map(|name| assigned(name, Arm::Treatment, hour(1))))
            .await
            .unwrap();
        suite.deliver([exposed("bob", "dec_1", hour(2))]).await.unwrap();
        let (mut found, mut token) = (Vec::new(), String::new());
        loop {
            let page = suite.assignments(SEED, 2, &token).await.unwrap();
            found.extend(
                page.assignments.into_iter().map(|arm| (arm.customer_id, arm.first_exposure_at)),
            );
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, customers);
        let exposed: Vec<_> = found.iter().filter(|(_, at)| at.is_some()).collect();
        assert_eq!(exposed, [&("bob".to_owned(), Some(timestamp(hour(2))))]);
        let exact = suite.assignments(SEED, 5, "").await.unwrap();
        assert_eq!((exact.assignments.len(), exact.next_page_token.as_str()), (5, ""));
        assert_eq!(
            shown(&suite.assignments(SEED, -1, "").await.unwrap_err()),
            invalid(&["page_size"])
        );
        assert_eq!(
            shown(&suite.assignments(SEED, 1, "zz").await.unwrap_err()),
            invalid(&["page_token"])
        );
        assert_eq!(suite.assignments("nope", 1, "").await.unwrap_err().code(), Code::NotFound);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_share_no_ledger() {
    on_both(async |suite| {
        suite.create(seed()).await.unwrap();
        let entry = proto::LedgerEntry { entry: Some(assigned("ann", Arm::Treatment, hour(1))) };
        let request = proto::DeliverEntriesRequest {
            entries: vec![entry],
            counted_through: Some(timestamp(hour(1))),
        };
        suite
            .ledger
            .clone()
            .deliver_entries(serve::metadata::request("other", request))
            .await
            .unwrap();
        assert_eq!(suite.assignment(SEED, "ann").await.unwrap_err().code(), Code::NotFound);
        let results = suite.results(SEED, "").await.unwrap();
        assert_eq!((results.arms[0].n, results.counted_through), (0, None));
    })
    .await;
}
