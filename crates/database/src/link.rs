//! The connections to a PostgreSQL server, and whether it answers. While it does not, every call
//! fails at once instead of waiting for a connection. A task asks the server all the time, so calls
//! are taken again as soon as it is back.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    time::Duration,
};

use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection,
    postgres::PgConnectOptions,
};
use tokio::sync::{Notify, watch};

use crate::measure::{self, StoreName, Waiting};

/// Wait for a connection after which the server is asked whether it answers.
const PATIENCE: Duration = Duration::from_millis(100);
/// Pause between two questions to a server that answers.
const INTERVAL: Duration = Duration::from_secs(1);
/// Pause between two questions to a server that does not.
const AWAY_INTERVAL: Duration = Duration::from_millis(200);
/// Time in which the server must answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// The error code of a server that has no connection left. It answers.
const TOO_MANY: &str = "53300";

/// The connections of one service to its server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: StoreName,
    connections: PgPool,
    is_here: watch::Sender<bool>,
    asked: Arc<Notify>,
}

impl Link {
    /// Watches the server of these connections, which has just answered.
    pub(crate) fn new(connections: PgPool) -> Self {
        let options = PgConnectOptions::clone(&connections.connect_options());
        let (is_here, asked) = (watch::Sender::new(true), Arc::default());
        let name = measure::of_application(options.get_application_name());
        let shared = Arc::new(Shared { name, connections, is_here, asked });
        tokio::spawn(ask_on(Arc::downgrade(&shared), options));
        Self(shared)
    }

    /// The name of the store in metrics.
    pub(crate) fn name(&self) -> StoreName {
        self.0.name.clone()
    }

    /// Whether the server answers, from now on.
    pub(crate) fn follow(&self) -> watch::Receiver<bool> {
        self.0.is_here.subscribe()
    }

    /// The pool itself, which waits for a server that is away.
    pub fn direct(&self) -> &PgPool {
        &self.0.connections
    }

    /// A connection of the pool; an error at once while the server is away.
    pub async fn acquire(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        // The pool's future is large, and every caller's would be larger by it.
        let mut acquired = Box::pin(async {
            let _waiting = Waiting::new(&self.0.name);
            let mut acquiring = pin!(self.0.connections.acquire());
            if let Ok(acquired) = tokio::time::timeout(PATIENCE, &mut acquiring).await {
                return acquired;
            }
            self.0.asked.notify_one();
            acquiring.await
        });
        self.unless_away(acquired.as_mut()).await
    }

    /// The result of `work`; an error as soon as the server is away. The work may then have been
    /// done or not.
    pub async fn unless_away<T, E: From<sqlx::Error>>(
        &self,
        work: Pin<&mut impl Future<Output = Result<T, E>>>,
    ) -> Result<T, E> {
        let mut is_here = self.follow();
        if !*is_here.borrow_and_update() {
            return Err(away().into());
        }
        tokio::select! {
            biased;
            done = work => done,
            _ = is_here.wait_for(|is_here| !is_here) => Err(away().into()),
        }
    }
}

fn away() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::NotConnected, "PostgreSQL does not answer").into()
}

/// Asks the server until its connections are closed or dropped.
async fn ask_on(shared: Weak<Shared>, options: PgConnectOptions) {
    let mut kept = None;
    loop {
        let found = tokio::time::timeout(ANSWER_MAX, answers(&mut kept, &options)).await;
        let answers = found.unwrap_or(Some(false));
        if answers == Some(false) {
            kept = None;
        }
        let Some(link) = shared.upgrade().filter(|link| !link.connections.is_closed()) else {
            return;
        };
        if let Some(answers) = answers
            && link
                .is_here
                .send_if_modified(|is_here| std::mem::replace(is_here, answers) != answers)
        {
            match answers {
                true => tracing::warn!("the store answers again"),
                false => tracing::warn!("the store is away: PostgreSQL does not answer"),
            }
        }
        let idle = link.connections.num_idle();
        let in_use = (link.connections.size() as usize).saturating_sub(idle);
        measure::set_connections(&link.name, in_use, idle);
        let pause = if *link.is_here.borrow() { INTERVAL } else { AWAY_INTERVAL };
        let asked = link.asked.clone();
        drop(link);
        drop(tokio::time::timeout(pause, asked.notified()).await);
    }
}

/// Whether the server answers on the connection that is kept, or on a new one; nothing when that
/// cannot be known.
async fn answers(kept: &mut Option<PgConnection>, options: &PgConnectOptions) -> Option<bool> {
    if let Some(connection) = kept
        && connection.ping().await.is_ok()
    {
        return Some(true);
    }
    match PgConnection::connect_with(options).await {
        Ok(connection) => {
            *kept = Some(connection);
            Some(true)
        }
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(TOO_MANY) => None,
        Err(_) => Some(false),
    }
}
