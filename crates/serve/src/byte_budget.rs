//! One budget for the bytes that a process holds for its callers: bodies that arrive, rows that
//! wait, and answers that are not read yet.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use metrics::Gauge;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};
use tonic::Status;

use crate::Problem;

/// Largest default budget, in bytes.
pub const DEFAULT_BYTES_MAX: u64 = 128 << 20;
/// Smallest budget, in bytes: the largest message and its answer fit into one caller's share.
pub const BYTES_MIN: u64 = 16 << 20;
/// Largest budget that may be set, in bytes.
pub const BYTES_MAX: u64 = 1 << 40;
/// The budget is this part of the memory by default.
const PART_OF_MEMORY: u64 = 8;
/// Longest wait for bytes.
pub const WAIT_MAX: Duration = Duration::from_secs(1);
/// A call that holds at most this many bytes may also take from the last quarter of the budget.
/// So small calls go on while large ones wait.
pub const SMALL_CALL_BYTES: u64 = 64 << 10;

static REFUSAL: LazyLock<Status> = LazyLock::new(|| {
    Problem::overloaded("too many bytes are held for callers; try again shortly").into()
});

/// A number of bytes that callers may occupy together. Clones share it.
#[derive(Clone, Debug)]
pub struct ByteBudget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bytes_max: u64,
    wait_max: Duration,
    held: Mutex<HeldBytes>,
    freed: Notify,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct HeldBytes {
    all: u64,
    by_peer: HashMap<IpAddr, u64>,
    waiting: usize,
}

impl ByteBudget {
    /// A budget of so many bytes.
    pub fn new(bytes_max: u64) -> Self {
        Self::with_wait(bytes_max, WAIT_MAX)
    }

    /// The same with another longest wait.
    pub fn with_wait(bytes_max: u64, wait_max: Duration) -> Self {
        let (held, freed) = (Mutex::default(), Notify::new());
        let gauge = metrics::gauge!("proffer.held");
        Self(Arc::new(Inner { bytes_max, wait_max, held, freed, gauge }))
    }

    /// A budget of an eighth of the memory, at most 128 MiB.
    pub fn of_memory() -> Self {
        Self::new(default_bytes(memory_bytes()))
    }

    /// Its size in bytes.
    pub fn bytes_max(&self) -> u64 {
        self.0.bytes_max
    }

    /// Bytes held now.
    pub fn held(&self) -> u64 {
        self.lock().all
    }

