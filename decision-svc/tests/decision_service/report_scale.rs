//! A report reads counts, never rows of customers: its time depends on days and on what is counted
//! apart, not on how many outcomes there were. Times are checked at the size that docs/drills.md
//! names only: with a small one they say nothing.

use std::time::Duration;

use database::Location;
use decision_svc::{
    domain::report::{
        cell::{Cell, Count, Counted, Place, Sums},
        chunk::CELLS,
    },
    neighbours::follow::Followers,
    receipt::Receipts,
    reporting::roller::{Parts, Roller},
    settled::Settled,
    store::{self, CountedRows, Store},
};
use proffer_proto::decision::v1::{self as proto, OutcomeDimension};
use serve::Clock;

use super::{
    neighbours::Fakes,
    suite::{NOW_US, Suite},
};

/// Days of the year, and of the short run.
const YEAR: i64 = 365;
const MONTH: i64 = 30;
/// The last day of the year: that of the suite's instant.
const LAST: i64 = NOW_US / 86_400_000_000;
const OFFERS: usize = 60;
const CHANNELS: [&str; 3] = ["ch_email", "ch_push", "ch_web"];
const FLOWS: [&str; 2] = ["flow_winback", "flow_loyalty"];
const KINDS: [&str; 5] = ["impression", "click", "conversion", "refund", "opt_out"];

/// The counts of a day on which so many outcomes were recorded.
fn day(day: i64, outcomes: u64) -> Sums {
    let mut sums = Sums::default();
    let cells = (OFFERS * CHANNELS.len() * FLOWS.len() * KINDS.len()) as u64;
    for (number, place) in places(day).enumerate() {
        let n = outcomes / cells + u64::from((number as u64) < outcomes % cells);
        let value = i128::from(n) * 199_001;
        sums.add(place, &Count { n, valued: n, value });
    }
    sums
}

fn places(day: i64) -> impl Iterator<Item = Place> {
    let each = CHANNELS.len() * FLOWS.len() * KINDS.len();
    let numbers = (0..OFFERS).flat_map(move |offer| (0..each).map(move |it| (offer, it)));
    numbers.map(move |(offer, number)| {
        let (kind, rest) = (number % KINDS.len(), number / KINDS.len());
        let cell = Cell {
            flow_id: FLOWS[rest % FLOWS.len()].to_owned(),
            offer_id: format!("off_{offer}"),
            category_id: format!("cat_{}", offer % 7),
            channel: CHANNELS[rest / FLOWS.len()].to_owned(),
            what: KINDS[kind].to_owned(),
        };
        Place { counted: Counted::Outcomes, day, cell }
    })
}

/// Counts outcomes of so many days as the roller does, a day in one go; returns how many there are.
/// It has a runtime of its own: when that ends, nothing has the store open any more.
async fn filled(location: &Location, days: i64, outcomes: u64) -> u64 {
    let location = location.clone();
    let fill = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(fill(&location, days, outcomes))
    };
    tokio::task::spawn_blocking(fill).await.unwrap()
}

async fn fill(location: &Location, days: i64, outcomes: u64) -> u64 {
    let store = Store::new(store::schema().open(location).await.unwrap());
    let clock = Clock::fixed(serve::from_micros(NOW_US));
    let settled =
        Settled::start(store.clone(), Receipts::new(clock.clone()), clock.clone()).await.unwrap();
    let followers = Followers::new(Fakes::new().neighbours(), clock.clone());
    let mut roller = Roller::new(Parts { store: store.clone(), settled, followers, clock });
    let a_day = outcomes / days as u64;
    for number in 0..days {
        let position = store.report_positions().await.unwrap()[&CountedRows::Outcomes];
        let advanced = store.advance_report(CountedRows::Outcomes, position, number + 1).await;
        let mut counting = advanced.unwrap().unwrap();
        let sums = day(LAST - days + 1 + number, a_day);
        roller.add(&mut counting, "default", sums).await.unwrap();
        counting.finish().await.unwrap();
    }
    a_day * days as u64
}

async fn timed(suite: &Suite, asked: &proto::GetOutcomeReportRequest, expected: u64) -> Duration {
    let watch = Clock::system().stopwatch();
    let found = suite.reports.clone().get_outcome_report(asked.clone()).await.unwrap();
    let took = watch.elapsed();
    assert_eq!(found.into_inner().total.unwrap().count, expected as i64);
    took
}

/// On both stores; with `PROFFER_REPORT_OUTCOMES=10000000` in a second at most.
#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_ten_million_outcomes_is_reported_within_a_second() {
    let asked = std::env::var("PROFFER_REPORT_OUTCOMES").ok();
    let asked: Option<u64> = asked.map(|text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let url = testkit::fresh_database_url().await;
    for location in [Location::Folder(folder.path().to_owned()), Location::Url(url)] {
        let days = if asked.is_some() { YEAR } else { MONTH };
        let outcomes = filled(&location, days, asked.unwrap_or(100_000)).await;
        let suite = Suite::start(&location, Fakes::new()).await;
        use OutcomeDimension::{Channel, Day, Offer, Outcome};
        for (group_by, rate) in [
            (vec![Day, Outcome], vec![]),
            (vec![Offer], vec!["click/impression", "conversion/click"]),
            (vec![Day, Offer], vec!["click/impression"]),
            (vec![Day, Channel, Outcome], vec![]),
        ] {
            let request = proto::GetOutcomeReportRequest {
                from: "2025-11-23".to_owned(),
                to: "2026-11-22".to_owned(),
                group_by: group_by.iter().map(|dimension| i32::from(*dimension)).collect(),
                rate: rate.iter().map(|rate| (*rate).to_owned()).collect(),
                ..Default::default()
            };
            let took = timed(&suite, &request, outcomes).await;
            println!("{outcomes} outcomes by {group_by:?}: {took:?}");
            assert!(asked.is_none() || took < Duration::from_secs(1), "{took:?}");
        }
    }
}

/// A hundred times as many outcomes are as many rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_reads_no_more_rows_however_many_outcomes_there_were() {
    let mut bytes = Vec::new();
    for outcomes in [100_000, 10_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Folder(folder.path().to_owned());
        filled(&location, MONTH, outcomes).await;
        let store = Store::new(store::schema().open(&location).await.unwrap());
        let of = ("default", Counted::Outcomes);
        let rows = store.report_days(of, (0, 0), i64::MAX, i64::MAX).await.unwrap();
        let cells = store.report_cells("default", Counted::Outcomes, 0).await.unwrap().len();
        assert_eq!(rows.len(), cells.div_ceil(CELLS) * MONTH as usize);
        bytes.push(rows.iter().map(|row| row.counts.len()).sum::<usize>());
    }
    assert!(bytes[1] < 2 * bytes[0] && bytes[1] < 1_000_000, "{bytes:?}");
}
