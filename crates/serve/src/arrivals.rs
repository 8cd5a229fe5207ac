//! Accepts connections: bounded in all and per peer, with a pause while none can be accepted.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Resource, getrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};

use crate::telemetry::counted::Counted;

/// Pause after a connection could not be accepted, for example because no file handle is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Least time between two warnings about connections.
const WARN_AGAIN: Duration = Duration::from_secs(10);
/// File handles left for the store, logs, other services and the admin address.
const OTHER_FILES: u64 = 200;
/// Largest default number of connections.
const DEFAULT_CONNECTIONS_MAX: u64 = 10_000;
/// Largest number of connections that may be set.
pub const CONNECTIONS_MAX: u64 = 1_000_000;
/// Connections of the admin address; they are not taken from the others.
pub const ADMIN_CONNECTIONS: usize = 32;

/// How many connections a listener takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub all: usize,
    /// From one address.
    pub per_peer: usize,
}

impl ConnectionLimits {
    /// The limits that are set; by default as many connections as there are file handles less 200,
    /// at most 10,000, and half of them from one address.
    pub fn new(all: Option<u64>, per_peer: Option<u64>) -> Self {
        let handles = getrlimit(Resource::Nofile).current;
        Self::within(handles, all, per_peer)
    }

    /// Those of an admin address.
    pub fn admin() -> Self {
        Self { all: ADMIN_CONNECTIONS, per_peer: ADMIN_CONNECTIONS }
    }

    fn within(handles: Option<u64>, all: Option<u64>, per_peer: Option<u64>) -> Self {
        let room = handles.map_or(DEFAULT_CONNECTIONS_MAX, |handles| {
            // With few handles half of them are left.
            handles.saturating_sub(OTHER_FILES).max(handles / 2).max(1)
        });
        let all = all.unwrap_or_else(|| room.min(DEFAULT_CONNECTIONS_MAX)).max(1);
        let per_peer = per_peer.unwrap_or_else(|| all.div_ceil(2)).clamp(1, all);
        let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Self { all: whole(all), per_peer: whole(per_peer) }
    }
}

/// The connections of a listener.
#[derive(Debug)]
pub struct Arrivals {
    limits: ConnectionLimits,
    open: Arc<Mutex<Open>>,
    warned: Option<Instant>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// A connection is open until this is dropped.
#[derive(Debug)]
pub struct Place {
    open: Arc<Mutex<Open>>,
    peer: IpAddr,
    _counted: Counted,
}

impl Arrivals {
    /// None yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self { limits, open: Arc::default(), warned: None }
    }

    /// The next connection that has a place. Others are closed at once. Nagle's algorithm is off:
    /// with it, the second packet of an answer waits until the client acknowledges the first, which
    /// may take 40 ms.
    pub async fn next(&mut self, socket: &TcpListener) -> (TcpStream, SocketAddr, Place) {
        loop {
            match socket.accept().await {
                Ok((stream, address)) => {
                    let Some(place) = self.place(address.ip().to_canonical()) else {
                        metrics::counter!("proffer.connections.refused").increment(1);
                        self.warn(&format!("{address} has too many connections, or all are taken"));
                        continue;
                    };
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot turn Nagle's algorithm off");
                    }
                    return (stream, address, place);
                }
                Err(error) => {
                    metrics::counter!("proffer.accept.errors").increment(1);
                    self.warn(&error);
                    // A connection that its client has given up says nothing about the next one.
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }

    fn place(&self, peer: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_peer = open.by_peer.get(&peer).copied().unwrap_or_default();
        if open.all >= self.limits.all || of_peer >= self.limits.per_peer {
            return None;
        }
        open.all += 1;
        open.by_peer.insert(peer, of_peer + 1);
        let counted = Counted::by(metrics::gauge!("proffer.connections"));
        Some(Place { open: self.open.clone(), peer, _counted: counted })
    }

    /// Warns, but not again for a while.
    fn warn(&mut self, cause: &dyn std::fmt::Display) {
        if self.warned.is_none_or(|warned| warned.elapsed() >= WARN_AGAIN) {
            self.warned = Some(Instant::now());
            tracing::warn!(%cause, "cannot accept a connection");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(of_peer) = open.by_peer.get_mut(&self.peer) {
            *of_peer = of_peer.saturating_sub(1);
            if *of_peer == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn a_peer_has_its_places_and_all_together_have_theirs() {
        let arrivals = Arrivals::new(ConnectionLimits { all: 3, per_peer: 2 });
        let mut first: Vec<_> = (0..2).map(|_| arrivals.place(peer(1)).unwrap()).collect();
        assert!(arrivals.place(peer(1)).is_none());
        let second = arrivals.place(peer(2)).unwrap();
        assert!(arrivals.place(peer(3)).is_none());
        first.pop();
        let _third = arrivals.place(peer(3)).unwrap();
        drop((first, second));
        assert_eq!(arrivals.open.lock().unwrap().by_peer.len(), 1);
    }

    #[test]
    fn the_default_leaves_file_handles_for_everything_else() {
        let check = |handles, all, per_peer, expected: (usize, usize)| {
            let limits = ConnectionLimits::within(handles, all, per_peer);
            assert_eq!((limits.all, limits.per_peer), expected);
        };
        check(Some(1024), None, None, (824, 412));
        check(Some(200), None, None, (100, 50));
        check(Some(1 << 20), None, None, (10_000, 5_000));
        check(None, None, None, (10_000, 5_000));
        check(Some(1024), Some(2_000), Some(7), (2_000, 7));
        check(Some(1024), Some(5), Some(7), (5, 5));
    }

    #[tokio::test]
    async fn answers_do_not_wait_for_acknowledgements() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let mut arrivals = Arrivals::new(ConnectionLimits::admin());
        let (caller, accepted) = tokio::join!(TcpStream::connect(address), arrivals.next(&socket));
        assert!(accepted.0.nodelay().unwrap());
        drop(caller);
    }
}
