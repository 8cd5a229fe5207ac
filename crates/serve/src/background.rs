//! Threads of low priority for long work, so that it does not slow down answers.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// Where processors are scarce such a thread gets about a third of the time of one that answers,
/// so that its work still finishes soon.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let count = available_parallelism().map_or(1, NonZero::get);
    let mut threads = Builder::new_current_thread();
    threads
        .max_blocking_threads(count)
        .thread_name("background")
        .on_thread_start(lower_priority)
        .build()
        .ok()
});

/// On Linux each thread has its own niceness; elsewhere it would be that of the whole process.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    // Without the permission the thread works at normal priority.
    rustix::process::setpriority_process(None, NICENESS).ok();
}

/// Runs `work` on such a thread, as soon as one is free.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match &*THREADS {
        Some(threads) => threads.spawn_blocking(work),
        None => tokio::task::spawn_blocking(work),
    }
}
