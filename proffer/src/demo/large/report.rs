//! The report of the large demo.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use super::{
    ask::Scored,
    customer::Customer,
    outcome::{Arm, Reported},
};
use crate::demo::{
    effect_model::Model,
    report::{count, heading, no_effect_model},
};

/// Marks what nobody measured.
const SIMULATED: &str = "SIMULATED";

/// Writes who the customers are.
pub fn opening(out: &mut impl Write, customers: &[Customer]) -> io::Result<()> {
    let average = mean(customers.iter().map(Customer::effect));
    writeln!(out, "\n{SIMULATED}: {} customers, and what they do.", count(customers.len()))?;
    writeln!(out, "The rule by which they buy is known here, so what is learned can be checked.")?;
    writeln!(
        out,
        "Contact changes the probability to buy by {} on average: by more for who opens e-mails,",
        points(average)
    )?;
    writeln!(out, "and it puts off who opens none.")
}

/// Writes what the arms did.
pub fn experiment(out: &mut impl Write, reported: &Reported) -> io::Result<()> {
    heading(out, "Experiment", &format!("{SIMULATED}, half of the customers are held out"))?;
    for (arm, Arm { customers, buyers }) in
        [("contacted", reported.contacted), ("held out", reported.held_out)]
    {
        let share = 100.0 * buyers as f64 / customers.max(1) as f64;
        let (customers, buyers) = (count(customers), count(buyers));
        writeln!(out, "  {arm:<10} {customers:>6} customers, {buyers:>6} bought: {share:.2} %")?;
    }
    Ok(())
}

/// Writes what was learned, or why nothing was.
pub fn model(out: &mut impl Write, model: &Model) -> io::Result<()> {
    let rows = usize::try_from(model.training.rows).unwrap_or_default();
    heading(out, "Effect model", &format!("learned from {} training rows", count(rows)))?;
    if !model.is_learned() {
        return no_effect_model(out, model);
    }
    let (qini, slope) = (model.card.qini, model.card.slope);
    writeln!(
        out,
        "  Q {:.5}, error {:.5}: above 0, so its ranking is worth something",
        qini.value, qini.error
    )?;
    writeln!(
        out,
        "  slope {:.2}, error {:.2}: 1 if all predicted differences are real",
        slope.value, slope.error
    )?;
    writeln!(out, "  GET /api/v1/effect-models/{}/card.svg", model.id)
}

/// Writes the bins: what the model says, and what is true of their customers.
pub fn bins(out: &mut impl Write, scored: &[Scored<'_>]) -> io::Result<()> {
    let about =
        format!("{} customers asked again without contact, in points of %", count(scored.len()));
    heading(out, "Bins", &about)?;
    writeln!(
        out,
        "   bin  customers    cate  interval of the bin  segment        {SIMULATED} truth"
    )?;
    let mut bins: BTreeMap<u32, Vec<&Scored<'_>>> = BTreeMap::new();
    for one in scored {
        bins.entry(one.bin.bin).or_default().push(one);
    }
    for (bin, scored) in bins {
        let cate = mean(scored.iter().filter_map(|one| one.trace.cate));
        let truth = mean(scored.iter().map(|one| one.customer.effect()));
        let Some(first) = scored.first() else { continue };
        let interval = format!("{} to {}", points(first.bin.low), points(first.bin.high));
        writeln!(
            out,
            "  {bin:>4} {:>10}  {:>6}  {:<20} {:<14} {:>6}",
            count(scored.len()),
            points(cate),
            interval,
            first.trace.uplift_segment,
            points(truth),
        )?;
    }
    Ok(())
}

/// Writes one customer of each bin.
pub fn customers(out: &mut impl Write, scored: &[Scored<'_>]) -> io::Result<()> {
    heading(out, "Customers", "the first of each bin, in points of %")?;
    writeln!(
        out,
        "  customer  opened  purchases  days    cate   bin  segment        {SIMULATED} truth"
    )?;
    let mut firsts: BTreeMap<u32, &Scored<'_>> = BTreeMap::new();
    for one in scored {
        firsts.entry(one.bin.bin).or_insert(one);
    }
    for (bin, Scored { customer, trace, .. }) in firsts {
        let Customer { id, emails_opened, purchases, days } = customer;
        writeln!(
            out,
            "  {id}  {emails_opened:>6}  {purchases:>9}  {days:>4}  {:>6}  {bin:>4}  {:<14} {:>6}",
            trace.cate.map_or_else(String::new, points),
            trace.uplift_segment,
            points(customer.effect()),
        )?;
    }
    Ok(())
}

/// Writes how long it took.
pub fn seconds(out: &mut impl Write, took: Duration) -> io::Result<()> {
    writeln!(out, "\nAll of this took {} seconds.", took.as_secs())
}

/// A difference of probabilities: `+3.1`.
fn points(share: f64) -> String {
    format!("{:+.1}", 100.0 * share)
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}
