//! Callers that each ask again as soon as they are answered, and what that cost the server.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::try_join_all;

use crate::{ratio::median, server::Server};

/// How long each term of a round is measured.
const ROUND: Duration = Duration::from_secs(2);
/// Calls of each caller before that.
const WARM_UP: usize = 20;

/// Numbers of calls, so that no two of a run ask the same.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// The number of another call.
pub fn number() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What calls cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// CPU time of the server for one of them, in µs.
    pub cpu_us: f64,
    /// Half of them were answered within, in µs.
    pub p50_us: f64,
    /// Calls per second.
    pub rate: f64,
}

/// Lets all `callers` ask at once, over and over.
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
