//! A closed loop of callers: each sends its next call when its last one is answered. The result is
//! the server's cost per call.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use crate::{ratio::median, server::Server};

/// Duration of one term of a round.
const ROUND: Duration = Duration::from_secs(2);
/// Warm-up calls of each caller.
const WARM_UP: usize = 20;

/// Counts the calls of a run, so that no two calls are equal.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The number of the next call.
pub fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The cost of a call.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU time of the server per call, in µs.
    pub cpu_us: f64,
    /// Median time of a call, in µs.
    pub p50_us: f64,
    /// Calls per second.
    pub rate: f64,
}

/// Runs all `callers` at once for a fixed time.
pub async fn drive<C>(
    server: &Server,
    callers: &mut [C],
    call: impl AsyncFn(&mut C) -> anyhow::Result<()>,
) -> anyhow::Result<Cost> {
    for _ in 0..WARM_UP {
        try_join_all(callers.iter_mut().map(|caller| call(caller))).await?;
    }
    let (before, started) = (server.cpu_us()?, Instant::now());
    let asking = async |caller: &mut C| {
        let mut spent = Vec::new();
        while started.elapsed() < ROUND {
            let asked = Instant::now();
            call(caller).await?;
            spent.push(asked.elapsed().as_secs_f64() * 1e6);
        }
        anyhow::Ok(spent)
    };
    let spent = try_join_all(callers.iter_mut().map(asking)).await?.concat();
    let (cpu_us, calls) = (server.cpu_us()? - before, spent.len() as f64);
    Ok(Cost {
        cpu_us: cpu_us / calls,
        rate: calls / started.elapsed().as_secs_f64(),
        p50_us: median(spent),
    })
}
