//! The sums of read-outs: whatever arrives, in whatever order, they are those of the customers'
//! rows.

use std::collections::BTreeMap;

use database::Select;
use experiment_svc::domain::{measure::Metric, tally::Plan};
use history::timestamp;
use proffer_proto::experiment::v1::{self as proto, Arm, ledger_entry::Entry};
use sqlx::AssertSqlSafe;

use super::suite::*;

/// The metrics that the experiment of these tests counts.
const METRICS: [&str; 4] =
    ["revenue_per_customer", "conversion_rate", "outcome:click", "rate:conversion/visit"];

fn measured() -> proto::Experiment {
    proto::Experiment {
        secondary_metrics: METRICS[1..].iter().map(|name| (*name).to_owned()).collect(),
        covariate: "revenue_before:3".to_owned(),
        ..running()
    }
}

/// Numbers that look random and are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self, below: u64) -> u64 {
        // SplitMix64 by Sebastiano Vigna, public domain.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// Arms, exposures and outcomes of customers, in no order, some of them twice.
fn entries(customers: u64, outcomes: u64, dice: &mut Dice) -> Vec<Entry> {
    let mut entries = Vec::new();
    let name = |number: u64| format!("c{number:05}");
    for number in 0..customers {
        let arm = if dice.next(5) == 0 { Arm::Holdout } else { Arm::Treatment };
        entries.push(assigned(&name(number), arm, hour(dice.next(240) as i64)));
        for _ in 0..dice.next(3) {
            let at = hour(dice.next(2_400) as i64);
            entries.push(exposed(&name(number), &format!("d{}", dice.next(1 << 40)), at));
        }
    }
    for number in 0..outcomes {
        let key = ["conversion", "click", "visit", "complaint"][dice.next(4) as usize];
        let value_e4 = match dice.next(8) {
            0 => None,
            1 => Some(0),
            2 => Some(-(dice.next(1 << 40) as i64)),
            _ => Some(dice.next(9_999_999_999_999) as i64),
        };
        let at = hour(dice.next(2_500) as i64 - 48);
        let late = hour(24 * dice.next(12) as i64) - start();
        entries.push(Entry::Outcome(proto::OutcomeEntry {
            key: key.to_owned(),
            positive: key != "complaint",
            value_e4,
            received_at: Some(timestamp(at + late)),
            // A tenth of the outcomes are of customers without an arm.
            ..bought(&format!("o{number}"), &name(dice.next(customers * 10 / 9)), 0, at)
        }));
    }
    let twice: Vec<Entry> = entries.iter().filter(|_| dice.next(10) == 0).cloned().collect();
    entries.extend(twice);
    for place in (1..entries.len()).rev() {
        entries.swap(place, dice.next(place as u64 + 1) as usize);
    }
    entries
}

/// What the sums say and what the rows say, metric by metric.
pub async fn check_sums(suite: &Suite, id: &str, metrics: &[&str]) {
    let stored = suite.get(id).await.unwrap();
    let plan = plan_of(&stored);
    for name in metrics {
        let metric = || Metric::parse(name).unwrap();
        let read = suite.app.store().read("default", &plan, metric()).await.unwrap();
        let rows = suite.app.store().read_rows("default", &plan, metric()).await.unwrap();
        assert_eq!(format!("{:?}", read.counts), format!("{:?}", rows.counts), "{name}");
        let sorted = |mut sizes: Vec<_>| {
            sizes.sort_by_key(|(epoch, arm, _)| (*epoch, format!("{arm:?}")));
            sizes
        };
        assert_eq!(sorted(read.assigned), sorted(rows.assigned), "{name}");
        assert_eq!(sorted(read.matched), sorted(rows.matched), "{name}");
    }
}

fn plan_of(stored: &proto::Experiment) -> Plan {
    experiment_svc::grpc::plan_of(stored).unwrap()
}

/// Several relays deliver overlapping parts to two processes at once.
#[tokio::test(flavor = "multi_thread")]
async fn sums_of_deliveries_at_once_are_those_of_the_rows() {
    on_both(async |suite| {
        suite.create(measured()).await.unwrap();
        let replica = suite.replica().await;
        let entries = entries(40, 600, &mut Dice(3));
        let deliver = async |n: usize| {
            let door = if n.is_multiple_of(2) { &suite } else { &replica };
            let mut own = entries.clone();
            let middle = own.len() * n / 6;
            own.rotate_left(middle);
            for batch in own.chunks(97) {
                while let Err(error) = door.deliver(batch.iter().cloned()).await {
                    // A relay repeats what the store has aborted.
                    assert_eq!(error.code(), tonic::Code::Unavailable, "{error:?}");
                }
            }
        };
        futures::future::join_all((0..6).map(deliver)).await;
        check_sums(&suite, SEED, &METRICS).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secondary_metric_is_shown_when_past_outcomes_are_counted() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        for batch in entries(30, 400, &mut Dice(5)).chunks(500) {
            suite.deliver(batch.iter().cloned()).await.unwrap();
        }
        let read = async |name: &str| {
            let plan = plan_of(&suite.get(SEED).await.unwrap());
            suite.app.store().read("default", &plan, Metric::parse(name).unwrap()).await.unwrap()
        };
        let before = read("revenue_per_customer").await;
        assert_eq!(before.computed_at, None);
        suite.clock.set(hour(100));
        let patch = proto::Experiment {
            secondary_metrics: vec!["outcome:click".to_owned()],
            ..Default::default()
        };
        suite.patch(SEED, patch, &["secondary_metrics"]).await.unwrap();
        let meanwhile = read("revenue_per_customer").await;
        assert_eq!(meanwhile.computed_at, Some(hour(100)), "the sums of before");
        assert_eq!(format!("{:?}", meanwhile.counts), format!("{:?}", before.counts));
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        assert_eq!(read("revenue_per_customer").await.computed_at, None);
        check_sums(&suite, SEED, &["outcome:click", "revenue_per_customer"]).await;
        assert_eq!(suite.app.count_again().await.unwrap(), 0, "nothing is left to do");
    })
    .await;
}

