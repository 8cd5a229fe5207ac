//! Decisions as the base grows: any of many customers against any of few, each base a server of its
//! own on SQLite.

use crate::{
    drive::Cost,
    processor,
    programme::{Programme, Size},
    ratio::{self, Goal, Term},
    recommend::decisions,
};

/// Customers of the small base.
const FEW: u64 = 1_000;
/// Calls on their way at once, where CPU time is asked.
const IN_FLIGHT: usize = 16;

/// Settings of the comparison.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Settings {
    /// Customers of the large base.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub customers: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { customers: 1_000_000 }
    }
}

async fn ask(programme: &Programme, callers: usize) -> anyhow::Result<Cost> {
    decisions(programme, callers, |question| question).await
}

/// Measures and prints.
pub fn run(rounds: usize, settings: Settings) -> anyhow::Result<()> {
    processor::call(move || async move {
        let many = Programme::start(Size { offers: 9, customers: settings.customers }).await?;
        let few = Programme::start(Size { offers: 9, customers: FEW }).await?;
        let name =
            |what: &str, customers: u64| Term::new(&format!("{what}, {customers} customers, µs"));
        let terms = |what: &str| {
            [name(what, settings.customers), name(what, FEW), Term::new("the same again")]
        };
        let mut cpu = terms("server CPU of a decision");
        let mut p50 = terms("p50 of a decision, 1 caller");
        ask(&many, IN_FLIGHT).await?;
        ask(&few, IN_FLIGHT).await?;
        for _ in 0..rounds {
            for (place, programme) in [&many, &few, &few].into_iter().enumerate() {
                cpu[place].rounds.push(ask(programme, IN_FLIGHT).await?.cpu_us);
                p50[place].rounds.push(ask(programme, 1).await?.p50_us);
            }
        }
        let goal = Goal::AtMost(1.3);
        ratio::print("CPU of a decision as customers grow", &cpu[0], &cpu[1], &cpu[2], goal);
        ratio::print("p50 of a decision as customers grow", &p50[0], &p50[1], &p50[2], goal);
        Ok(())
    })
}
