//! `proffer demo --large`: customers whose reaction to contact is known, because it is SIMULATED.
//! Half of them are contacted, their outcomes are reported, an effect model is learned, and what it
//! says is compared with the truth.

mod ask;
mod configuration;
mod customer;
mod outcome;
mod report;

use std::io::Write;

use chrono::TimeDelta;
use serve::Clock;

use super::{effect_model, http::Api, load::Resource};
use customer::Customer;

/// Customers when nothing is said.
pub const CUSTOMERS: u32 = 60_000;
/// The window of an outcome, and a day in which the last ones arrive.
const LATER: TimeDelta = TimeDelta::days(configuration::WINDOW_DAYS + 1);

/// Plays on the suite at `base`, whose clock this is, with so many customers, and writes the report
/// to `out`.
pub async fn run(
    base: &str,
    clock: &Clock,
    customers: u32,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (api, started) = (Api::new(base), clock.stopwatch());
    let start = clock.now();
    let customers: Vec<_> = (0..customers).map(Customer::new).collect();
    report::opening(out, &customers)?;
    let experiment = configuration::store(&api, start).await?;
    configuration::records(&api, &customers, start).await?;
    // Every replica knows the experiment from its start on.
    clock.advance(TimeDelta::seconds(1));
    let contacted = ask::everyone(&api, &customers).await?;
    let reported = outcome::report(&api, &customers, &contacted).await?;
    clock.advance(LATER);
    outcome::counted(&api, &experiment, clock.now() - TimeDelta::days(1)).await?;
    report::experiment(out, &reported)?;
    let model = effect_model::learn(&api, &experiment).await?;
    report::model(out, &model)?;
    if model.is_learned() {
        let revision = effect_model::activate(&api, &model.id).await?;
        let scored = ask::again(&api, &customers, (&model, &revision)).await?;
        report::bins(out, &scored)?;
        report::customers(out, &scored)?;
    }
    Ok(report::seconds(out, started.elapsed())?)
}
