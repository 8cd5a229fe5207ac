//! Every recorded row is counted once, whatever happens to those who count.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use database::Location;
use proffer_proto::{
    decision::v1::{self as proto, DecisionDimension, OutcomeDimension},
    policy::v1 as policy,
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use rand_like::Draws;
use serve::{Pace, RetentionSettings};
use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{
    neighbours::Fakes,
    suite::{NOW_US, Suite, holdout, lapsed, on_both, question, report},
};

const DAY_US: i64 = 86_400_000_000;
const CUSTOMERS: [&str; 3] = ["ann", "bob", "cleo"];

/// Numbers that look random and are the same each time.
mod rand_like {
    pub struct Draws(pub u64);

    impl Draws {
        /// A number below `end`.
        pub fn below(&mut self, end: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) % end
        }
    }
}

/// What a row is about: day, flow, offer, category, channel, type.
type Key = [String; 6];
/// How many, how many with a value, and the sum of the values in 1/10,000.
type Numbers = (i64, i64, i128);

fn at(micros: i64) -> DateTime<Utc> {
    serve::from_micros(micros)
}

/// Settings with this zone.
fn put_zone(fakes: &Fakes, time_zone: &str) {
    let settings = policy::TenantSettings { timezone: time_zone.to_owned(), ..Default::default() };
    fakes.write_policy("settings", "settings", "settings", settings.encode_to_vec());
}

fn parts(value: &Value) -> i128 {
    let read = wire::amount::read(value, i64::MIN / 20_000..=i64::MAX / 20_000).unwrap();
    read.unwrap().into()
}

/// All rows of the finest report on outcomes, page by page.
async fn reported(suite: &Suite) -> BTreeMap<Key, Numbers> {
    use OutcomeDimension::{Category, Channel, Day, Flow, Offer, Outcome};
    let group_by = [Day, Flow, Offer, Category, Channel, Outcome].map(i32::from).to_vec();
    let (mut rows, mut page_token) = (BTreeMap::new(), String::new());
    let mut total = (0, 0, 0);
    loop {
        let asked = proto::GetOutcomeReportRequest {
            from: "2025-06-01".to_owned(),
            to: "2026-12-31".to_owned(),
            group_by: group_by.clone(),
            page_size: 7,
            page_token,
            ..Default::default()
        };
        let found = suite.reports.clone().get_outcome_report(asked).await.unwrap().into_inner();
        for row in found.rows {
            let id = |item: Option<proto::ReportItem>| item.unwrap().id;
            let key = [
                row.day.unwrap(),
                id(row.flow),
                id(row.offer),
                id(row.category),
                id(row.channel),
                row.outcome.unwrap(),
            ];
            let value = row.value.as_ref().map(parts).unwrap_or_default();
            total = (total.0 + row.count, total.1 + row.valued, total.2 + value);
            assert!(rows.insert(key, (row.count, row.valued, value)).is_none());
        }
        page_token = found.next_page_token;
        if page_token.is_empty() {
            let all = found.total.unwrap();
            let value = all.value.as_ref().map(parts).unwrap_or_default();
            assert_eq!((all.count, all.valued, value), total);
            return rows;
        }
    }
}

/// The same, counted from the lists of what is recorded.
async fn recounted(suite: &Suite, zone: chrono_tz::Tz) -> BTreeMap<Key, Numbers> {
    let mut rows: BTreeMap<Key, Numbers> = BTreeMap::new();
    for customer_id in CUSTOMERS {
        let asked = proto::ListOutcomesRequest {
            customer_id: customer_id.to_owned(),
            page_size: 1_000,
            ..Default::default()
        };
        let listed = suite.outcomes.clone().list_outcomes(asked).await.unwrap().into_inner();
        for outcome in listed.outcomes {
            let occurred = outcome.occurred_at.unwrap();
            let occurred = at(occurred.seconds * 1_000_000 + i64::from(occurred.nanos) / 1_000);
            let flow = match outcome.decision_id.as_str() {
                "" => String::new(),
                decision_id => {
                    let asked = proto::GetDecisionRequest {
                        decision_id: decision_id.to_owned(),
                        ..Default::default()
                    };
                    let got = suite.decisions.clone().get_decision(asked).await.unwrap();
                    got.into_inner().decision.unwrap().flow_id
                }
            };
            // Of the categories of the seed's offers only one is stored.
            let category = match outcome.offer_id.as_str() {
                "off_apparel" => "cat_apparel",
                "off_home" => "home",
                _ => "",
            };
            let channel = match outcome.channel.as_str() {
                "email" | "EMAIL" => "ch_email".to_owned(),
                other => other.to_lowercase(),
            };
            let key = [
                occurred.with_timezone(&zone).date_naive().to_string(),
                flow,
                outcome.offer_id,
                category.to_owned(),
                channel,
                outcome.outcome,
            ];
            let row = rows.entry(key).or_default();
            row.0 += 1;
            if let Some(value) = &outcome.value {
                (row.1, row.2) = (row.1 + 1, row.2 + parts(value));
            }
        }
    }
    rows
}

