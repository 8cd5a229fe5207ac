//! Whether a process may be sent work, and what it lacks if not; the routes of its admin address.

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::IntoResponse as _,
    routing::get,
};
use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::{Hosts, door, telemetry::Figures};

/// What a process lacks that has just started.
const STARTING: &str = "the process is starting";
/// What a process lacks that was asked to stop.
const STOPPING: &str = "the process is stopping";
/// What a process lacks whose database does not answer.
const STORE_AWAY: &str = "the store is away";

/// What a process lacks to be ready; ready when that is nothing. Clones share it. At first it lacks
/// [`Readiness::set`].
#[derive(Clone, Debug)]
pub struct Readiness(Arc<watch::Sender<BTreeSet<String>>>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeSet::from([STARTING.to_owned()]))))
    }
}

impl Readiness {
    /// Says whether the process has started. It may still lack something else.
    pub fn set(&self, has_started: bool) {
        self.needs(STARTING, has_started);
    }

    /// Says that the process is stopping: it is not ready any more.
    pub fn stop(&self) {
        self.needs(STOPPING, false);
    }

    /// Says whether the process has what it needs; `lack` says in words what is missing if not,
    /// for example `the store is away`.
    pub fn needs(&self, lack: &str, has_it: bool) {
        self.0.send_if_modified(|missing| match has_it {
            true => missing.remove(lack),
            false => missing.insert(lack.to_owned()),
        });
    }

    /// True when the process is ready.
    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What is missing, in words; none when the process is ready.
    pub fn missing(&self) -> Vec<String> {
        self.0.borrow().iter().cloned().collect()
    }

    /// What is missing, from now on.
    pub fn follow(&self) -> watch::Receiver<BTreeSet<String>> {
        self.0.subscribe()
    }

    /// Returns once the process is ready.
    pub async fn ready(&self) {
        // INVARIANT: the sender is this value's own.
        drop(self.follow().wait_for(BTreeSet::is_empty).await);
    }

    /// Lacks at once what `part` lacks, said with the name of the part; the task keeps it so.
    pub fn include(&self, name: &'static str, part: &Self) -> BoxFuture<'static, ()> {
        let (whole, mut missing) = (self.clone(), part.follow());
        let mut said = BTreeSet::new();
        let mut say = move |lacks: &BTreeSet<String>| {
            let now = lacks.iter().map(|lack| format!("{name}: {lack}")).collect();
            let before = std::mem::replace(&mut said, now);
            // One change, so that it is not ready in between.
            whole.0.send_if_modified(|missing| {
                missing.retain(|lack| !before.contains(lack));
                missing.extend(said.iter().cloned());
                before != said
            });
        };
        say(&missing.borrow_and_update());
        Box::pin(async move {
            while missing.changed().await.is_ok() {
                say(&missing.borrow_and_update());
            }
        })
    }
}

/// Keeps `readiness` from being ready while the store is away.
pub fn follow_store(readiness: Readiness, mut store: database::Presence) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        loop {
            readiness.needs(STORE_AWAY, store.is_here());
            store.changed().await;
        }
    })
}

/// The admin listener's routes: `/livez` answers 200 while the process runs, `/readyz` 200, or 503
/// and what is missing, `/metrics` the metrics of the process in the Prometheus text format.
///
/// A request without a `Host`, or from a page of another site, is refused; with `hosts` so is one
/// under another name.
pub fn admin(readiness: Readiness, figures: Figures, hosts: Option<Hosts>) -> Router {
    let ready = move || {
        let readiness = readiness.clone();
        async move {
            let missing = readiness.missing();
            match missing.is_empty() {
                true => (StatusCode::OK, "ready\n".to_owned()),
                false => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("not ready: {}\n", missing.join("; ")),
                ),
            }
        }
    };
    Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(move || async move { figures.text() }))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            let fault = door::admin_fault(hosts.as_ref(), request.uri(), request.headers());
            async move {
                match fault {
                    None => next.run(request).await,
                    Some(fault) => fault.into_response(),
                }
            }
        }))
}

/// Keeps the gauge of readiness true; the readiness must be that of the whole process.
pub fn show_readiness(readiness: &Readiness) -> BoxFuture<'static, ()> {
    let mut missing = readiness.follow();
    Box::pin(async move {
        loop {
            let lacks = missing.borrow_and_update().iter().cloned().collect::<Vec<_>>();
            metrics::gauge!("proffer.ready").set(if lacks.is_empty() { 1.0 } else { 0.0 });
            match lacks.is_empty() {
                true => tracing::info!("ready"),
                false => tracing::info!(missing = lacks.join("; "), "not ready"),
            }
            if missing.changed().await.is_err() {
                return;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_process_is_ready_when_it_lacks_nothing_and_says_what_it_lacks() {
        let readiness = Readiness::default();
        assert_eq!(readiness.missing(), ["the process is starting"]);
        readiness.needs(STORE_AWAY, false);
        readiness.set(true);
        assert_eq!((readiness.is_ready(), readiness.missing()), (false, vec![STORE_AWAY.into()]));
        readiness.needs(STORE_AWAY, true);
        assert!(readiness.is_ready());
        readiness.stop();
        assert_eq!(readiness.missing(), ["the process is stopping"]);
    }

    #[tokio::test]
    async fn a_whole_is_ready_while_each_part_is_and_names_the_part_that_is_not() {
        let (whole, first, second) =
            (Readiness::default(), Readiness::default(), Readiness::default());
        first.set(true);
        let mut gathering =
            futures::future::join(whole.include("first", &first), whole.include("second", &second));
        let mut look = || {
            assert!((&mut gathering).now_or_never().is_none());
            whole.missing()
        };
        whole.set(true);
        assert_eq!(look(), ["second: the process is starting"]);
        second.set(true);
        assert!(look().is_empty());
        first.needs(STORE_AWAY, false);
        assert_eq!(look(), ["first: the store is away"]);
        first.needs(STORE_AWAY, true);
        assert!(look().is_empty());
    }
}
