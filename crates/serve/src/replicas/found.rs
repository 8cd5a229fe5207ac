//! The replicas that were found, and the task that keeps them so: it looks names up again and
//! tries the replicas that could not be connected to.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use http::{Request, Response};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    time::timeout,
};
use tonic::{
    ConnectError,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::{BoxError, Service as _, ServiceExt as _};

use super::{budget::Budget, fault::Fault, place::Place};
use crate::window;

/// Timeout of a connection attempt, and of looking a name up.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two look-ups of the names.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(5);
/// The same while a replica cannot be connected to.
const AWAY_INTERVAL: Duration = Duration::from_millis(500);
/// The shortest pause, whatever fails in the meantime.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Finds the addresses of a host.
pub trait LookUp: Send + Sync + 'static {
    /// All addresses.
    fn look_up(&self, place: &Place) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The resolver of the machine.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl LookUp for System {
    async fn look_up(&self, place: &Place) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((place.host.as_str(), place.port)).await?.collect())
    }
}

/// One address of a service.
#[derive(Debug)]
pub struct Replica {
    /// Where it is.
    pub address: SocketAddr,
    channel: Channel,
    in_flight: AtomicUsize,
    /// True after it could not be connected to, until it could be again.
    is_away: AtomicBool,
    asked: Arc<Notify>,
}

/// Counts a call as long as it lives.
struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Replica {
    fn new(place: &Place, address: SocketAddr, asked: Arc<Notify>) -> Option<Self> {
        // Requests carry the name as their origin, whatever the address is.
        let endpoint = Endpoint::from_shared(format!("http://{address}")).ok()?;
        let channel = endpoint
            .origin(place.origin.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .initial_stream_window_size(window::STREAM_BYTES)
            .initial_connection_window_size(window::connection_bytes(window::STREAMS_MAX))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .connect_lazy();
        let (in_flight, is_away) = (AtomicUsize::new(0), AtomicBool::new(false));
        Some(Self { address, channel, in_flight, is_away, asked })
    }

    /// Sends a request to it.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let _counted = InFlight(&self.in_flight);
        let mut channel = self.channel.clone();
        let answered = match channel.ready().await {
            Ok(ready) => ready.call(request).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(response) => {
                self.is_away.store(false, Ordering::Relaxed);
                Ok(response)
            }
            Err(error) => {
                let fault = Fault::of(&error);
                if fault == Fault::NotConnected {
                    self.is_away.store(true, Ordering::Relaxed);
                }
                if fault != Fault::OutOfTime {
                    self.asked.notify_one();
                }
                Err(error.into())
            }
        }
    }

    fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// Connects once, and says whether that works.
    async fn tried(&self) {
        if matches!(timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address)).await, Ok(Ok(_))) {
            self.is_away.store(false, Ordering::Relaxed);
        }
    }
}

/// What was found.
type List = Arc<[Arc<Replica>]>;

/// The replicas of a service.
#[derive(Debug)]
pub struct Found {
    /// None until the names were looked up.
    list: watch::Sender<Option<List>>,
    asked: Arc<Notify>,
    turn: AtomicUsize,
    /// Retries that are left.
    pub budget: Budget,
}

impl Found {
    /// Looks for the replicas of these places until it is dropped.
    pub fn start(places: Vec<Place>, names: impl LookUp) -> Arc<Self> {
        let found = Arc::new(Self {
            list: watch::Sender::new(None),
            asked: Arc::default(),
            turn: AtomicUsize::new(0),
            budget: Budget::default(),
        });
        tokio::spawn(keep_looking(Arc::downgrade(&found), places, names));
        found
    }

    /// The replica for a call: the one with the fewest calls in flight of those that can be
    /// connected to. If none can, one of the others, which may be back.
    pub async fn pick(&self, tried: &[Arc<Replica>]) -> Result<Arc<Replica>, BoxError> {
        let mut list = self.list.subscribe();
        let looked_up = timeout(CONNECT_TIMEOUT, list.wait_for(Option::is_some)).await;
        drop(looked_up);
        let list = list.borrow().clone().unwrap_or_else(|| Arc::new([]));
        self.turn.fetch_add(1, Ordering::Relaxed);
        let any = || self.least_busy(list.iter());
        self.other(tried).or_else(any).ok_or_else(|| {
            self.asked.notify_one();
            ConnectError("no address is known for it".into()).into()
        })
    }

