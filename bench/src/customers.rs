//! Decisions with many customers compared with few. Each number of customers has its own server on
//! SQLite.

use crate::{
    campaign::{Campaign, Size},
    drive::Cost,
    processor,
    ratio::{self, Goal, Term},
    recommend::decisions,
};

/// Customers of the small server.
const FEW: u64 = 1_000;
/// Calls in flight when CPU time is measured.
const IN_FLIGHT: usize = 16;

/// Settings of `customers`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Settings {
    /// Customers of the large server.
    #[arg(long, default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub customers: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { customers: 1_000_000 }
    }
}

async fn ask(campaign: &Campaign, callers: usize) -> anyhow::Result<Cost> {
    decisions(campaign, callers, |request| request).await
}

/// Runs the rounds and prints the report.
pub fn run(rounds: usize, settings: Settings) -> anyhow::Result<()> {
    processor::call(move || async move {
        let many = Campaign::start(Size { offers: 9, customers: settings.customers }).await?;
        let few = Campaign::start(Size { offers: 9, customers: FEW }).await?;
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
            for (place, campaign) in [&many, &few, &few].into_iter().enumerate() {
                cpu[place].rounds.push(ask(campaign, IN_FLIGHT).await?.cpu_us);
                p50[place].rounds.push(ask(campaign, 1).await?.p50_us);
            }
        }
        let goal = Goal::AtMost(1.3);
        ratio::print("CPU of a decision as customers grow", &cpu[0], &cpu[1], &cpu[2], goal);
        ratio::print("p50 of a decision as customers grow", &p50[0], &p50[1], &p50[2], goal);
        Ok(())
    })
}
