//! Outcome windows: which outcomes and customers a read-out counts, and when.

use experiment_svc::domain::{analysis::LeftOut, measure::Metric};
use history::timestamp;
use proffer_proto::experiment::v1::{self as proto, Arm, ledger_entry::Entry};

use super::suite::*;

fn windowed(days: i32) -> proto::Experiment {
    proto::Experiment { outcome_window_days: Some(days), ..running() }
}

async fn read(suite: &Suite) -> experiment_svc::store::Read {
    let stored = suite.get(SEED).await.unwrap();
    let plan = experiment_svc::grpc::plan_of(&stored).unwrap();
    let metric = Metric::parse("revenue_per_customer").unwrap();
    suite.app.store().read("default", &plan, metric).await.unwrap()
}

fn left_out(open: u64, cut: u64, emptied: u64) -> LeftOut {
    LeftOut { open, cut, emptied }
}

/// Customers and revenue of treatment, by assignment and among the matched.
async fn totals(suite: &Suite) -> [(i64, f64); 2] {
    let results = suite.results(SEED, "").await.unwrap();
    let matched = results.ghost_matched.unwrap();
    [&results.arms[0], &matched.arms[0]].map(|arm| (arm.n, arm.total()))
}

async fn story(suite: &Suite) {
    suite
        .deliver([
            assigned("ann", Arm::Treatment, day(1)),
            exposed("ann", "dec_1", day(4)),
            Entry::Outcome(bought("o1", "ann", 1, day(2))),
            Entry::Outcome(bought("o2", "ann", 10, day(5))),
            Entry::Outcome(bought("o3", "ann", 100, day(9))),
            Entry::Outcome(bought("o4", "ann", 1_000, day(12))),
            assigned("bob", Arm::Treatment, day(50)),
            Entry::Outcome(bought("o5", "bob", 5, day(51))),
        ])
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_counts_when_the_window_has_closed_and_everything_in_it_is_counted() {
    on_both(async |suite| {
        suite.create(windowed(7)).await.unwrap();
        story(&suite).await;
        assert_eq!(totals(&suite).await, [(0, 0.0); 2], "nothing is known to be complete");
        // [assigned, +7) closes on day 8, [exposed, +7) on day 11.
        suite.deliver_through([], Some(day(8))).await.unwrap();
        assert_eq!(totals(&suite).await, [(1, 11.0), (0, 0.0)]);
        let found = read(&suite).await;
        assert_eq!(found.counts.assigned_left_out, left_out(1, 0, 0));
        assert_eq!(found.counts.matched_left_out, left_out(1, 0, 0));
        suite.deliver_through([], Some(day(11))).await.unwrap();
        assert_eq!(totals(&suite).await, [(1, 11.0), (1, 110.0)]);
        suite.deliver_through([], Some(day(57))).await.unwrap();
        assert_eq!(totals(&suite).await, [(2, 16.0), (1, 110.0)]);
        assert_eq!(read(&suite).await.counts.assigned_left_out, LeftOut::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_of_closed_windows_are_folded_and_late_outcomes_still_count() {
    on_both(async |suite| {
        suite.create(windowed(7)).await.unwrap();
        story(&suite).await;
        suite.deliver_through([], Some(day(11))).await.unwrap();
        let before = totals(&suite).await;
        assert!(suite.app.fold().await.unwrap() > 0);
        assert_eq!(totals(&suite).await, before);
        assert_eq!(suite.app.fold().await.unwrap(), 0, "bob's window is open");
        let late = bought("late", "ann", 2, day(3));
        let received_at = Some(timestamp(day(14)));
        suite.deliver([Entry::Outcome(proto::OutcomeEntry { received_at, ..late })]).await.unwrap();
        let after = [(1, 13.0), before[1]];
        assert_eq!(totals(&suite).await, after);
        assert!(suite.app.fold().await.unwrap() > 0);
        assert_eq!(totals(&suite).await, after);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_window_everyone_counts_at_once_until_the_planned_end() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        story(&suite).await;
        assert_eq!(totals(&suite).await, [(2, 1_116.0), (1, 1_110.0)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_runs_on_past_the_planned_end_and_the_end_is_later_by_it() {
    on_both(async |suite| {
        let created = suite.create(windowed(7)).await.unwrap();
        assert_eq!(created.planned_end, Some(timestamp(day(90))));
        suite
            .deliver([
                assigned("ann", Arm::Treatment, day(89)),
                Entry::Outcome(bought("o1", "ann", 3, day(95))),
                exposed("ann", "dec_1", day(90)),
            ])
            .await
            .unwrap();
        suite.deliver_through([], Some(day(97))).await.unwrap();
        assert_eq!(totals(&suite).await, [(1, 3.0), (0, 0.0)], "exposed too late");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_a_week_after_a_windows_end_changes_nothing() {
    on_both(async |suite| {
        suite.create(windowed(7)).await.unwrap();
        suite.deliver([assigned("ann", Arm::Treatment, day(1))]).await.unwrap();
        suite.deliver_through([], Some(day(8))).await.unwrap();
        let late = |id: &str, received| {
            let received_at = Some(timestamp(received));
            Entry::Outcome(proto::OutcomeEntry { received_at, ..bought(id, "ann", 2, day(3)) })
        };
        suite.deliver([late("in time", day(15))]).await.unwrap();
        assert_eq!(totals(&suite).await[0], (1, 2.0), "a closed window still takes it");
        suite.deliver([late("too late", day(16))]).await.unwrap();
        assert_eq!(totals(&suite).await[0], (1, 2.0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conclusion_cuts_the_windows_that_are_open() {
    on_both(async |suite| {
        suite.create(windowed(7)).await.unwrap();
        story(&suite).await;
        suite.deliver_through([], Some(day(60))).await.unwrap();
        suite.clock.set(day(56));
        suite.conclude(SEED, false).await.unwrap();
        assert!(read(&suite).await.computed_at.is_some());
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        assert_eq!(totals(&suite).await, [(1, 11.0), (1, 110.0)]);
        let found = read(&suite).await;
        assert_eq!((found.counts.assigned_left_out, found.computed_at), (left_out(0, 1, 0), None));
        let everyone: u64 = found.assigned.iter().map(|(_, _, n)| n).sum();
        assert_eq!(everyone, 2, "sizes are those of everyone assigned");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exposure_at_or_after_the_planned_end_is_not_matched() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        for (who, at) in [("ann", day(90) - chrono::TimeDelta::microseconds(1)), ("bob", day(90))] {
            suite
                .deliver([assigned(who, Arm::Treatment, day(1)), exposed(who, who, at)])
                .await
                .unwrap();
        }
        assert_eq!(totals(&suite).await.map(|(n, _)| n), [2, 1]);
    })
    .await;
}

/// The verdict is said when everything until the end is counted, so nobody may be open then.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_the_windows_of_the_hour_that_has_begun_are_closed() {
    on_both(async |suite| {
        let minutes = chrono::TimeDelta::minutes;
        let starts_at = Some(timestamp(hour(0) + minutes(30)));
        suite.create(proto::Experiment { starts_at, ..windowed(7) }).await.unwrap();
        let entries = [assigned("ann", Arm::Treatment, day(90) + minutes(29))];
        suite.deliver_through(entries, Some(day(97) + minutes(29))).await.unwrap();
        assert_eq!(read(&suite).await.counts.assigned_left_out, left_out(1, 0, 0));
        suite.deliver_through([], Some(day(97) + minutes(30))).await.unwrap();
        let (kept, stored) = (read(&suite).await, suite.get(SEED).await.unwrap());
        assert_eq!(kept.counts.assigned_left_out, left_out(0, 0, 0));
        let plan = experiment_svc::grpc::plan_of(&stored).unwrap();
        let metric = plan.metrics[0].clone();
        let rows = suite.app.store().read_rows("default", &plan, metric).await.unwrap();
        assert_eq!(format!("{:?}", kept.counts), format!("{:?}", rows.counts));
        assert!(suite.app.fold().await.unwrap() > 0);
        assert_eq!(read(&suite).await.counts.assigned_left_out, left_out(0, 0, 0));
    })
    .await;
}
