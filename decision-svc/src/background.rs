//! Threads for work that takes long and need not be done at once: they give way to those that
//! answer.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// Where processors are scarce the work gets about a third of what a thread that answers gets, so
/// that it is done soon all the same.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

static THREADS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let count = available_parallelism().map_or(1, NonZero::get);
    let mut threads = Builder::new_current_thread();
    threads.max_blocking_threads(count).thread_name("aside").on_thread_start(give_way).build().ok()
});

/// On Linux niceness is a thread's own; elsewhere it would be that of the whole process.
fn give_way() {
    #[cfg(target_os = "linux")]
    // A thread that may not give way works all the same.
    rustix::process::setpriority_process(None, NICENESS).ok();
}

/// Runs `work` on such a thread, as soon as one is free.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    match &*THREADS {
        Some(threads) => threads.spawn_blocking(work),
        None => tokio::task::spawn_blocking(work),
    }
}
