//! What every drill begins with and how it spreads its work.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::{Order, Report, gate::Callers, log::Log, place::Place};

/// The processes a drill calls, the log it is judged by, and what it has reported so far.
pub struct Rig {
    /// What was found.
    pub report: Report,
    /// The processes.
    pub place: Place,
    /// The log.
    pub log: Arc<Log>,
    /// Who calls.
    pub callers: Callers,
}

impl Rig {
    /// Starts the processes and tells which drill runs; its log is called `log`.
    pub async fn start(order: &Order, drill: &str, log: &str) -> anyhow::Result<Self> {
        let mut report = Report::default();
        let place = Place::start(order.store).await?;
        let log = Arc::new(Log::create(order.folder.join(log), order.time)?);
        let callers = Callers::new(log.clone(), place.channels()?);
        let (store, seed, processes) = (order.store_name(), order.seed, place.replicas());
        report.tell(format!(
            "drill policy {drill}: {store}, {processes} process(es) of policy-svc, seed {seed}"
        ));
        Ok(Self { report, place, log, callers })
    }
}

/// Does `work` for the numbers from 0 to `count`, by so many workers at once, until the time is up;
/// says how many were done.
pub async fn numbered<F: Future<Output = anyhow::Result<()>> + Send>(
    order: &Order,
    workers: usize,
    count: u64,
    work: impl Fn(u64) -> F + Clone + Send + 'static,
) -> anyhow::Result<u64> {
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let worker = |_| {
        let (next, done, time, work) = (next.clone(), done.clone(), order.time, work.clone());
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= count || time.is_up() {
                    return anyhow::Ok(());
                }
                work(number).await?;
                done.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    for worker in (0..workers).map(worker).collect::<Vec<_>>() {
        worker.await??;
    }
    Ok(done.load(Ordering::SeqCst))
}