/// A delivery between a new plan and the end of the count goes to the new sums, once.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_while_customers_are_counted_again_count_once() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let entries = entries(30, 600, &mut Dice(11));
        let (first, second) = entries.split_at(entries.len() / 2);
        for batch in first.chunks(500) {
            suite.deliver(batch.iter().cloned()).await.unwrap();
        }
        suite.clock.set(day(40));
        suite.conclude(SEED, false).await.unwrap();
        let again = async {
            suite.app.count_again().await.unwrap();
        };
        let deliver = async {
            for batch in second.chunks(50) {
                suite.deliver(batch.iter().cloned()).await.unwrap();
            }
        };
        tokio::join!(again, deliver);
        suite.app.count_again().await.unwrap();
        check_sums(&suite, SEED, &["revenue_per_customer", "conversion_rate"]).await;
    })
    .await;
}

/// Runs statements as the version before this one sent them.
pub async fn as_before(suite: &Suite, statements: &[String]) {
    let database = suite.app.store().database();
    for statement in statements {
        let mut transaction = database.begin().await.unwrap();
        database::execute!(&mut transaction, sqlx::query(AssertSqlSafe(statement.clone())))
            .unwrap();
        transaction.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_version_before_are_counted_after_an_upgrade() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let us = |hours| hour(hours).timestamp_micros();
        let assignment = |who: &str, is_holdout: bool| {
            format!(
                "insert into assignment
                   (tenant_id, customer_id, experiment_id, is_holdout, epoch, assigned_us)
                 values ('default', '{who}', '{SEED}', {is_holdout}, 1, {})",
                us(1)
            )
        };
        let outcome = |id: &str, who: &str, value: i64| {
            format!(
                "insert into outcome (tenant_id, customer_id, outcome_id, outcome_key, is_positive,
                   value_e4, occurred_us, received_us)
                 values ('default', '{who}', '{id}', 'conversion', true, {value}, {at}, {at})",
                at = us(2)
            )
        };
        let exposure = format!(
            "insert into exposure
               (tenant_id, customer_id, experiment_id, decision_id, is_ghost, exposed_us)
             values ('default', 'ann', '{SEED}', 'dec_1', false, {})",
            us(1)
        );
        // The experiment itself was written before there were sums.
        let mut statements = vec!["delete from counting".to_owned()];
        statements.extend([assignment("ann", false), assignment("bob", true), exposure]);
        statements.extend([outcome("o1", "ann", 50_000), outcome("o2", "bob", 0)]);
        as_before(&suite, &statements).await;
        let shown = async || {
            let results = suite.results(SEED, "conversion_rate").await.unwrap();
            results.arms.iter().map(|arm| (arm.n, arm.events())).collect::<Vec<_>>()
        };
        assert_eq!(shown().await, [(1, 1), (1, 1)], "from the rows; a zero was no amount");
        assert_eq!(suite.app.count_again().await.unwrap(), 1);
        assert_eq!(shown().await, [(1, 1), (1, 1)]);
        check_sums(&suite, SEED, &["revenue_per_customer", "conversion_rate"]).await;

        // A process of the version before goes on for a while: its rows are counted once a day.
        as_before(&suite, &[assignment("cas", false), outcome("o3", "ann", 70_000)]).await;
        suite.app.recount().await.unwrap();
        check_sums(&suite, SEED, &["revenue_per_customer", "conversion_rate"]).await;
        assert_eq!(shown().await, [(2, 1), (1, 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_is_closed_when_no_outcome_can_change_it() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let open = async || suite.app.store().open_experiments().await.unwrap().len();
        for (through, expected) in
            [(day(97), 1), (day(97) + hour(1).signed_duration_since(hour(0)), 0)]
        {
            suite.deliver_through([], Some(through)).await.unwrap();
            suite.app.count_again().await.unwrap();
            assert_eq!(open().await, expected, "{through}");
        }
    })
    .await;
}

/// Writers add to several rows, so none is hot.
#[tokio::test(flavor = "multi_thread")]
async fn writers_spread_over_shards() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        for n in 0..40 {
            suite.deliver([assigned(&format!("c{n}"), Arm::Treatment, hour(1))]).await.unwrap();
        }
        let shards = "select shard, cast(sum(n) as bigint) from tally_sum where metric = ''
                      group by shard";
        let database = suite.app.store().database();
        let rows: Vec<(i64, i64)> = Select::new(shards).all(database).await.unwrap();
        let by_shard: BTreeMap<i64, i64> = rows.into_iter().collect();
        assert!(by_shard.len() > 3, "{by_shard:?}");
        assert_eq!(by_shard.values().sum::<i64>(), 40);
    })
    .await;
}
