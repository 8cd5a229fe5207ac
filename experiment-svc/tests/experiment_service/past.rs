//! Snapshots by day, and figures that are computed in the background.

use proffer_proto::{
    experiment::v1::{self as proto, Arm, ResultVerdict, ledger_entry::Entry},
    values::v1::{Value, value::Kind},
};

use super::suite::*;

async fn deliver_all(suite: &Suite, entries: Vec<Entry>) {
    for batch in entries.chunks(500) {
        suite.deliver(batch.iter().cloned()).await.unwrap();
    }
}

fn even() -> proto::Experiment {
    proto::Experiment {
        holdout_percentage: Some(50.0),
        primary_metric: "conversion_rate".to_owned(),
        ..running()
    }
}

/// So many customers in each arm, of whom the first some convert.
fn arms(customers: usize, converted: [usize; 2]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (arm, converted) in [Arm::Treatment, Arm::Holdout].into_iter().zip(converted) {
        for number in 0..customers {
            let who = format!("{arm:?}{number:04}");
            entries.push(assigned(&who, arm, hour(1)));
            if number < converted {
                entries.push(Entry::Outcome(bought(&who, &who, 1, hour(2))));
            }
        }
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn each_day_has_one_snapshot_and_it_stays() {
    on_both(async |suite| {
        suite.create(even()).await.unwrap();
        let history = async || {
            let history = suite.results(SEED, "").await.unwrap().history;
            history.into_iter().map(|day| (day.day, day.difference)).collect::<Vec<_>>()
        };
        suite.clock.set(hour(3));
        suite.app.take_snapshots().await.unwrap();
        deliver_all(&suite, arms(20, [10, 5])).await;
        suite.app.take_snapshots().await.unwrap();
        let first = suite.clock.now().date_naive().to_string();
        assert_eq!(history().await, [(first.clone(), None)], "the first of the day stays");
        suite.clock.set(day(1) + (hour(3) - hour(0)));
        suite.app.take_snapshots().await.unwrap();
        let second = suite.clock.now().date_naive().to_string();
        assert_eq!(history().await, [(first, None), (second, Some(0.25))]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_verdict_that_was_said_on_a_day_stays() {
    on_both(async |suite| {
        suite.create(even()).await.unwrap();
        deliver_all(&suite, arms(300, [200, 20])).await;
        suite.clock.set(day(1));
        suite.app.take_snapshots().await.unwrap();
        let said = suite.clock.now().date_naive().to_string();
        // Everybody converts in the end, so that nothing separates the arms.
        let late =
            arms(300, [300, 300]).into_iter().filter(|entry| matches!(entry, Entry::Outcome(_)));
        deliver_all(&suite, late.collect()).await;
        suite.clock.set(day(2));
        suite.app.take_snapshots().await.unwrap();
        let results = suite.results(SEED, "").await.unwrap();
        assert_eq!(results.difference, Some(0.0));
        let early = results.early_verdict.unwrap();
        assert_eq!((early.verdict(), early.day), (ResultVerdict::Gain, said));
        assert_eq!(results.history.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_figures_of_many_customers_are_computed_in_the_background() {
    on_both(async |suite| {
        suite.create(even()).await.unwrap();
        deliver_all(&suite, arms(2_501, [200, 150])).await;
        let read = async || suite.results(SEED, "revenue_per_customer").await.unwrap();
        let first = read().await;
        assert!(first.winsorized.is_none() && first.computed_at.is_none());
        assert!(first.absent["winsorized"].contains("not computed yet"), "{:?}", first.absent);
        assert_eq!(suite.app.recompute().await.unwrap(), 1);
        let second = read().await;
        assert!(second.winsorized.is_some(), "{:?}", second.absent);
        assert_eq!(second.computed_at, Some(history::timestamp(start())));
        assert_eq!(suite.app.recompute().await.unwrap(), 0, "it is fresh");
        suite.clock.set(hour(1));
        read().await;
        assert_eq!(suite.app.recompute().await.unwrap(), 1, "it was old");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matched_are_grouped_by_what_was_recorded_at_their_first_exposure() {
    on_both(async |suite| {
        suite.create(even()).await.unwrap();
        deliver_all(&suite, arms(30, [20, 10])).await;
        for (number, who) in
            (0..30).flat_map(|n| [(n, format!("Treatment{n:04}")), (n, format!("Holdout{n:04}"))])
        {
            let Entry::Exposure(entry) = exposed(&who, &who, hour(1)) else {
                panic!("no exposure")
            };
            let city =
                Value { kind: Some(Kind::StringValue(["Bern", "Rome"][number % 2].to_owned())) };
            let entry = Entry::Exposure(proto::ExposureEntry {
                category_id: if number % 3 == 0 { "cat_a" } else { "cat_b" }.to_owned(),
                channel: "email".to_owned(),
                features: [("city".to_owned(), city)].into(),
                ..entry
            });
            suite.deliver([entry]).await.unwrap();
        }
        let groups = async |by: &str| {
            let request = proto::GetResultsRequest {
                id: SEED.to_owned(),
                breakdown: by.to_owned(),
                ..Default::default()
            };
            let answer = suite.experiments.clone().get_results(request).await.unwrap();
            let groups = answer.into_inner().results.unwrap().breakdown.unwrap().groups;
            let size = |group: &proto::GroupResult| {
                (group.value.clone(), group.arms.iter().map(|arm| arm.n).sum::<i64>())
            };
            groups.iter().map(size).collect::<Vec<_>>()
        };
        let named = |name: &str, n| (name.to_owned(), n);
        assert_eq!(groups("category").await, [named("cat_b", 40), named("cat_a", 20)]);
        assert_eq!(groups("channel").await, [named("email", 60)]);
        assert_eq!(groups("city").await, [named("Bern", 30), named("Rome", 30)]);
        let request = proto::GetResultsRequest {
            id: SEED.to_owned(),
            breakdown: "categry".to_owned(),
            ..Default::default()
        };
        let refused = suite.experiments.clone().get_results(request).await.unwrap_err();
        assert_eq!(shown(&refused), invalid(&["breakdown"]));
        let known = "write one of `category`, `channel`, `city`, or a field that the flow records";
        assert!(refused.message().contains(known), "{refused:?}");
    })
    .await;
}

/// A caller of many groupings waits in the line of the tenant, and for none that has no name.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_asks_for_many_breakdowns_queues_few() {
    on_both(async |suite| {
        suite.create(even()).await.unwrap();
        deliver_all(&suite, arms(2_501, [20, 10])).await;
        let read = async |by: String| {
            let request = proto::GetResultsRequest {
                id: SEED.to_owned(),
                breakdown: by,
                ..Default::default()
            };
            suite.experiments.clone().get_results(request).await
        };
        for number in 0..20 {
            read(format!("field{number}")).await.unwrap();
        }
        assert_eq!(suite.app.recompute().await.unwrap(), 8, "the others ask again");
        let status = read("x".repeat(1_000)).await.unwrap_err();
        assert_eq!(shown(&status), invalid(&["breakdown"]));
        assert_eq!(suite.app.recompute().await.unwrap(), 0);
    })
    .await;
}
