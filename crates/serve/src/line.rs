//! What a listener knows of one connection: its peer, whether it is idle, and whether its answers
//! are read.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// A connection without a request in flight ends after this time.
pub const IDLE_MAX: Duration = Duration::from_secs(5 * 60);
/// A connection ends when an answer waits this long without any part of it being sent.
pub const STALL_MAX: Duration = Duration::from_secs(30);
/// How often a connection is looked at.
pub const LOOK: Duration = Duration::from_secs(5);
/// Time an idle connection gets to close.
const CLOSE_MAX: Duration = Duration::from_secs(30);

/// A connection. Cheap to clone; every request carries it among its extensions.
#[derive(Clone, Debug)]
pub struct Line(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    peer: Option<IpAddr>,
    opened: Instant,
    in_flight: AtomicUsize,
    /// Milliseconds from `opened` to the end of the last request.
    idle_from: AtomicU64,
    unread: Mutex<Vec<Weak<Unread>>>,
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Open,
    /// It takes no further requests and closes.
    Idle,
    /// It is closed at once.
    Dead,
}

impl Line {
    /// A connection from `peer`, opened now; no peer between services.
    pub fn new(peer: Option<IpAddr>) -> Self {
        Self(Arc::new(Inner {
            peer,
            opened: Instant::now(),
            in_flight: AtomicUsize::new(0),
            idle_from: AtomicU64::new(0),
            unread: Mutex::default(),
        }))
    }

    /// The peer; none between services.
    pub fn peer(&self) -> Option<IpAddr> {
        self.0.peer
    }

    /// A request is in flight until the value is dropped.
    pub fn begin(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(self.clone())
    }

    /// An answer that is about to be sent.
    pub fn answer(&self) -> Arc<Unread> {
        let unread = Arc::new(Unread {
            opened: self.0.opened,
            pieces: AtomicUsize::new(0),
            touched: AtomicU64::new(self.elapsed_ms()),
        });
        let mut all = self.0.unread.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == all.capacity() {
            all.retain(|unread| unread.strong_count() > 0);
        }
        all.push(Arc::downgrade(&unread));
        unread
    }

    /// What is to be done about the connection now.
    pub fn fate(&self) -> Fate {
        self.fate_at(self.elapsed_ms())
    }

    /// The same, so many milliseconds after it was opened.
    fn fate_at(&self, now: u64) -> Fate {
        let since = |from: u64| Duration::from_millis(now.saturating_sub(from));
        let mut all = self.0.unread.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|unread| unread.strong_count() > 0);
        let is_stalled = all.iter().filter_map(Weak::upgrade).any(|unread| {
            unread.pieces.load(Ordering::SeqCst) > 0
                && since(unread.touched.load(Ordering::SeqCst)) >= STALL_MAX
        });
        drop(all);
        let is_idle = self.0.in_flight.load(Ordering::SeqCst) == 0;
        let idle = since(self.0.idle_from.load(Ordering::SeqCst));
        match idle {
            _ if is_stalled => Fate::Dead,
            idle if is_idle && idle >= IDLE_MAX + CLOSE_MAX => Fate::Dead,
            idle if is_idle && idle >= IDLE_MAX => Fate::Idle,
            _ => Fate::Open,
        }
    }

    fn elapsed_ms(&self) -> u64 {
        elapsed_ms(self.0.opened)
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Counts a request while it is in flight.
#[derive(Debug)]
pub struct InFlight(Line);

impl Drop for InFlight {
    fn drop(&mut self) {
        let inner = &self.0.0;
        inner.idle_from.store(elapsed_ms(inner.opened), Ordering::SeqCst);
        inner.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An answer on its way to the peer.
#[derive(Debug)]
pub struct Unread {
    opened: Instant,
    pieces: AtomicUsize,
    touched: AtomicU64,
}

impl Unread {
    /// A piece of it waits for the peer.
    pub fn sending(&self) {
        self.pieces.fetch_add(1, Ordering::SeqCst);
        self.touch();
    }

    /// A piece was sent, or given up.
    pub fn sent(&self) {
        self.pieces.fetch_sub(1, Ordering::SeqCst);
        self.touch();
    }

    /// The peer took a part of it.
    pub fn touch(&self) {
        self.touched.store(elapsed_ms(self.opened), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(duration: Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap()
    }

    #[test]
    fn a_connection_without_a_request_is_idle_after_its_time() {
        let line = Line::new(None);
        let request = line.begin();
        assert_eq!(line.fate_at(10 * ms(IDLE_MAX)), Fate::Open);
        drop(request);
        let from = line.0.idle_from.load(Ordering::SeqCst) + ms(IDLE_MAX);
        assert_eq!(line.fate_at(from - 1), Fate::Open);
        assert_eq!(line.fate_at(from), Fate::Idle);
        assert_eq!(line.fate_at(from + ms(CLOSE_MAX) - 1), Fate::Idle);
        assert_eq!(line.fate_at(from + ms(CLOSE_MAX)), Fate::Dead);
    }

    #[test]
    fn a_connection_whose_answer_is_not_read_ends_although_others_are_read() {
        let line = Line::new(None);
        let _in_flight = line.begin();
        let (unread, read) = (line.answer(), line.answer());
        unread.sending();
        read.sending();
        read.touched.store(ms(STALL_MAX), Ordering::SeqCst);
        let from = unread.touched.load(Ordering::SeqCst) + ms(STALL_MAX);
        assert_eq!(line.fate_at(from - 1), Fate::Open);
        assert_eq!(line.fate_at(from), Fate::Dead);
        unread.touched.store(1_000, Ordering::SeqCst);
        assert_eq!(line.fate_at(from), Fate::Open, "a slow reader makes progress");
        unread.sent();
        assert_eq!(line.fate_at(from + ms(STALL_MAX) - 1), Fate::Open, "nothing waits");
    }

    #[test]
    fn answers_that_have_gone_are_forgotten() {
        let line = Line::new(None);
        for _ in 0..10_000 {
            drop(line.answer());
        }
        assert!(line.0.unread.lock().unwrap().capacity() < 100);
    }
}