/// A random outcome of a random customer. Keys repeat, and then it is the same outcome.
fn outcome(draws: &mut Draws, decisions: &BTreeMap<&str, Vec<String>>) -> proto::OutcomeReport {
    let customer_id = CUSTOMERS[draws.below(3) as usize];
    let key = draws.below(400);
    // Everything else follows from the key.
    let mut draws = Draws(key * 7 + customer_id.len() as u64);
    draws.below(2);
    let kinds = ["impression", "click", "conversion", "opt_out"];
    let mut made = report(customer_id, kinds[draws.below(4) as usize], &format!("key-{key}"));
    let back_us = i64::try_from(draws.below(300 * 86_400_000)).unwrap() * 1_000;
    made.occurred_at = Some(history::timestamp(at(NOW_US) - TimeDelta::microseconds(back_us)));
    let value = i64::try_from(draws.below(4_000_000)).unwrap() - 2_000_000;
    let text = wire::amount::text(value);
    let value = Value { kind: Some(Kind::DecimalValue(text)) };
    made.value = (draws.below(3) > 0).then_some(value);
    made.channel = ["", "EMAIL", "Street", "email"][draws.below(4) as usize].to_owned();
    match draws.below(4) {
        0 => made.offer_id = "off_home".to_owned(),
        1 => made.offer_id = "off_apparel".to_owned(),
        2 => {
            let known = decisions.get(customer_id).map(Vec::as_slice).unwrap_or_default();
            let chosen = known.get(draws.below(known.len().max(1) as u64) as usize);
            made.decision_id = chosen.cloned().unwrap_or_default();
        }
        _ => {}
    }
    made
}

/// Some decisions of each customer, by customer.
async fn decided(suite: &Suite) -> BTreeMap<&'static str, Vec<String>> {
    let mut decisions = BTreeMap::new();
    for customer_id in CUSTOMERS {
        lapsed(&suite.fakes, customer_id, "apparel", "2026-07-03");
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(suite.recommend(question(customer_id)).await.unwrap().decision_id.unwrap());
        }
        decisions.insert(customer_id, ids);
    }
    decisions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_exact_against_a_recount_from_raw_rows() {
    on_both(async |suite| {
        put_zone(&suite.fakes, "America/New_York");
        let decisions = decided(&suite).await;
        let mut draws = Draws(11);
        for batch in 0..8_i64 {
            let reports = (0..60).map(|_| outcome(&mut draws, &decisions)).collect();
            let answer = suite.report_all(reports).await;
            assert_eq!(answer.refused, 0, "{answer:?}");
            suite.clock.set(at(NOW_US + (batch + 1) * 1_000_000));
            if batch % 3 == 0 {
                suite.app.count_for_reports().await.unwrap();
            }
        }
        suite.app.count_for_reports().await.unwrap();
        let (counted, raw) =
            (reported(&suite).await, recounted(&suite, chrono_tz::America::New_York).await);
        assert!(raw.len() > 100 && raw.values().any(|row| row.2 < 0), "{raw:?}");
        assert_eq!(counted, raw);
        // Once more counts nothing twice.
        suite.clock.set(at(NOW_US + 60_000_000));
        suite.app.count_for_reports().await.unwrap();
        assert_eq!(reported(&suite).await, raw);
    })
    .await;
}

