//! Contacts and responses are counted once each: in any order, on any replica, across restarts.

use database::Location;
use proffer_proto::decision::v1 as proto;
use prost_types::Timestamp;
use serve::{Pace, RetentionSettings};
use sqlx::{Connection as _, PgConnection};

use super::{
    neighbours::Fakes,
    propensity::{ANN, PRIOR, about, counted, decide, lapsed_one, next},
    suite::{NOW_US, Suite, on_both},
};

const DAY_US: i64 = 86_400_000_000;

async fn on_postgres() -> (String, Fakes, Suite) {
    let (url, fakes) = (testkit::fresh_database_url().await, Fakes::new());
    let suite = Suite::start(&Location::Url(url.clone()), fakes.clone()).await;
    (url, fakes, suite)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_reported_twice_counts_once_and_so_does_its_response() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let decision = decide(&suite, ANN).await;
        let again = |outcome: &str| proto::OutcomeReport {
            idempotency_key: format!("again {outcome}"),
            ..about(&decision, ANN, outcome)
        };
        for outcome in ["impression", "click"] {
            assert!(!suite.respond(about(&decision, ANN, outcome)).await.unwrap().duplicate);
            assert!(suite.respond(about(&decision, ANN, outcome)).await.unwrap().duplicate);
            assert!(!suite.respond(again(outcome)).await.unwrap().duplicate, "another report");
        }
        suite.respond(about(&decision, ANN, "conversion")).await.unwrap();
        assert_eq!(next(&suite).await.1, counted(1, 1));
        // Another decision is another contact.
        let second = decide(&suite, ANN).await;
        suite.respond(about(&second, ANN, "impression")).await.unwrap();
        assert_eq!(next(&suite).await.1, counted(1, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_arrives_before_its_contact_counts_with_it() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        let decision = decide(&suite, ANN).await;
        suite.respond(about(&decision, ANN, "click")).await.unwrap();
        assert_eq!(next(&suite).await.1, PRIOR, "nobody was seen to be contacted");
        suite.respond(about(&decision, ANN, "impression")).await.unwrap();
        assert_eq!(next(&suite).await.1, counted(1, 1));
        // In one transaction as well.
        let second = decide(&suite, ANN).await;
        let both = ["click", "impression"].map(|outcome| about(&second, ANN, outcome));
        suite.report_all(both.into()).await;
        assert_eq!(next(&suite).await.1, counted(2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_after_the_window_of_the_flow_does_not_count() {
    on_both(async |suite| {
        lapsed_one(&suite, ANN);
        for (days, positives) in [(3, 1), (4, 1)] {
            let decision = decide(&suite, ANN).await;
            let seconds = (NOW_US - days * DAY_US) / 1_000_000;
            let occurred_at = Some(Timestamp { seconds, nanos: 0 });
            let seen = proto::OutcomeReport { occurred_at, ..about(&decision, ANN, "impression") };
            suite.respond(seen).await.unwrap();
            suite.respond(about(&decision, ANN, "click")).await.unwrap();
            let contacts = u64::try_from(days - 2).unwrap();
            assert_eq!(next(&suite).await.1, counted(positives, contacts), "{days} days");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_decision_of_another_replica_knows() {
    let (url, fakes, one) = on_postgres().await;
    let two = Suite::start(&Location::Url(url), fakes).await;
    lapsed_one(&one, ANN);
    let decision = decide(&one, ANN).await;
    for (outcome, expected) in [("impression", counted(0, 1)), ("click", counted(1, 1))] {
        assert_ne!(next(&two).await.1, expected);
        one.respond(about(&decision, ANN, outcome)).await.unwrap();
        assert_eq!(next(&two).await.1, expected);
        assert_eq!(next(&one).await.1, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_count() {
    let (url, fakes, suite) = on_postgres().await;
    lapsed_one(&suite, ANN);
    let decision = decide(&suite, ANN).await;
    for outcome in ["impression", "click"] {
        suite.respond(about(&decision, ANN, outcome)).await.unwrap();
    }
    drop(suite);
    let suite = Suite::start(&Location::Url(url), fakes).await;
    assert_eq!(next(&suite).await.1, counted(1, 1));
    assert!(suite.respond(about(&decision, ANN, "click")).await.unwrap().duplicate);
    assert_eq!(next(&suite).await.1, counted(1, 1));
}

/// Two replicas, two reports for each of 40 customers on both: every part of the counts is used,
/// and nobody waits in a circle.
#[tokio::test(flavor = "multi_thread")]
async fn reports_at_the_same_time_on_two_replicas_are_all_counted_once() {
    let (url, fakes, one) = on_postgres().await;
    let two = Suite::start(&Location::Url(url), fakes).await;
    lapsed_one(&one, ANN);
    let ids: Vec<String> = (0..40).map(|number| format!("customer_{number:02}")).collect();
    let mut decisions = Vec::new();
    for id in &ids {
        lapsed_one(&one, id);
        decisions.push(decide(&one, id).await);
    }
    let reports = |outcome: &str| {
        let each = decisions.iter().zip(&ids);
        each.map(|(decision, id)| about(decision, id, outcome)).collect::<Vec<_>>()
    };
    let (contacts, clicks) = (reports("impression"), reports("click"));
    let alone = contacts
        .iter()
        .chain(&clicks)
        .flat_map(|said| [&one, &two].map(|suite| suite.respond(said.clone())));
    let together = [&one, &two].map(|suite| {
        let mut both = contacts.clone();
        both.extend(clicks.iter().rev().cloned());
        suite.report_all(both)
    });
    let (answers, bulk) =
        futures::join!(futures::future::join_all(alone), futures::future::join_all(together));
    assert!(answers.iter().all(Result::is_ok));
    assert!(bulk.iter().all(|answer| answer.refused == 0), "{bulk:?}");
    for suite in [&one, &two] {
        assert_eq!(next(suite).await.1, counted(40, 40));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_stay_when_retention_deletes_the_decision_and_its_contacts() {
    let (url, _, suite) = on_postgres().await;
    lapsed_one(&suite, ANN);
    let decision = decide(&suite, ANN).await;
    for outcome in ["impression", "click"] {
        suite.respond(about(&decision, ANN, outcome)).await.unwrap();
    }
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut contacts = async || {
        let query = "select count(*) from proffer_decision.contact_response";
        let (count,): (i64,) = sqlx::query_as(query).fetch_one(&mut connection).await.unwrap();
        count
    };
    assert_eq!(contacts().await, 1);
    suite.clock.set(serve::from_micros(NOW_US + 31 * DAY_US));
    let limits = vec![serve::retention_limit("decisions=30").unwrap()];
    let app = suite.app.clone().with_retention(RetentionSettings { limits });
    app.count_for_reports().await.unwrap();
    let deleted = app.delete_old_rows(Pace::Full).await.unwrap();
    assert_eq!(deleted.get("decision"), Some(&1));
    assert_eq!(contacts().await, 0);
    assert_eq!(next(&suite).await.1, counted(1, 1));
}
