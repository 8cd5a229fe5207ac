//! Comparisons within one run: both terms, an A/A pair that says how much the run itself sways, and
//! the ratio.

mod check;
mod customers;
mod disk;
mod drive;
mod engine;
mod freshness;
mod gate;
mod import;
mod load;
mod processor;
mod programme;
mod ratio;
mod recommend;
mod reservation;
mod rest;
mod server;

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

#[derive(Clone, Debug, Subcommand)]
enum Bench {
    /// Durable reservations: 64 callers against one, one against a bare flush of the disk.
    Reservation,
    /// A check of a customer with many past contacts against one with few.
    Check,
    /// Records streamed in as CSV, against the database's own bulk path.
    Import,
    /// The evaluation of a flow: over a hand-written floor, as the catalogue grows, and what it
    /// allocates.
    Engine,
    /// Server CPU of a decision by gRPC over an empty call.
    Recommend,
    /// Server CPU of a decision with `explain: true` over one without, 9 and 100 offers.
    Explain,
    /// Server CPU of a decision by REST over the same by gRPC.
    Rest,
    /// Server CPU of a customer in a batch of 64 over a single call.
    Batch,
    /// Server CPU and time of a decision with a million customers over a thousand.
    Customers(customers::Settings),
    /// How soon a written offer is seen by decisions among 10,000, and what its arrival does to
    /// those who ask meanwhile.
    Freshness,
    /// Questions at a constant rate: the knee, half of it, and twice as much.
    Load(load::Settings),
    /// The engines of others over ours; needs the feature `peers`, which takes minutes to build.
    #[cfg(feature = "peers")]
    Peers,
    /// All of them but `peers`, in about ten minutes.
    All,
    /// The suite as a process of its own, for the others.
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

/// Runs what needs no process of its own, on two threads.
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
    recommend::rest(rounds)?;
    recommend::batch(rounds)?;
    customers::run(rounds, customers::Settings::default())?;
    here(freshness::run(rounds))?;
    load::run(rounds, load::Settings::default())
}