    /// A replica that was not tried and can be connected to.
    pub fn other(&self, tried: &[Arc<Replica>]) -> Option<Arc<Replica>> {
        let list = self.list.borrow().clone()?;
        let is_tried = |replica: &Arc<Replica>| tried.iter().any(|one| Arc::ptr_eq(one, replica));
        let others = list.iter().filter(|replica| !replica.is_away() && !is_tried(replica));
        self.least_busy(others)
    }

    /// The least busy one; of equals each in turn.
    fn least_busy<'a>(
        &self,
        replicas: impl Iterator<Item = &'a Arc<Replica>>,
    ) -> Option<Arc<Replica>> {
        let all: Vec<_> = replicas.collect();
        let first = self.turn.load(Ordering::Relaxed) % all.len().max(1);
        let (late, early) = all.split_at_checked(first)?;
        let in_turn = early.iter().chain(late);
        in_turn.min_by_key(|one| one.in_flight.load(Ordering::Relaxed)).map(|one| Arc::clone(one))
    }
}

/// A place and the addresses it had when it was last looked up.
struct Known {
    place: Place,
    addresses: Vec<SocketAddr>,
    is_known: bool,
}

/// Looks names up and tries replicas that are away, until the last client of them is dropped.
async fn keep_looking(found: Weak<Found>, places: Vec<Place>, names: impl LookUp) {
    let known = |place| Known { place, addresses: Vec::new(), is_known: true };
    let mut places: Vec<_> = places.into_iter().map(known).collect();
    loop {
        join_all(places.iter_mut().map(|known| known.look_up(&names))).await;
        let Some(user) = found.upgrade() else { return };
        let before = user.list.borrow().clone();
        let list = renewed(&places, before.as_deref().unwrap_or_default(), &user.asked);
        user.list.send_replace(Some(list.clone()));
        let asked = user.asked.clone();
        drop(user);
        join_all(list.iter().filter(|one| one.is_away()).map(|one| one.tried())).await;
        let is_any_away = list.iter().any(|one| one.is_away()) || list.is_empty();
        drop(list);
        let pause = if is_any_away { AWAY_INTERVAL } else { LOOK_UP_INTERVAL };
        tokio::time::sleep(INTERVAL_MIN).await;
        drop(timeout(pause, asked.notified()).await);
    }
}

impl Known {
    /// Looks the place up. What cannot be looked up keeps the addresses it had.
    async fn look_up(&mut self, names: &impl LookUp) {
        let looked_up = timeout(CONNECT_TIMEOUT, names.look_up(&self.place)).await;
        let fault = match looked_up {
            Ok(Ok(addresses)) if !addresses.is_empty() => {
                (self.addresses, self.is_known) = (addresses, true);
                return;
            }
            Ok(Ok(_)) => "it has no address".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", CONNECT_TIMEOUT.as_secs()),
        };
        if std::mem::take(&mut self.is_known) {
            let Place { host, .. } = &self.place;
            tracing::warn!(host, fault, "a neighbor's name cannot be looked up; trying again");
        }
    }
}

/// A replica for each address; one that was known keeps its connection.
fn renewed(places: &[Known], before: &[Arc<Replica>], asked: &Arc<Notify>) -> List {
    let mut list: Vec<Arc<Replica>> = Vec::new();
    for known in places {
        for address in known.addresses.iter().copied() {
            if list.iter().any(|one| one.address == address) {
                continue;
            }
            let kept = before.iter().find(|one| one.address == address).cloned();
            let new = || Replica::new(&known.place, address, asked.clone()).map(Arc::new);
            list.extend(kept.or_else(new));
        }
    }
    list.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_gains_and_loses_addresses_keeps_the_connections_of_the_others() {
        let place = Place::all("http://catalog:7101").unwrap().remove(0);
        let known = |ports: &[u16]| {
            let addresses = ports.iter().map(|port| ([10, 0, 0, 1], *port).into()).collect();
            [Known { place: place.clone(), addresses, is_known: true }]
        };
        let asked = Arc::default();
        let first = renewed(&known(&[1, 2, 2]), &[], &asked);
        let second = renewed(&known(&[2, 3]), &first, &asked);
        let ports = |list: &List| list.iter().map(|one| one.address.port()).collect::<Vec<_>>();
        assert_eq!((ports(&first), ports(&second)), (vec![1, 2], vec![2, 3]));
        assert!(Arc::ptr_eq(&first[1], &second[0]));
    }
}
