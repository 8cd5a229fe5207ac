//! How a process stops: it says at once that it is not ready, serves on for a while, and then ends.

use std::{pin::Pin, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Readiness;

/// Cancelled when the process is to stop. Every request carries it among its extensions.
pub type Shutdown = CancellationToken;

/// Cancelled by SIGTERM or SIGINT.
pub fn shutdown_on_signal() -> anyhow::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let trigger = shutdown.clone();
    tokio::spawn(async move {
        let interrupted: Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(tokio::signal::ctrl_c());
        tokio::select! { _ = terminate.recv() => {}, _ = interrupted => {} }
        trigger.cancel();
    });
    Ok(shutdown)
}

/// Settings of the stop.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct StopSettings {
    /// Time between the signal to stop and the end of service, in milliseconds. In it `/readyz` and
    /// gRPC health already say no, so that callers turn to other replicas.
    #[arg(long, env = "PROFFER_DRAIN_DELAY_MS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(..=600_000))]
    pub drain_delay_ms: u64,
}

impl StopSettings {
    /// Cancels `shutdown` some time after `asked` was cancelled. `readiness` ends at once.
    pub fn follow(self, asked: Shutdown, readiness: Readiness, shutdown: Shutdown) {
        let delay = Duration::from_millis(self.drain_delay_ms);
        tokio::spawn(async move {
            asked.cancelled().await;
            readiness.stop();
            if !delay.is_zero() {
                tracing::info!(delay_ms = self.drain_delay_ms, "stopping after the drain delay");
                tokio::time::sleep(delay).await;
            }
            shutdown.cancel();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn readiness_ends_at_once_and_service_after_the_delay() {
        let (asked, shutdown) = (Shutdown::new(), Shutdown::new());
        let readiness = Readiness::default();
        readiness.set(true);
        let stop = StopSettings { drain_delay_ms: 20 };
        stop.follow(asked.clone(), readiness.clone(), shutdown.clone());
        assert!(readiness.is_ready() && !shutdown.is_cancelled());
        let mut missing = readiness.follow();
        asked.cancel();
        missing.wait_for(|missing| !missing.is_empty()).await.unwrap();
        assert!(!shutdown.is_cancelled());
        shutdown.cancelled().await;
    }
}
