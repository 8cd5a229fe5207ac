//! Many callers at once: the cap holds, nobody waits for ever, and a caller that leaves takes
//! nothing along.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use database::Location;
use proffer_proto::policy::v1 as proto;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Barrier;

use super::world::*;

const CALLERS: usize = 64;

/// How many of 64 callers at once got a slot.
async fn granted_of_many(world: &World) -> usize {
    let barrier = Arc::new(Barrier::new(CALLERS));
    let callers = (0..CALLERS).map(|caller| {
        let (mut gate, barrier) = (world.gate(), barrier.clone());
        let request = reservation(world.question("ann"), &format!("dec_{caller}"));
        tokio::spawn(async move {
            barrier.wait().await;
            told(&gate.reserve(request).await.unwrap().into_inner())
        })
    });
    let mut granted = 0;
    for caller in callers.collect::<Vec<_>>() {
        match caller.await.unwrap().as_str() {
            "granted" => granted += 1,
            refused => assert_eq!(refused, "frequency_cap"),
        }
    }
    granted
}

/// The usual first version: count, then insert. Every caller counts before the first one commits.
async fn granted_naively(url: &str) -> usize {
    let mut setup = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql("create table naive (customer_id text not null)")
        .execute(&mut setup)
        .await
        .unwrap();
    let (barrier, granted) = (Arc::new(Barrier::new(CALLERS)), Arc::new(AtomicUsize::new(0)));
    let callers = (0..CALLERS).map(|_| {
        let (url, barrier, granted) = (url.to_owned(), barrier.clone(), granted.clone());
        tokio::spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let mut transaction = connection.begin().await.unwrap();
            let count: i64 =
                sqlx::query_scalar("select count(*) from naive where customer_id = 'ann'")
                    .fetch_one(&mut *transaction)
                    .await
                    .unwrap();
            barrier.wait().await;
            if count < 3 {
                sqlx::query("insert into naive values ('ann')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                granted.fetch_add(1, Ordering::SeqCst);
            }
            transaction.commit().await.unwrap();
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    granted.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixty_four_callers_at_once_exactly_three_get_a_slot() {
    seeded_on_both(async |world| {
        assert_eq!(granted_of_many(world).await, 3);
        assert_eq!(world.ledger("ann").await.len(), 3);
        if let Location::Url(url) = &world.location {
            let naive = granted_naively(url).await;
            assert!(naive > 3, "count-then-insert granted {naive}: the callers did not meet");
        }
    })
    .await;
}

/// Services on one database, as replicas are, without anything in memory in common: only the row's
/// lock orders them.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_one_cap() {
    let world = World::on_postgres().await;
    world.seed().await;
    let mut replicas = Vec::new();
    for _ in 0..8 {
        let deps = policy_svc::Deps { clock: world.clock.clone() };
        replicas.push(policy_svc::App::build(&world.location, deps).await.unwrap());
    }
    let barrier = Arc::new(Barrier::new(CALLERS));
    let callers = replicas.iter().cycle().take(CALLERS).enumerate().map(|(caller, replica)| {
        let neighbour = serve::Neighbour::local(replica.routes());
        let mut gate = proto::contact_gate_service_client::ContactGateServiceClient::new(neighbour);
        let (barrier, request) =
            (barrier.clone(), reservation(world.question("ann"), &format!("dec_{caller}")));
        tokio::spawn(async move {
            barrier.wait().await;
            gate.reserve(request).await.unwrap().into_inner().grants.len()
        })
    });
    let mut granted = 0;
    for caller in callers.collect::<Vec<_>>() {
        granted += caller.await.unwrap();
    }
    assert_eq!(granted, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_asked_by_many_at_once_has_one_answer() {
    seeded_on_both(async |world| {
        let callers = (0..CALLERS).map(|caller| {
            let mut gate = world.gate();
            let mut request = reservation(world.question("ann"), &format!("dec_{caller}"));
            request.request_id = "one".into();
            tokio::spawn(
                async move { gate.reserve(request).await.unwrap().into_inner().decision_id },
            )
        });
        let mut decisions = BTreeSet::new();
        for caller in callers.collect::<Vec<_>>() {
            decisions.insert(caller.await.unwrap());
        }
        assert_eq!((decisions.len(), world.ledger("ann").await.len()), (1, 1));
    })
    .await;
}

/// Withdrawals and reservations race; once a withdrawal is answered nothing is granted.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_granted_after_an_answered_withdrawal() {
    seeded_on_both(async |world| {
        let races = (0..32).map(|n| {
            let customer = format!("c{n}");
            let (mut gate, mut consents) = (world.gate(), world.consents());
            let before = reservation(world.question(&customer), "dec_before");
            let after = reservation(world.question(&customer), "dec_after");
            let withdrawal = proto::PutConsentRequest {
                customer_id: customer,
                channel: "email".into(),
                granted: Some(false),
                ..Default::default()
            };
            tokio::spawn(async move {
                let mut racing = gate.clone();
                let racer = tokio::spawn(async move { racing.reserve(before).await.unwrap() });
                consents.put_consent(withdrawal).await.unwrap();
                let late = told(&gate.reserve(after).await.unwrap().into_inner());
                racer.await.unwrap();
                late
            })
        });
        for race in races.collect::<Vec<_>>() {
            assert_eq!(race.await.unwrap(), "consent_withdrawn");
        }
    })
    .await;
}

/// Batches over the same customers in opposite orders, new and known ones, with reservations in
/// between.
#[tokio::test(flavor = "multi_thread")]
async fn batches_in_opposite_orders_do_not_wait_for_each_other() {
    seeded_on_both(async |world| {
        let writers = (0..16).map(|writer| {
            let (mut gate, mut asking) = (world.gate(), world.gate());
            let mut outcomes: Vec<_> = (0..40)
                .map(|n| impression(&format!("c{n}"), i64::from(writer) + 1, "", noon()))
                .collect();
            if writer % 2 == 0 {
                outcomes.reverse();
            }
            let request =
                reservation(world.question(&format!("c{}", writer * 2)), &format!("dec_{writer}"));
            tokio::spawn(async move {
                let delivered = gate.deliver_outcomes(proto::DeliverOutcomesRequest { outcomes });
                let (delivered, reserved) = tokio::join!(delivered, asking.reserve(request));
                delivered.unwrap();
                reserved.unwrap();
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        // The highest number was applied, whatever came before it.
        world.deliver(vec![impression("c7", 16, "", noon())]).await;
        assert!((1..=16).contains(&world.ledger("c7").await.len()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_takes_no_lock_and_no_slot_beyond_the_cap_along() {
    seeded_on_both(async |world| {
        for attempt in 0..CALLERS {
            let mut gate = world.gate();
            let request = reservation(world.question("ann"), &format!("dec_{attempt}"));
            let caller = tokio::spawn(async move { gate.reserve(request).await });
            for _ in 0..attempt {
                tokio::task::yield_now().await;
            }
            caller.abort();
            drop(caller.await);
        }
        assert_eq!(world.outcome_of_reserve("bob", "dec_bob").await, "granted");
        for attempt in 0..4 {
            world.outcome_of_reserve("ann", &format!("dec_last_{attempt}")).await;
        }
        assert_eq!(world.ledger("ann").await.len(), 3);
    })
    .await;
}

/// Looks at whether somebody waits for a lock before the test gives up.
const LOOKS_MAX: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_judged_by_rows_that_others_have_changed_since_is_judged_again() {
    let world = World::on_postgres().await;
    world.create_channel(proto::Channel { name: "email".into(), ..Default::default() }).await;
    world.create_policy(cap("pol_1", "", 30, 1)).await;
    assert_eq!(world.outcome_of_reserve("ann", "dec_1").await, "granted");
    assert_eq!(world.release("ann", "dec_1", 0).await, 1);

    // Somebody else is about to give Ann's only slot away: a question that comes now counts none
    // taken, and waits.
    let Location::Url(url) = &world.location else { panic!("not on PostgreSQL") };
    let (mut other, mut looker) =
        (PgConnection::connect(url).await.unwrap(), PgConnection::connect(url).await.unwrap());
    let mut other = other.begin().await.unwrap();
    sqlx::query("select 1 from proffer_policy.customer for update")
        .execute(&mut *other)
        .await
        .unwrap();
    let (mut gate, request) = (world.gate(), reservation(world.question("ann"), "dec_2"));
    let asked =
        tokio::spawn(async move { told(&gate.reserve(request).await.unwrap().into_inner()) });
    let mut waiting: i64 = 0;
    for _ in 0..LOOKS_MAX {
        let count = "select count(*) from pg_stat_activity where datname = current_database() and \
                     wait_event_type = 'Lock'";
        waiting = sqlx::query_scalar(count).fetch_one(&mut looker).await.unwrap();
        if waiting > 0 {
            break;
        }
    }
    assert_eq!(waiting, 1);
    let take = "update proffer_policy.contact set state = 'reserved';
        update proffer_policy.customer set version = version + 1";
    sqlx::raw_sql(take).execute(&mut *other).await.unwrap();
    other.commit().await.unwrap();
    assert_eq!(asked.await.unwrap(), "frequency_cap");
    assert_eq!(world.ledger("ann").await, ["dec_1 reserved"]);
}
