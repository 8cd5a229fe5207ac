//! Pins the server to the first processor and the callers to the others, so that they do not
//! compete. On a machine with one processor they share it.

use std::sync::LazyLock;

use anyhow::{Context as _, anyhow};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors of this process at its start.
static GIVEN: LazyLock<Option<Vec<usize>>> = LazyLock::new(|| {
    let set = sched_getaffinity(None).ok()?;
    Some((0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect())
});

/// A side of the benchmark.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// The measured process.
    Server,
    /// The callers.
    Callers,
}

/// Runs `work` on a thread pinned to one side. Threads and processes that it starts are pinned too.
pub fn on<T: Send + 'static>(
    side: Side,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let given = GIVEN.clone().context("cannot read the processors of this process")?;
    let keep = move || {
        let Some((first, rest)) = given.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return Ok(());
        };
        let mut set = CpuSet::new();
        match side {
            Side::Server => set.set(*first),
            Side::Callers => rest.iter().for_each(|processor| set.set(*processor)),
        }
        sched_setaffinity(None, &set).context("pin to processors")
    };
    let thread = std::thread::spawn(move || {
        keep()?;
        work()
    });
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

/// Runs asynchronous `work` on the side of the callers.
pub fn call<F: Future<Output = anyhow::Result<()>>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<()> {
    on(Side::Callers, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(work())
    })
}
