//! Comparisons within one run: both terms, an A/A pair that says how much the run itself sways, and the ratio.

mod check;
mod engine;
mod gate;
mod import;
mod ratio;
mod reservation;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: engine::allocation::Counting = engine::allocation::Counting;

/// Measures; each figure is a ratio of two terms of the same run.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    /// Rounds of each term; medians are told.
    #[arg(long, default_value_t = 5, global = true)]
    rounds: usize,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Bench {
    /// Durable reservations on PostgreSQL: 64 callers against one, one against a bare flush of the disk.
    Reservation,
    /// A check of a customer with many past contacts against one with few.
    Check,
    /// Records streamed in as CSV, against the database's own bulk path.
    Import,
    /// The evaluation of a flow: over a hand-written floor, as the catalogue grows, and what it allocates.
    Engine,
    /// The engines of others over ours; needs the feature `peers`, which takes minutes to build.
    #[cfg(feature = "peers")]
    Peers,
    /// All of them but `peers`.
    All,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let Arguments { bench, rounds } = Arguments::parse();
    if matches!(bench, Bench::Reservation | Bench::All) {
        reservation::run(rounds).await?;
    }
    if matches!(bench, Bench::Check | Bench::All) {
        check::run(rounds).await?;
    }
    if matches!(bench, Bench::Import | Bench::All) {
        import::run(rounds).await?;
    }
    if matches!(bench, Bench::Engine | Bench::All) {
        engine::run(rounds)?;
    }
    #[cfg(feature = "peers")]
    if matches!(bench, Bench::Peers) {
        engine::run_peers(rounds)?;
    }
    Ok(())
}
