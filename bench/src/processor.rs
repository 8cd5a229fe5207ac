//! Which processors run the server and which the callers, so that neither takes the other's time:
//! the server gets the first, the callers get the rest. On a machine of one processor they share
//! it.

use std::sync::LazyLock;

use anyhow::{Context as _, anyhow};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors this process was given, as it started.
static GIVEN: LazyLock<Option<Vec<usize>>> = LazyLock::new(|| {
    let set = sched_getaffinity(None).ok()?;
    Some((0..CpuSet::MAX_CPU).filter(|processor| set.is_set(*processor)).collect())
});

/// Who runs.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// The process that is measured.
    Server,
    /// Who calls it.
    Callers,
}

/// Runs `work` on a thread of one side; what it starts stays there.
pub fn on<T: Send + 'static>(
    side: Side,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let given = GIVEN.clone().context("the processors of this process cannot be told")?;
    let keep = move || {
        let Some((first, rest)) = given.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return Ok(());
        };
        let mut set = CpuSet::new();
        match side {
            Side::Server => set.set(*first),
            Side::Callers => rest.iter().for_each(|processor| set.set(*processor)),
        }
        sched_setaffinity(None, &set).context("choose processors")
    };
    let thread = std::thread::spawn(move || {
        keep()?;
        work()
    });
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

/// Runs asynchronous `work` on the callers' side.
pub fn call<F: Future<Output = anyhow::Result<()>>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<()> {
    on(Side::Callers, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(work())
    })
}
