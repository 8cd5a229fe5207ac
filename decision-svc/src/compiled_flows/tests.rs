//! Which compilations are kept, and who waits for them.

#![allow(clippy::unwrap_used)]

use futures::FutureExt as _;

use super::*;

/// A compilation that was begun serves the next caller. The first compilation of a flow is
/// always waited for.
#[tokio::test]
async fn a_caller_that_does_not_wait_gets_the_flow_for_the_older_catalog() {
    let compiled = CompiledFlows::default();
    let within = async |wait: Duration, flow: i64, revision: i64| {
        let catalog = Arc::new(Catalog { revision, ..Catalog::default() });
        let key = FlowKey {
            tenant: "t",
            id: "flow_f",
            name: "F",
            revision: flow,
            effects: &Arc::default(),
        };
        let made = compiled.within(wait, key, &Flow::default(), &catalog).await.unwrap();
        (made.revision, made.catalog_revision)
    };
    assert_eq!(within(Duration::ZERO, 1, 1).await, (1, 1));
    assert_eq!(within(Duration::ZERO, 1, 2).await, (1, 1));
    while within(Duration::ZERO, 1, 2).await != (1, 2) {
        tokio::task::yield_now().await;
    }
    assert_eq!(within(Duration::ZERO, 2, 2).await, (2, 2));
    assert_eq!(within(Duration::from_secs(60), 2, 3).await, (2, 3));
}

/// A caller that disconnects does not stop the first compilation of a flow.
#[tokio::test]
async fn a_compilation_begun_for_a_caller_that_left_serves_the_next() {
    let compiled = CompiledFlows::default();
    let key =
        FlowKey { tenant: "t", id: "flow_f", name: "F", revision: 1, effects: &Arc::default() };
    let (flow, catalog) = (Flow::default(), Arc::new(Catalog::default()));
    let asked = || compiled.within(Duration::ZERO, key, &flow, &catalog);
    // Polled once, then dropped: the work has begun and the caller is gone.
    assert!(asked().now_or_never().is_none());
    let slot = compiled.slot(key);
    while slot.newest().is_none() {
        tokio::task::yield_now().await;
    }
    let first = slot.newest().unwrap();
    assert!(Arc::ptr_eq(&asked().await.unwrap(), &first));
    // Outside its own task the work is lost with the caller. The held turn keeps it from ending.
    let alone = CompiledFlows::default();
    let slot = alone.slot(key);
    let turn = slot.compiling.try_lock().unwrap();
    assert!(alone.made(&slot, key, &flow, &catalog).now_or_never().is_none());
    drop(turn);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(slot.newest().is_none());
}

/// The newest two are kept, in whatever order they were needed.
#[tokio::test]
async fn a_flow_is_compiled_once_for_each_of_its_newest_revisions() {
    let compiled = CompiledFlows::default();
    let of = async |revision: i64| {
        let catalog = Arc::new(Catalog { revision, ..Catalog::default() });
        let key =
            FlowKey { tenant: "t", id: "flow_f", name: "F", revision: 1, effects: &Arc::default() };
        compiled.of(key, Flow::default(), &catalog).await.unwrap()
    };
    let (second, first) = (of(2).await, of(1).await);
    assert!(Arc::ptr_eq(&of(2).await, &second) && Arc::ptr_eq(&of(1).await, &first));
    let third = of(3).await;
    assert!(Arc::ptr_eq(&of(3).await, &third) && Arc::ptr_eq(&of(2).await, &second));
    assert!(!Arc::ptr_eq(&of(1).await, &first));
    assert!(Arc::ptr_eq(&of(2).await, &second));
}

/// A flow that decided is compiled for a new catalog before the next decision; one that did not
/// is left alone.
#[tokio::test]
async fn a_flow_in_use_is_compiled_when_the_catalog_changes() {
    let compiled = CompiledFlows::default();
    let snapshot = |revision: i64| {
        let catalog = Some(Arc::new(Catalog { revision, ..Catalog::default() }));
        Arc::new(Snapshot { catalog, ..Snapshot::default() })
    };
    let key =
        FlowKey { tenant: "t", id: "flow_f", name: "F", revision: 1, effects: &Arc::default() };
    let (sender, receiver) = watch::channel(snapshot(1));
    compiled.follow("t", &receiver);
    let first = receiver.borrow().catalog.clone().unwrap();
    compiled.of(key, Flow::default(), &first).await.unwrap();
    let slot = compiled.slot(key);
    let newest = || slot.newest().map(|flow| flow.catalog_revision);
    sender.send_replace(snapshot(2));
    while newest() != Some(2) {
        tokio::task::yield_now().await;
    }
    // No decision has needed the flow since, so nothing is compiled.
    sender.send_replace(snapshot(3));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(newest(), Some(2));
}

/// No flow of a tenant stays that is no longer followed; another tenant's flows do.
#[tokio::test]
async fn the_flows_of_an_evicted_tenant_are_released() {
    let compiled = CompiledFlows::default();
    let catalog = Arc::new(Catalog::default());
    let mut senders = Vec::new();
    for tenant in ["t", "u"] {
        let (sender, follower) = watch::channel(Arc::new(Snapshot::default()));
        compiled.follow(tenant, &follower);
        senders.push(sender);
        let key =
            FlowKey { tenant, id: "flow_f", name: "F", revision: 1, effects: &Arc::default() };
        compiled.of(key, Flow::default(), &catalog).await.unwrap();
    }
    drop(senders.remove(0));
    while !compiled.of_tenant("t").is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(compiled.of_tenant("u").len(), 1);
}