/// Decisions of all customers by reason.
async fn reasons(suite: &Suite) -> BTreeMap<String, (i64, i64)> {
    let asked = proto::GetDecisionReportRequest {
        from: "2026-11-01".to_owned(),
        to: "2026-12-31".to_owned(),
        group_by: vec![DecisionDimension::Reason.into()],
        ..Default::default()
    };
    let found = suite.reports.clone().get_decision_report(asked).await.unwrap().into_inner();
    let row =
        |row: proto::DecisionReportRow| (row.reason.unwrap(), (row.decisions.unwrap(), row.offers));
    found.rows.into_iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn held_out_answers_count_as_holdout_and_dry_runs_do_not_count() {
    on_both(async |suite| {
        lapsed(&suite.fakes, "ann", "apparel", "2026-07-03");
        suite.recommend(question("ann")).await.unwrap();
        suite.recommend(question("stranger")).await.unwrap();
        let dry = proto::RecommendRequest { dry_run: true, ..question("ann") };
        suite.recommend(dry).await.unwrap();
        let revision = suite.fakes.write_experiment(&holdout(100));
        let held_out = proto::RecommendRequest {
            min_revision: vec![format!("experiment:{revision}")],
            ..question("ann")
        };
        suite.recommend(held_out).await.unwrap();
        suite.clock.set(at(NOW_US + 1_000_000));
        suite.app.count_for_reports().await.unwrap();
        let row = |reason: &str, offers| (reason.to_owned(), (1, offers));
        let expected = [row("customer_unknown", 0), row("holdout", 0), row("none", 1)];
        assert_eq!(reasons(&suite).await, BTreeMap::from(expected));
    })
    .await;
}

/// Forgets processes that have ended, as happens by itself after a while.
async fn forget_others(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("delete from proffer_decision.replica").await.unwrap();
}

/// Processes count at the same time, are stopped in the middle of it, and start again.
#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_a_kill_between_count_each_row_once() {
    let url = testkit::fresh_database_url().await;
    let location = Location::Url(url.clone());
    let fakes = Fakes::new();
    put_zone(&fakes, "UTC");
    let one = Suite::start(&location, fakes.clone()).await;
    let decisions = decided(&one).await;
    let mut two = Suite::start(&location, fakes.clone()).await;
    let mut draws = Draws(5);
    for round in 1..=12_i64 {
        for suite in [&one, &two] {
            let reports = (0..25).map(|_| outcome(&mut draws, &decisions)).collect();
            assert_eq!(suite.report_all(reports).await.refused, 0);
        }
        one.recommend(question("stranger")).await.unwrap();
        two.recommend(question("stranger")).await.unwrap();
        for suite in [&one, &two] {
            suite.clock.set(at(NOW_US + round * 1_000_000));
            suite.app.settle().await.unwrap();
        }
        // Stopped after so long: somewhere between the first read and the end of the commit.
        let some_time = Duration::from_micros(draws.below(20_000));
        let stopped = tokio::time::timeout(some_time, one.app.count_for_reports());
        let (stopped, whole) = tokio::join!(stopped, two.app.count_for_reports());
        drop(stopped);
        whole.unwrap();
        if round == 6 {
            drop(two);
            two = Suite::start(&location, fakes.clone()).await;
            two.clock.set(at(NOW_US + round * 1_000_000));
        }
    }
    forget_others(&url).await;
    one.clock.set(at(NOW_US + 20_000_000));
    one.app.settle().await.unwrap();
    one.app.count_for_reports().await.unwrap();
    assert_eq!(reported(&one).await, recounted(&one, chrono_tz::UTC).await);
    assert_eq!(reasons(&one).await["customer_unknown"], (24, 0));
}

/// One process has taken the instant of a decision and not written it; another one counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_in_flight_is_not_passed_over() {
    let url = testkit::fresh_database_url().await;
    let fakes = Fakes::new();
    let one = Suite::start(&Location::Url(url.clone()), fakes.clone()).await;
    let two = Suite::start(&Location::Url(url.clone()), fakes.clone()).await;
    two.recommend(question("held")).await.unwrap();
    // A process that writes something about this customer waits.
    let mut locking = PgConnection::connect(&url).await.unwrap();
    let mut watching = PgConnection::connect(&url).await.unwrap();
    let mut lock = locking.begin().await.unwrap();
    let select = "select 1 from proffer_decision.customer where customer_id = 'held' for update";
    lock.execute(select).await.unwrap();
    let mut decisions = two.decisions.clone();
    let held = tokio::spawn(async move { decisions.recommend(question("held")).await });
    let query = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    loop {
        let (count,): (i64,) = sqlx::query_as(query).fetch_one(&mut watching).await.unwrap();
        if count > 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    for suite in [&one, &two] {
        suite.clock.set(at(NOW_US + 10_000_000));
        suite.app.settle().await.unwrap();
    }
    one.app.count_for_reports().await.unwrap();
    assert_eq!(reasons(&one).await, BTreeMap::new(), "both decisions are of one instant");
    lock.rollback().await.unwrap();
    held.await.unwrap().unwrap();
    two.app.settle().await.unwrap();
    one.app.count_for_reports().await.unwrap();
    assert_eq!(reasons(&one).await["customer_unknown"], (2, 0));
}