    /// Holds nothing yet. With a `peer`, that address holds at most half of the budget, or five
    /// eighths by small calls.
    pub fn holding(&self, peer: Option<IpAddr>) -> HeldShare {
        HeldShare { budget: self.clone(), peer, bytes: 0 }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HeldBytes> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes` for a call that holds `whole` bytes already, if there is room.
    fn try_take(&self, whole: u64, bytes: u64, peer: Option<IpAddr>) -> bool {
        let is_small = whole + bytes <= SMALL_CALL_BYTES;
        let eighth = self.0.bytes_max / 8;
        let (of_all, of_peer) = match is_small {
            true => (8 * eighth, 5 * eighth),
            false => (6 * eighth, 4 * eighth),
        };
        let mut held = self.lock();
        let by_peer = peer.and_then(|peer| held.by_peer.get(&peer)).copied().unwrap_or_default();
        let fits = held.all + bytes <= of_all && (peer.is_none() || by_peer + bytes <= of_peer);
        if fits {
            held.add(bytes, peer);
            self.0.gauge.increment(bytes as f64);
        }
        fits
    }

    async fn take(&self, whole: u64, bytes: u64, peer: Option<IpAddr>) -> Result<(), Status> {
        if self.try_take(whole, bytes, peer) {
            return Ok(());
        }
        let _waiting = Waiting::new(self);
        let until = Instant::now() + self.0.wait_max;
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            // What is given back from here on is noticed.
            freed.as_mut().enable();
            if self.try_take(whole, bytes, peer) {
                return Ok(());
            }
            if timeout_at(until, freed).await.is_err() {
                metrics::counter!("proffer.bytes.refused").increment(1);
                return Err(REFUSAL.clone());
            }
        }
    }

    fn give_back(&self, bytes: u64, peer: Option<IpAddr>) {
        if bytes == 0 {
            return;
        }
        let mut held = self.lock();
        held.remove(bytes, peer);
        let is_awaited = held.waiting > 0;
        drop(held);
        self.0.gauge.decrement(bytes as f64);
        if is_awaited {
            self.0.freed.notify_waiters();
        }
    }
}

impl HeldBytes {
    fn add(&mut self, bytes: u64, peer: Option<IpAddr>) {
        self.all += bytes;
        if let Some(peer) = peer {
            *self.by_peer.entry(peer).or_default() += bytes;
        }
    }

    fn remove(&mut self, bytes: u64, peer: Option<IpAddr>) {
        self.all = self.all.saturating_sub(bytes);
        let Some(peer) = peer else { return };
        if let Some(of_peer) = self.by_peer.get_mut(&peer) {
            *of_peer = of_peer.saturating_sub(bytes);
            if *of_peer == 0 {
                self.by_peer.remove(&peer);
            }
        }
    }
}

/// Counts a waiter while it waits.
struct Waiting<'a>(&'a ByteBudget);

impl<'a> Waiting<'a> {
    fn new(budget: &'a ByteBudget) -> Self {
        budget.lock().waiting += 1;
        Self(budget)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

/// Bytes held for one caller; they are given back when it is dropped.
#[derive(Debug)]
pub struct HeldShare {
    budget: ByteBudget,
    peer: Option<IpAddr>,
    bytes: u64,
}

impl HeldShare {
    /// Bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `bytes` more; false when there is no room now.
    pub fn try_grow(&mut self, bytes: u64) -> bool {
        let is_taken = self.budget.try_take(self.bytes, bytes, self.peer);
        if is_taken {
            self.bytes += bytes;
        }
        is_taken
    }

    /// Takes `bytes` more. RESOURCE_EXHAUSTED when there is no room within [`WAIT_MAX`]; what is
    /// already held stays held.
    pub async fn grow(&mut self, bytes: u64) -> Result<(), Status> {
        self.budget.take(self.bytes, bytes, self.peer).await?;
        self.bytes += bytes;
        Ok(())
    }

    /// The same as a future of its own: the bytes, to be added by [`HeldShare::absorb`].
    pub fn more(&self, bytes: u64) -> impl Future<Output = Result<Self, Status>> + use<> {
        let (budget, peer, whole) = (self.budget.clone(), self.peer, self.bytes);
        async move {
            budget.take(whole, bytes, peer).await?;
            Ok(Self { budget, peer, bytes })
        }
    }

    /// Holds what `other` held.
    pub fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// A share of its own in the same budget, that of no peer.
    pub fn beside(&self) -> Self {
        self.budget.holding(None)
    }

    /// Bytes of an answer that is made already: they are held also where there is no room. New
    /// calls are refused until there is.
    pub fn answer(&self, bytes: u64) -> Self {
        self.budget.lock().add(bytes, self.peer);
        self.budget.0.gauge.increment(bytes as f64);
        Self { budget: self.budget.clone(), peer: self.peer, bytes }
    }

    /// Gives back all but `bytes`.
    pub fn shrink_to(&mut self, bytes: u64) {
        let freed = self.bytes.saturating_sub(bytes);
        self.bytes -= freed;
        self.budget.give_back(freed, self.peer);
    }
}

impl Drop for HeldShare {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// Reads a number of bytes with or without a unit: `64MiB`, `1GiB`, `67108864`.
pub fn bytes_of(text: &str) -> Result<u64, String> {
    let example = || {
        let (least, most) = (BYTES_MIN >> 20, BYTES_MAX >> 40);
        format!("write bytes with a unit, from {least}MiB to {most}TiB, for example 128MiB")
    };
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits).ok_or_else(example)?;
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1_u64 << 40,
        _ => return Err(example()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    bytes.filter(|bytes| (BYTES_MIN..=BYTES_MAX).contains(bytes)).ok_or_else(example)
}

fn default_bytes(memory: Option<u64>) -> u64 {
    let part = memory.map_or(DEFAULT_BYTES_MAX, |memory| memory / PART_OF_MEMORY);
    part.clamp(BYTES_MIN, DEFAULT_BYTES_MAX)
}

/// The memory of this process in bytes: the limit of its control group or that of the machine,
/// whichever is less. None when neither can be read.
fn memory_bytes() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let machine = read("/proc/meminfo").and_then(|text| mem_total(&text));
    limit_files(&groups)
        .iter()
        .filter_map(|path| read(path)?.trim().parse().ok())
        .chain(machine)
        .min()
}

/// Files that may hold the limit of a control group, by the text of `/proc/self/cgroup`.
fn limit_files(groups: &str) -> Vec<String> {
    let mut files = vec![
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let path = path.trim_end_matches('/');
        if controllers.is_empty() {
            files.push(format!("/sys/fs/cgroup{path}/memory.max"));
        } else if controllers.split(',').any(|controller| controller == "memory") {
            files.push(format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"));
        }
    }
    files
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn peer(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([127, 0, 0, last]))
    }

    #[tokio::test]
    async fn who_gets_no_bytes_in_time_is_refused_and_keeps_what_it_has() {
        let wait_max = Duration::from_millis(20);
        let budget = ByteBudget::with_wait(16 * MIB, wait_max);
        let mut large = budget.holding(None);
        large.grow(12 * MIB).await.unwrap();
        let mut other = budget.holding(None);
        let since = Instant::now();
        let refused = other.grow(SMALL_CALL_BYTES + 1).await.unwrap_err();
        assert!(since.elapsed() >= wait_max);
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(refused.get_error_details().error_info().unwrap().reason, "OVERLOADED");
        assert!(refused.get_error_details().retry_info().is_some());
        assert_eq!((large.bytes(), budget.held()), (12 * MIB, 12 * MIB));
    }

    #[tokio::test]
    async fn bytes_given_back_go_to_those_who_wait() {
        let budget = ByteBudget::new(16 * MIB);
        let mut large = budget.holding(None);
        assert!(large.try_grow(12 * MIB));
        let mut waits = budget.holding(None);
        {
            let mut growing = Box::pin(waits.grow(MIB));
            assert!(growing.as_mut().now_or_never().is_none());
            large.shrink_to(11 * MIB);
            growing.await.unwrap();
        }
        drop(large);
        assert_eq!(budget.held(), MIB);
        drop(waits);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn small_calls_have_a_reserve_and_large_ones_end_before_it() {
        let budget = ByteBudget::new(16 * MIB);
        let mut large = budget.holding(None);
        assert!(large.try_grow(12 * MIB));
        assert!(!large.try_grow(1));
        let mut small = budget.holding(None);
        assert!(small.try_grow(SMALL_CALL_BYTES));
        assert!(!small.try_grow(1), "it is no longer small");
    }

    #[test]
    fn one_peer_leaves_room_for_others() {
        let budget = ByteBudget::new(16 * MIB);
        let mut large = budget.holding(peer(2));
        assert!(large.try_grow(8 * MIB));
        assert!(!large.try_grow(1));
        let small: Vec<_> = std::iter::repeat_with(|| budget.holding(peer(2)))
            .map(|mut held| held.try_grow(SMALL_CALL_BYTES).then_some(held))
            .map_while(|held| held)
            .collect();
        assert_eq!(small.len() as u64, 2 * MIB / SMALL_CALL_BYTES);
        let mut honest = budget.holding(peer(3));
        assert!(honest.try_grow(SMALL_CALL_BYTES));
        drop((large, small));
        assert_eq!(budget.held(), SMALL_CALL_BYTES);
    }

    #[test]
    fn an_answer_is_held_beyond_the_budget_and_keeps_new_calls_out() {
        let budget = ByteBudget::new(16 * MIB);
        let answer = budget.holding(None).answer(20 * MIB);
        let mut next = budget.holding(None);
        assert!(!next.try_grow(1));
        drop(answer);
        assert!(next.try_grow(1));
    }

    #[test]
    fn the_default_is_an_eighth_of_the_memory_within_bounds() {
        let check = |memory_mib: Option<u64>, expected_mib: u64| {
            assert_eq!(default_bytes(memory_mib.map(|mib| mib * MIB)), expected_mib * MIB);
        };
        check(Some(64), 16);
        check(Some(512), 64);
        check(Some(1024), 128);
        check(Some(65_536), 128);
        check(None, 128);
        assert_eq!(mem_total("MemTotal:       2048 kB\nMemFree: 1 kB\n"), Some(2 * MIB));
        let files = limit_files("0::/pod/one\n5:cpu,memory:/docker/x\n1:name=systemd:/\n");
        for file in [
            "/sys/fs/cgroup/pod/one/memory.max",
            "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes",
        ] {
            assert!(files.iter().any(|found| found == file), "{file}");
        }
    }

    #[test]
    fn bytes_are_read_with_their_unit() {
        assert_eq!(bytes_of("16MiB"), Ok(BYTES_MIN));
        assert_eq!(bytes_of("1 GiB"), Ok(1 << 30));
        assert_eq!(bytes_of("134217728"), Ok(DEFAULT_BYTES_MAX));
        assert_eq!(bytes_of("1TiB"), Ok(BYTES_MAX));
        for odd in ["", "MiB", "16", "16777215", "2TiB", "64MB", "-1MiB", "1.5GiB"] {
            assert!(bytes_of(odd).is_err(), "{odd}");
        }
    }
}
