//! Training rows: who is in them, what they say, and what an export of them is.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use history::timestamp;
use proffer_proto::{
    decision::v1::{DecisionFlow, DecisionFlowConfig, LearningSettings},
    experiment::v1::{
        self as proto, Arm, TrainingHead, TrainingRow, export_training_rows_response::Part,
        ledger_entry::Entry,
    },
    values::v1::{Value, value::Kind},
};
use prost::Message as _;
use testkit::WrittenLog;
use tonic::{Code, Status};
use wire::named::FLOW;

use super::suite::*;

/// What is exported, by outcome and window.
pub async fn export_by(
    suite: &Suite,
    id: &str,
    (outcome, window_days): (&str, i32),
) -> Result<(TrainingHead, Vec<TrainingRow>), Status> {
    let (id, outcome) = (id.to_owned(), outcome.to_owned());
    let request = proto::ExportTrainingRowsRequest { id, outcome, window_days };
    let parts = suite.experiments.clone().export_training_rows(request).await?.into_inner();
    let mut parts = parts.try_collect::<Vec<_>>().await?.into_iter().filter_map(|it| it.part);
    let Some(Part::Head(head)) = parts.next() else { panic!("a head comes first") };
    let row = |part: Part| match part {
        Part::Row(row) => row,
        Part::Head(head) => panic!("{head:?}"),
    };
    let rows: Vec<_> = parts.map(row).collect();
    assert_eq!(head.rows, rows.len() as i64);
    Ok((head, rows))
}

async fn export(suite: &Suite) -> (TrainingHead, Vec<TrainingRow>) {
    export_by(suite, SEED, ("conversion", 30)).await.unwrap()
}

fn number(number: f64) -> Value {
    Value { kind: Some(Kind::DoubleValue(number)) }
}

/// The first exposure of a customer, who is so old.
fn exposure(who: &str, ghost: bool, hours: i64) -> proto::ExposureEntry {
    proto::ExposureEntry {
        experiment_id: SEED.to_owned(),
        customer_id: who.to_owned(),
        decision_id: format!("dec_{who}"),
        ghost,
        at: Some(timestamp(hour(hours))),
        epoch: 1,
        flow_id: "flow_winback".to_owned(),
        offer_id: "off_a".to_owned(),
        category_id: "cat_a".to_owned(),
        channel: "ch_email".to_owned(),
        offer_ids: vec!["off_a".to_owned(), "off_b".to_owned()],
        emptied_by: if ghost { SEED.to_owned() } else { String::new() },
        features: [("age".to_owned(), number(hours as f64))].into(),
        gate_probability: 0.0,
    }
}

