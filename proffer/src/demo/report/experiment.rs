//! The part of the report about the simulated response and the experiment.

use std::io::{self, Write};

use super::figure::{count, figure, heading, interval, known, money, p_value, percent, pounds};
use crate::demo::{
    read_out::{Arm, ReadOut},
    respond::{ACTIVE_BUY, LAPSED_BUY, OFFER_ADDS, OTHERS_BUY, Reported},
};

/// With fewer buyers an interval of revenue is unreliable; experiment-svc withholds its verdict.
const BUYERS_MIN: usize = 100;
/// Below this p-value the arms do not have the intended sizes; experiment-svc uses the same limit.
const SAMPLE_RATIO_P_MIN: f64 = 0.001;

/// Writes what the simulated customers did.
pub fn simulated(out: &mut impl Write, reported: &Reported) -> io::Result<()> {
    heading(
        out,
        "SIMULATED response",
        "no messages were sent; these are not reactions of real customers",
    )?;
    let [active, lapsed, others, added] =
        [ACTIVE_BUY, LAPSED_BUY, OTHERS_BUY, OFFER_ADDS].map(|share| share as f64 / 100.0);
    writeln!(
        out,
        "  In two weeks {active} % of active, {lapsed} % of lapsed and {others} % of others buy."
    )?;
    writeln!(
        out,
        "  An offer adds {added} points. The id decides who buys. A buyer pays the mean of their \
         purchases in the file."
    )?;
    figure(out, "offers shown", reported.impressions, "impressions reported")?;
    figure(
        out,
        "buyers",
        reported.buyers,
        &format!("conversions reported, {} in all", pounds(reported.revenue)),
    )?;
    figure(out, "  held out", reported.held_out_buyers, "of them bought without an offer")?;
    writeln!(
        out,
        "  By this rule the offers earn {} on average. The experiment should find this value.",
        pounds(reported.truth)
    )
}

/// Writes the results of the experiment.
pub fn read_out(out: &mut impl Write, read_out: &ReadOut) -> io::Result<()> {
    heading(
        out,
        "Read-out of the experiment",
        "revenue per customer, all assigned customers, SIMULATED response",
    )?;
    arms(out, &read_out.arms)?;
    difference(out, read_out.difference, &read_out.ci95)?;
    let statistic = known(read_out.statistic, |t| format!("t {t:.2}"));
    line(out, "test", &format!("{statistic}, {}", known(read_out.p, p_value)))?;
    let lift = &read_out.relative_lift;
    let bounds = match lift.ci95.is_empty() {
        true => "no bounded interval".to_owned(),
        false => interval(&lift.ci95, percent),
    };
    line(out, "relative lift", &format!("{}, {bounds}", known(lift.value, percent)))?;
    let total = &read_out.incremental_total;
    line(
        out,
        "incremental total",
        &format!("{}, {}", known(total.value, money), interval(&total.ci95, money)),
    )?;
    let fits = if read_out.srm.p < SAMPLE_RATIO_P_MIN { "do NOT have" } else { "have" };
    line(
        out,
        "sample ratio",
        &format!("{}: the arms {fits} the intended sizes", p_value(read_out.srm.p)),
    )?;
    line(out, "verdict", &read_out.verdict)?;
    for why in &read_out.withheld {
        writeln!(out, "    because {why}")?;
    }
    writeln!(out, "  In words: {}", in_words(&read_out.ci95))?;
    matched(out, read_out)
}

/// Writes the comparison of customers with an offer. It is sharper, but has few buyers.
fn matched(out: &mut impl Write, read_out: &ReadOut) -> io::Result<()> {
    let matched = &read_out.ghost_matched;
    let (Some(reached), Some(treated)) = (matched.arms.first(), read_out.arms.first()) else {
        return Ok(());
    };
    let (reached, treated) = (count(reached.n), count(treated.n));
    writeln!(
        out,
        "  An offer reached {reached} of {treated} treated customers. What the others buy is noise."
    )?;
    writeln!(out, "  Only customers who received, or would have received, an offer:")?;
    arms(out, &matched.arms)?;
    difference(out, matched.difference, &matched.ci95)?;
    let buyers = matched.arms.iter().filter_map(|arm| Some((arm.events?, &arm.arm)));
    let fewest = buyers.min_by_key(|(events, _)| *events);
    let Some((events, arm)) = fewest.filter(|(events, _)| *events < BUYERS_MIN) else {
        return Ok(());
    };
    writeln!(out, "  The {arm} has {events} buyers. With so few there is no verdict.")
}

fn in_words(ci95: &[f64]) -> &'static str {
    match ci95 {
        [low, _] if *low > 0.0 => {
            "the interval is above zero, but it is too early to call that a gain."
        }
        [_, high] if *high < 0.0 => {
            "the interval is below zero, but it is too early to call that a loss."
        }
        [_, _] => "the interval reaches from a loss to a gain, so the data show neither.",
        _ => "there is not enough data for an interval.",
    }
}

fn arms(out: &mut impl Write, arms: &[Arm]) -> io::Result<()> {
    for Arm { arm, n, mean, events, total } in arms {
        let (n, events) = (count(*n), known(*events, count));
        let (mean, total) = (known(*mean, money), known(*total, money));
        line(
            out,
            arm,
            &format!("{n:>5} customers, {events:>4} bought, {mean} per customer, {total} in all"),
        )?;
    }
    Ok(())
}

fn difference(out: &mut impl Write, difference: Option<f64>, ci95: &[f64]) -> io::Result<()> {
    line(
        out,
        "difference",
        &format!("{} per customer, {}", known(difference, money), interval(ci95, money)),
    )
}

fn line(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "  {label:<18} {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(about: &ReadOut) -> String {
        let mut out = Vec::new();
        read_out(&mut out, about).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn missing_figures_are_said_to_be_missing() {
        let text = text_of(&ReadOut { verdict: "withheld".to_owned(), ..ReadOut::default() });
        assert!(text.contains("difference         not enough data"), "{text}");
        assert!(!text.contains("NaN"), "{text}");
    }

    #[test]
    fn an_interval_is_put_into_words_and_never_into_a_verdict() {
        let check = |ci95: [f64; 2], expected: &str| {
            let text = text_of(&ReadOut { ci95: ci95.to_vec(), ..ReadOut::default() });
            assert!(text.contains(expected), "{text}");
        };
        check([-1.0, 2.0], "from a loss to a gain");
        check([0.5, 2.0], "too early to call that a gain");
        check([-2.0, -0.5], "too early to call that a loss");
    }
}
