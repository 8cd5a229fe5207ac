//! The demo: plays the winback campaign on real customers through the public API, and prints a
//! report.

mod customer;
mod decide;
mod effect_model;
mod http;
pub mod large;
mod load;
mod pick;
mod progress;
mod read_out;
mod report;
mod respond;
mod segment;

use std::io::Write;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use decide::{Decided, Request};
use http::Api;
use segment::Counts;

/// Plays the campaign on the suite at `base` and writes the report to `out`. `now` is the clock of
/// the suite.
pub async fn run(
    base: &str,
    now: impl Fn() -> DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let api = Api::new(base);
    let start = now();
    let customers = customer::customers(start).context("read the example's customers")?;
    let counts = Counts::of(&customers, start)?;
    report::opening(out, customers.len(), start)?;

    let stored = load::configuration(&api, start).await?;
    report::configuration(out, &stored)?;
    let experiment = stored
        .iter()
        .find(|(path, _)| path.ends_with("/experiments"))
        .map(|(_, stored)| stored.id.as_str());
    let experiment = experiment.context("the example holds no experiment")?;
    load::records(&api, &customers).await?;
    report::customers(out, &counts)?;

    let asked_at = now();
    let all = decide::everyone(&api, &customers).await?;
    let seconds = (now() - asked_at).as_seconds_f64();
    report::decisions(out, &all, &counts, seconds)?;
    report::rows(out, &pick::rows(&api, &all, start).await?, start)?;

    // Two customers with an offer. The report shows one; the other is asked until the cap refuses.
    let shown = pick::shown(&all, start).context("nobody received an offer")?;
    let other = all.iter().find(|one| one.is_offered() && one.customer.id != shown.customer.id);
    let night = decide::next_two_in_the_morning(shown.customer, start)
        .context("the night has no two o'clock")?;
    let asleep = decide::ask(&api, &Request::dry_at(shown.customer, night.clone())).await?;
    let capped = match other {
        Some(other) => Some(pick::capped(&api, other.customer).await?),
        None => None,
    };
    report::tried(out, &shown.customer.id, &night, &asleep.reason, capped.as_ref())?;
    report::trace(out, shown)?;

    respond_and_read_out(&api, &all, start, experiment, out).await?;
    report::try_next(out, base, shown, &night, experiment)?;
    Ok(out.flush()?)
}

/// Simulates the response and reads the result of the experiment.
async fn respond_and_read_out(
    api: &Api,
    all: &[Decided<'_>],
    now: DateTime<Utc>,
    experiment: &str,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let reported = respond::simulate(api, all, now).await?;
    report::simulated(out, &reported)?;
    let read_out = read_out::complete(api, experiment, all.len(), reported.buyers).await?;
    report::read_out(out, &read_out)?;
    // The draft is of no use: it says what is missing, and a later one would have another version.
    let model = effect_model::learn(api, experiment).await?;
    effect_model::forget(api, &model.id).await?;
    Ok(report::effect_model(out, &model)?)
}