fn left_out(head: &TrainingHead) -> BTreeMap<&str, i64> {
    head.left_out.iter().map(|it| (it.reason.as_str(), it.rows)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_both_arms_say_the_same_but_for_the_arm() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let gated =
            |entry: proto::ExposureEntry| proto::ExposureEntry { gate_probability: 0.05, ..entry };
        let entries = [
            assigned("ann", Arm::Treatment, hour(1)),
            Entry::Exposure(gated(exposure("ann", false, 2))),
            Entry::Outcome(bought("o1", "ann", 7, hour(3))),
            assigned("bob", Arm::Holdout, hour(1)),
            Entry::Exposure(gated(exposure("bob", true, 2))),
            Entry::Outcome(bought("o2", "bob", 7, hour(3))),
        ];
        suite.deliver_through(entries, Some(day(31))).await.unwrap();
        let (head, rows) = export(&suite).await;
        let [ann, bob] = rows.as_slice() else { panic!("{rows:?}") };
        let of = |who: &str, row: &TrainingRow, arm: Arm| TrainingRow {
            customer: row.customer.clone(),
            fold: uplift::fold_of(who) as i32,
            arm: arm.into(),
            epoch: 1,
            treatment_probability: 0.85,
            gate_probability: 0.05,
            offer: "off_a".to_owned(),
            offers: vec!["off_a".to_owned(), "off_b".to_owned()],
            category: "cat_a".to_owned(),
            channel: "ch_email".to_owned(),
            exposed_at: Some(timestamp(hour(2))),
            outcome: 1,
            value: 7.0,
            matured: true,
            ghost: arm == Arm::Holdout,
            features: [("age".to_owned(), number(2.0))].into(),
        };
        assert_eq!(*ann, of("ann", ann, Arm::Treatment));
        assert_eq!(*bob, of("bob", bob, Arm::Holdout));
        assert_eq!((&*head.experiment, &*head.metric), (SEED, "conversion_rate"));
        assert_eq!((head.counted_through, head.window_days), (Some(timestamp(day(31))), 30));
        let columns: Vec<_> = head.features.iter().map(|it| (&*it.field, it.mean)).collect();
        assert_eq!(columns, [("age", 2.0)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_in_no_row_is_counted_with_the_reason() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let emptied = proto::ExposureEntry {
            emptied_by: "exp_everywhere".to_owned(),
            ..exposure("emptied", false, 2)
        };
        let mut entries = vec![
            assigned("waiting", Arm::Treatment, hour(1)),
            Entry::Exposure(emptied),
            Entry::Exposure(exposure("seen", false, 2)),
            Entry::Exposure(exposure("later", false, 5)),
        ];
        entries.extend(["emptied", "seen", "later"].map(|it| assigned(it, Arm::Holdout, hour(1))));
        suite.deliver_through(entries, Some(hour(4))).await.unwrap();
        let (head, rows) = export(&suite).await;
        assert_eq!(rows.len(), 1);
        assert!(!rows[0].matured);
        let expected =
            [("emptied_by_another_experiment", 1), ("not_counted_yet", 1), ("not_exposed", 1)];
        assert_eq!(left_out(&head), expected.into());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_set_has_one_name_until_more_is_counted_and_a_customer_one_in_all() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let entries =
            [assigned("ann", Arm::Treatment, hour(1)), Entry::Exposure(exposure("ann", false, 2))];
        suite.deliver_through(entries, Some(hour(4))).await.unwrap();
        let (first, rows) = export(&suite).await;
        let suite = suite.restart().await;
        // Received after the instant up to which everything is counted: it belongs to the next set.
        suite.deliver([Entry::Outcome(bought("o1", "ann", 7, hour(5)))]).await.unwrap();
        let (again, same) = export(&suite).await;
        assert_eq!((&again, &same), (&first, &rows));
        assert!(first.data_set.len() == 64 && rows[0].customer.len() == 64);
        assert!(!format!("{first:?}{rows:?}").contains("\"ann\""), "nobody is named");
        suite.deliver_through([], Some(hour(6))).await.unwrap();
        let (later, bought) = export(&suite).await;
        assert_ne!(later.data_set, first.data_set);
        assert_eq!((&bought[0].customer, bought[0].outcome), (&rows[0].customer, 1));
        let other = proto::Experiment { name: "B".to_owned(), ..on_flow("B", "flow_other") };
        suite.create(other).await.unwrap();
        let elsewhere = |entry: Entry| match entry {
            Entry::Assignment(it) => {
                Entry::Assignment(proto::AssignmentEntry { experiment_id: "exp_b".into(), ..it })
            }
            Entry::Exposure(it) => {
                let emptied_by = "exp_b".into();
                let experiment_id = "exp_b".into();
                Entry::Exposure(proto::ExposureEntry { experiment_id, emptied_by, ..it })
            }
            other => other,
        };
        let entries = [
            elsewhere(assigned("ann", Arm::Holdout, hour(4))),
            elsewhere(Entry::Exposure(exposure("ann", true, 5))),
        ];
        suite.deliver(entries).await.unwrap();
        let (_, rows) = export_by(&suite, "exp_b", ("conversion", 1)).await.unwrap();
        assert_eq!(rows[0].customer, bought[0].customer);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_and_window_are_asked_for_and_checked() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let wrong = export_by(&suite, SEED, ("No key", 366)).await.unwrap_err();
        assert_eq!(shown(&wrong), invalid(&["outcome", "window_days"]));
        let none = export_by(&suite, "exp_none", ("", 0)).await.unwrap_err();
        assert_eq!(none.code(), Code::NotFound);
        // The flow would say what is left out, and nobody can be asked.
        let away = export_by(&suite, SEED, ("", 7)).await.unwrap_err();
        assert_eq!(away.code(), Code::Unavailable);
        let (head, rows) = export_by(&suite, SEED, ("click", 7)).await.unwrap();
        assert_eq!((&*head.metric, head.window_days, rows.len()), ("outcome:click", 7, 0));
        assert_eq!(head.counted_through, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_request_leaves_out_the_flow_says() {
    on_both(async |suite| {
        let flows = WrittenLog::of(&[(FLOW, "flow_winback", "Winback")]);
        suite.app.follow(std::sync::Arc::new(flows.clone()));
        suite.create(running()).await.unwrap();
        let asked = async |outcome: &str, window_days| {
            let (head, _) = export_by(&suite, SEED, (outcome, window_days)).await.unwrap();
            (head.metric, head.window_days)
        };
        let told = |metric: &str, days| (metric.to_owned(), days);
        assert_eq!(asked("", 0).await, told("conversion_rate", 30), "it says nothing");
        let learning =
            LearningSettings { outcome: "visit".to_owned(), window_days: 14, ..Default::default() };
        let config = DecisionFlowConfig { learning: Some(learning), ..Default::default() };
        let flow = DecisionFlow { config: Some(config), ..Default::default() };
        flows.write(FLOW, "flow_winback", "Winback", flow.encode_to_vec());
        assert_eq!(asked("", 0).await, told("outcome:visit", 14));
        assert_eq!(asked("conversion", 0).await, told("conversion_rate", 14));
        assert_eq!(asked("", 7).await, told("outcome:visit", 7));
    })
    .await;
}

/// Numbers without pattern.
fn draw(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_and_value_of_every_row_equal_a_recount() {
    on_both(async |suite| {
        suite.create(running()).await.unwrap();
        let (mut seed, mut entries) = (7_u64, Vec::new());
        // By customer: hour of exposure, and hour and value of each purchase.
        let mut known: Vec<(i64, Vec<(i64, i64)>)> = Vec::new();
        for who in 0..300_usize {
            let name = format!("c{who:03}");
            let arm = if draw(&mut seed).is_multiple_of(5) { Arm::Holdout } else { Arm::Treatment };
            let exposed_at = 1 + (draw(&mut seed) % 200) as i64;
            entries.push(assigned(&name, arm, hour(1)));
            entries.push(Entry::Exposure(exposure(&name, arm == Arm::Holdout, exposed_at)));
            let mut bought_by = Vec::new();
            for purchase in 0..draw(&mut seed) % 4 {
                let (at, value) = ((draw(&mut seed) % 400) as i64, (draw(&mut seed) % 90) as i64);
                let outcome = bought(&format!("{name}-{purchase}"), &name, value, hour(at));
                entries.push(Entry::Outcome(outcome));
                bought_by.push((at, value));
            }
            known.push((exposed_at, bought_by));
        }
        for entries in entries.chunks(450) {
            suite.deliver_through(entries.to_vec(), Some(hour(300))).await.unwrap();
        }
        let (_, rows) = export_by(&suite, SEED, ("conversion", 5)).await.unwrap();
        assert_eq!(rows.len(), known.len());
        for (row, (exposed_at, bought)) in rows.iter().zip(&known) {
            let closes = exposed_at + 5 * 24;
            let counts = |(at, _): &&(i64, i64)| (*exposed_at..closes).contains(at) && *at <= 300;
            let value: i64 = bought.iter().filter(counts).map(|(_, value)| value).sum();
            // A purchase of nothing is no conversion.
            let outcome = bought.iter().filter(counts).any(|(_, value)| *value > 0);
            assert_eq!((row.outcome, row.value), (outcome.into(), value as f64), "{row:?}");
            assert_eq!(row.matured, closes <= 300);
        }
        assert!(rows.iter().any(|row| row.outcome == 1) && rows.iter().any(|row| !row.matured));
    })
    .await;
}
