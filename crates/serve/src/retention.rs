//! Deletes old rows in small batches with pauses, so that calls do not notice it.

use std::{collections::BTreeMap, time::Duration};

use crate::{Clock, Stopwatch, Task};

/// How often old rows are looked for.
const INTERVAL: Duration = Duration::from_secs(10 * 60);
/// How often the age of the last run is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(15);
/// Rows of one batch: few, so that writers wait for it a moment only.
pub const BATCH_MAX: u32 = 100;
/// A pause lasts as many times as long as the batch before it.
const PAUSES_PER_BATCH: u32 = 9;
/// The shortest pause.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Rows that were deleted, by table.
pub type Deleted = BTreeMap<&'static str, u64>;

/// How batches follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A tenth of the time is work.
    Gentle,
    /// Without pauses; for tests.
    Full,
}

impl Pace {
    async fn rest(self, took: &Stopwatch) {
        if self == Self::Gentle {
            tokio::time::sleep((took.elapsed() * PAUSES_PER_BATCH).max(PAUSE_MIN)).await;
        }
    }

    /// Repeats `delete`, which deletes at most [`BATCH_MAX`] rows of `table`, until it finds less
    /// than that; adds the rows to `deleted`.
    pub async fn sweep<E, F: Future<Output = Result<u64, E>>>(
        self,
        table: &'static str,
        deleted: &mut Deleted,
        delete: impl Fn() -> F,
    ) -> Result<(), E> {
        loop {
            let took = Clock::system().stopwatch();
            let rows = delete().await?;
            *deleted.entry(table).or_default() += rows;
            metrics::counter!("proffer.retention.deleted.rows", "table" => table).increment(rows);
            if rows < u64::from(BATCH_MAX) {
                return Ok(());
            }
            self.rest(&took).await;
        }
    }
}

/// Runs `once` now and at intervals, and reports how long ago the last run of this store ended. A
/// run that failed is repeated soon.
pub fn retention_task<F>(store: &'static str, once: impl Fn(Pace) -> F + Send + 'static) -> Task
where
    F: Future<Output = anyhow::Result<Deleted>> + Send,
{
    metrics::describe_counter!("proffer.retention.deleted.rows", "Rows deleted by age, by table");
    metrics::describe_gauge!(
        "proffer.retention.last.run.age",
        metrics::Unit::Seconds,
        "Time since old rows of a store were last looked for with success"
    );
    Box::pin(async move {
        let mut report = tokio::time::interval(REPORT_INTERVAL);
        let (mut last, mut is_due) = (Clock::system().stopwatch(), true);
        loop {
            report.tick().await;
            if is_due || last.elapsed() >= INTERVAL {
                match once(Pace::Gentle).await {
                    Ok(deleted) => {
                        (last, is_due) = (Clock::system().stopwatch(), false);
                        for (table, rows) in deleted.iter().filter(|(_, rows)| **rows > 0) {
                            tracing::info!(store, table, rows, "old rows deleted");
                        }
                    }
                    Err(error) => {
                        tracing::warn!(store, %error, "old rows were not deleted");
                    }
                }
            }
            let age = last.elapsed().as_secs_f64();
            metrics::gauge!("proffer.retention.last.run.age", "store" => store).set(age);
        }
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn batches_go_on_until_one_is_not_full() {
        let left = Cell::new(250_u64);
        let delete = || async {
            let rows = left.get().min(u64::from(BATCH_MAX));
            left.set(left.get() - rows);
            Ok::<_, ()>(rows)
        };
        let mut deleted = Deleted::new();
        Pace::Full.sweep("thing", &mut deleted, delete).await.unwrap();
        assert_eq!((left.get(), deleted), (0, Deleted::from([("thing", 250)])));
    }
}
