//! The promise of the ledger against chance: whatever comes in whatever order, no window holds more
//! contacts than the cap among those committed while their reservation lived.

use chrono::TimeDelta;
use proffer_proto::policy::v1 as proto;
use proptest::{prelude::*, test_runner::TestRunner};

use super::world::*;

const LIMIT: i32 = 2;
const WINDOW_HOURS: i32 = 48;

#[derive(Clone, Copy, Debug)]
enum Step {
    Reserve,
    Commit(usize),
    Release(usize),
    /// Happened that many minutes ago.
    Impression(usize, i64),
    /// Without a decision.
    Nameless(i64),
    Pass(i64),
    /// A replica's clock is behind.
    SetBack,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Reserve),
        2 => (0..4_usize).prop_map(Step::Commit),
        1 => (0..4_usize).prop_map(Step::Release),
        2 => (0..4_usize, -10..4_000_i64).prop_map(|(back, ago)| Step::Impression(back, ago)),
        1 => (-10..4_000_i64).prop_map(Step::Nameless),
        3 => (1..1_500_i64).prop_map(Step::Pass),
        1 => Just(Step::SetBack),
    ]
}

async fn play(world: &World, steps: &[Step]) {
    let cap = proto::FrequencyCap {
        window_hours: WINDOW_HOURS,
        max_impressions: LIMIT,
        ..Default::default()
    };
    let rule = Some(proto::contact_policy::Rule::FrequencyCap(cap));
    world
        .create_policy(proto::ContactPolicy { rule, ..super::world::cap("pol_1", "global", 1, 1) })
        .await;
    // A channel that contacts people at any hour: a slot lasts 24 hours.
    let letter = proto::Channel { name: "direct_mail".into(), ..Default::default() };
    world.create_channel(letter).await;
    world.put_consent("ann", "direct_mail", true).await;
    let question =
        || proto::ContactQuestion { channel: "direct_mail".into(), ..world.question("ann") };
    let (mut decisions, mut seq) = (0, 0);
    let report = async |seq: i64, decision: &str, ago: i64| {
        let occurred_at = Some(stamp(world.clock.now() - TimeDelta::minutes(ago)));
        let channel = "direct_mail".into();
        let outcome = proto::OutcomeFact {
            occurred_at,
            channel,
            ..impression("ann", seq, decision, world.clock.now())
        };
        world.deliver(vec![outcome]).await;
    };
    for step in steps {
        let named = |back: usize| format!("dec_{}", usize::saturating_sub(decisions, back));
        match *step {
            Step::Reserve => {
                decisions += 1;
                world.reserve(question(), &format!("dec_{decisions}")).await;
            }
            Step::Commit(back) => drop(world.commit(question(), &named(back)).await),
            Step::Release(back) => drop(world.release("ann", &named(back), 0).await),
            Step::Impression(back, ago) => {
                seq += 2;
                report(seq, &named(back), ago).await;
            }
            Step::Nameless(ago) => {
                seq += 1;
                report(seq, "", ago).await;
            }
            Step::Pass(minutes) => world.pass(TimeDelta::minutes(minutes)),
            Step::SetBack => world.pass(TimeDelta::minutes(-30)),
        }
    }
    let request = proto::ListContactsRequest {
        customer_id: "ann".into(),
        page_size: 1_000,
        ..Default::default()
    };
    let contacts = world.contacts().list_contacts(request).await.unwrap().into_inner().contacts;
    let reserved = contacts
        .iter()
        .filter(|contact| contact.state() == proto::ContactState::Committed && !contact.unreserved);
    let instants: Vec<_> = reserved.map(|contact| instant(contact.committed_at)).collect();
    for end in &instants {
        let start = *end - TimeDelta::hours(i64::from(WINDOW_HOURS));
        let held = instants.iter().filter(|at| **at > start && *at <= end).count();
        assert!(
            held <= LIMIT as usize,
            "{held} contacts in the window that ends {end}: {instants:?}"
        );
    }
}

#[test]
fn no_window_ever_holds_more_contacts_than_the_cap() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 24,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = runner.run(&prop::collection::vec(step(), 60), |steps| {
        runtime.block_on(async { play(&World::on_sqlite().await, &steps).await });
        Ok(())
    });
    run.unwrap();
}