/// The clock of a process may be behind: what it receives is later than what is counted all the
/// same.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_is_behind_loses_nothing() {
    let url = testkit::fresh_database_url().await;
    let location = Location::Url(url.clone());
    let fakes = Fakes::new();
    let one = Suite::start(&location, fakes.clone()).await;
    one.respond(report("ann", "click", "k1")).await.unwrap();
    one.clock.set(at(NOW_US + 60_000_000));
    one.app.count_for_reports().await.unwrap();
    // Its clock says what that of the first one said a minute ago.
    let two = Suite::start(&location, fakes.clone()).await;
    two.respond(report("ann", "click", "k2")).await.unwrap();
    two.recommend(question("ann")).await.unwrap();
    for suite in [&one, &two] {
        suite.clock.set(at(NOW_US + 120_000_000));
        suite.app.settle().await.unwrap();
    }
    one.app.count_for_reports().await.unwrap();
    let clicks: i64 = reported(&one).await.values().map(|row| row.0).sum();
    assert_eq!(clicks, 2);
    assert_eq!(reasons(&one).await["customer_unknown"], (1, 0));
}

/// An outcome may be reported long after it happened, and be old when it is received.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_before_retention_deletes_them_and_stay_counted() {
    on_both(async |suite| {
        suite.stop_relay();
        let old = proto::OutcomeReport {
            occurred_at: Some(history::timestamp(at(NOW_US - 100 * DAY_US))),
            ..report("ann", "click", "k1")
        };
        suite.respond(old).await.unwrap();
        suite.recommend(question("ann")).await.unwrap();
        suite.clock.set(at(NOW_US + 40 * DAY_US));
        let limits = ["outcomes=30", "decisions=30"].map(|it| serve::retention_limit(it).unwrap());
        let limits = limits.to_vec();
        let app = suite.app.clone().with_retention(RetentionSettings { limits });
        let deleted = async || {
            let mut deleted = app.delete_old_rows(Pace::Full).await.unwrap();
            deleted.retain(|table, rows| *table != "request" && *rows > 0);
            deleted
        };
        assert!(deleted().await.is_empty());
        suite.app.count_for_reports().await.unwrap();
        let all = deleted().await;
        assert_eq!((all.get("outcome"), all.get("decision")), (Some(&1), Some(&1)));
        let clicks: i64 = reported(&suite).await.values().map(|row| row.0).sum();
        assert_eq!((clicks, reasons(&suite).await.len()), (1, 1));
    })
    .await;
}

/// What is counted keeps its day, and the answer says from when on the new zone is used.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_zone_keeps_the_days_of_what_was_counted() {
    on_both(async |suite| {
        let late = |key: &str| proto::OutcomeReport {
            occurred_at: Some(history::timestamp("2026-11-20T23:30:00Z".parse().unwrap())),
            ..report("ann", "click", key)
        };
        let scope = async || {
            let asked = proto::GetOutcomeReportRequest::default();
            let found = suite.reports.clone().get_outcome_report(asked).await;
            found.unwrap().into_inner().scope.unwrap()
        };
        let days = async || {
            let rows = reported(&suite).await.into_iter();
            rows.map(|(key, row)| (key[0].clone(), row.0)).collect::<Vec<_>>()
        };
        suite.respond(late("k1")).await.unwrap();
        suite.clock.set(at(NOW_US + 1_000_000));
        suite.app.count_for_reports().await.unwrap();
        let before = scope().await;
        assert_eq!((&*before.time_zone, before.time_zone_since), ("UTC", None));
        assert_eq!(days().await, [("2026-11-20".to_owned(), 1)]);

        put_zone(&suite.fakes, "Europe/Paris");
        // Until the settings have arrived, days are still those of the zone before.
        let mut clock = NOW_US + 1_000_000;
        while scope().await.time_zone == "UTC" {
            clock += 1_000_000;
            suite.respond(late(&format!("k{clock}"))).await.unwrap();
            suite.clock.set(at(clock));
            suite.app.count_for_reports().await.unwrap();
        }
        let after = scope().await;
        assert_eq!(after.time_zone, "Europe/Paris");
        assert!(after.time_zone_since.unwrap().seconds >= NOW_US / 1_000_000);
        let found = days().await;
        assert!(found.iter().any(|(day, _)| day == "2026-11-20"), "{found:?}");
        assert!(found.iter().any(|(day, _)| day == "2026-11-21"), "{found:?}");
    })
    .await;
}
