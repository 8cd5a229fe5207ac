//! Benchmarks. Each compares two terms within one run and prints both terms, an A/A pair and the
//! ratio. The A/A pair shows how much the run itself varies. See docs/performance.md.

mod campaign;
mod check;
mod customers;
mod disk;
mod drive;
mod effect;
mod engine;
mod freshness;
mod gate;
mod import;
mod load;
mod processor;
mod ratio;
mod recommend;
mod reservation;
mod rest;
mod server;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: engine::allocation::Counting = engine::allocation::Counting;

/// Runs benchmarks. Each figure is the ratio of two terms of the same run.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
    /// Rounds of each term; the report shows medians.
    #[arg(long, default_value_t = 5, global = true)]
    rounds: usize,
}

#[derive(Clone, Debug, Subcommand)]
enum Bench {
    /// Durable reservations: 64 callers compared with one, and one with a bare flush of the disk.
    Reservation,
    /// A check of a customer with many past contacts compared with one with few.
    Check,
    /// A CSV import compared with the database's own bulk path.
    Import,
    /// The evaluation of a flow compared with hand-written code, and with larger catalogs; its
    /// allocations.
    Engine,
    /// Server CPU time of a decision over gRPC compared with an empty call.
    Recommend,
    /// Server CPU time of a decision with `explain: true` compared with one without.
    Explain,
    /// Server CPU time of a decision with an active effect model compared with one without.
    Effect,
    /// Server CPU time of a decision over REST compared with gRPC.
    Rest,
    /// Server CPU time of a customer in a batch of 64 compared with a single call.
    Batch,
    /// CPU time and duration of a decision with a million customers compared with a thousand.
    Customers(customers::Settings),
    /// How soon decisions use a changed offer, among 10,000, and how the change slows other
    /// decisions.
    Freshness,
    /// Requests at a constant rate: half the knee, the knee, and twice the knee.
    Load(load::Settings),
    /// Other engines compared with ours; needs the feature `peers`, which takes minutes to build.
    #[cfg(feature = "peers")]
    Peers,
    /// Everything but `peers`, in about ten minutes.
    All,
    /// The suite as a separate process, started by the other benchmarks.
    #[command(hide = true)]
    Serve(server::Settings),
}

fn main() -> anyhow::Result<()> {
    let Arguments { bench, rounds } = Arguments::parse();
    match bench {
        Bench::Reservation => here(reservation::run(rounds)),
        Bench::Check => here(check::run(rounds)),
        Bench::Import => here(import::run(rounds)),
        Bench::Engine => engine::run(rounds),
        Bench::Recommend => recommend::over_empty(rounds),
        Bench::Explain => recommend::explain(rounds),
        Bench::Effect => effect::run(rounds),
        Bench::Rest => recommend::rest(rounds),
        Bench::Batch => recommend::batch(rounds),
        Bench::Customers(settings) => customers::run(rounds, settings),
        Bench::Freshness => here(freshness::run(rounds)),
        Bench::Load(settings) => load::run(rounds, settings),
        #[cfg(feature = "peers")]
        Bench::Peers => engine::run_peers(rounds),
        Bench::All => all(rounds),
        Bench::Serve(settings) => server::serve(&settings),
    }
}

/// Runs a benchmark in this process, on two threads.
fn here(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(work)
}

fn all(rounds: usize) -> anyhow::Result<()> {
    here(reservation::run(rounds))?;
    here(check::run(rounds))?;
    here(import::run(rounds))?;
    engine::run(rounds)?;
    recommend::over_empty(rounds)?;
    recommend::explain(rounds)?;
    effect::run(rounds)?;
    recommend::rest(rounds)?;
    recommend::batch(rounds)?;
    customers::run(rounds, customers::Settings::default())?;
    here(freshness::run(rounds))?;
    load::run(rounds, load::Settings::default())
}
