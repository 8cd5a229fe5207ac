//! What the demo tells of the simulated response and of the experiment.

use std::io::{self, Write};

use super::figure::{count, figure, heading, interval, known, money, p_value, percent, pounds};
use crate::demo::{
    read_out::{Arm, ReadOut},
    respond::{ACTIVE_BUY, LAPSED_BUY, OFFER_ADDS, OTHERS_BUY, Reported},
};

/// Below so many buyers an interval of revenue is not to be trusted; experiment-svc withholds its
/// verdict there.
const BUYERS_MIN: usize = 100;
/// Below this p the arms' sizes are not those asked for; experiment-svc says the same.
const SAMPLE_RATIO_P_MIN: f64 = 0.001;

/// What the simulated customers did.
pub fn simulated(out: &mut impl Write, reported: &Reported) -> io::Result<()> {
    heading(
        out,
        "SIMULATED response",
        "nobody was written to; what follows are no real customers' reactions",
    )?;
    let [active, lapsed, others, added] =
        [ACTIVE_BUY, LAPSED_BUY, OTHERS_BUY, OFFER_ADDS].map(|share| share as f64 / 100.0);
    writeln!(
        out,
        "  In two weeks {active} % of the active buy, {lapsed} % of the lapsed, {others} % of the others;"
    )?;
    writeln!(
        out,
        "  an offer adds {added} points. Who buys is drawn from the id, and pays the mean of the file's purchases."
    )?;
    figure(out, "offers shown", reported.impressions, "impressions reported")?;
    figure(
        out,
        "buyers",
        reported.buyers,
        &format!("conversions reported, {} in all", pounds(reported.revenue)),
    )?;
    figure(out, "  held out", reported.held_out_buyers, "of them bought without being asked")?;
    writeln!(
        out,
        "  By this rule the offers earn {} on average: the truth the read-out is after.",
        pounds(reported.truth)
    )
}

/// What the experiment makes of it.
pub fn read_out(out: &mut impl Write, read_out: &ReadOut) -> io::Result<()> {
    heading(
        out,
        "Read-out of the holdout",
        "revenue per customer, everyone assigned, on the SIMULATED response",
    )?;
    arms(out, &read_out.arms)?;
    difference(out, read_out.difference, &read_out.ci95)?;
    let statistic = known(read_out.z, |t| format!("t {t:.2}"));
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
        &format!("{}: the arms {fits} the sizes asked for", p_value(read_out.srm.p)),
    )?;
    line(out, "verdict", &read_out.verdict)?;
    for why in &read_out.withheld {
        writeln!(out, "    because {why}")?;
    }
    writeln!(out, "  In words: {}", in_words(&read_out.ci95))?;
    matched(out, read_out)
}

/// The comparison among those with an offer: sharper, and from few buyers.
fn matched(out: &mut impl Write, read_out: &ReadOut) -> io::Result<()> {
    let matched = &read_out.ghost_matched;
    let (Some(reached), Some(treated)) = (matched.arms.first(), read_out.arms.first()) else {
        return Ok(());
    };
    let (reached, treated) = (count(reached.n), count(treated.n));
    writeln!(
        out,
        "  An offer reached {reached} of {treated} treated customers; what all others buy is noise to this question."
    )?;
    writeln!(out, "  Only those who received, or would have received, an offer:")?;
    arms(out, &matched.arms)?;
    difference(out, matched.difference, &matched.ci95)?;
    let fewest =
        matched.arms.iter().min_by_key(|arm| arm.events).filter(|arm| arm.events < BUYERS_MIN);
    let Some(Arm { arm, events, .. }) = fewest else { return Ok(()) };
    writeln!(
        out,
        "  Buyers in the {arm}: {events}. So few make the interval look narrower than it is; no verdict rests on it."
    )
}

fn in_words(ci95: &[f64]) -> &'static str {
    match ci95 {
        [low, _] if *low > 0.0 => {
            "the interval lies above zero, and still it is too early to call that a gain."
        }
        [_, high] if *high < 0.0 => {
            "the interval lies below zero, and still it is too early to call that a loss."
        }
        [_, _] => "the interval reaches from a loss to a gain, so these figures show neither.",
        _ => "there are not enough data for an interval.",
    }
}

fn arms(out: &mut impl Write, arms: &[Arm]) -> io::Result<()> {
    for Arm { arm, n, mean, events, total } in arms {
        let (n, events, mean, total) = (count(*n), count(*events), money(*mean), money(*total));
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

    fn told(about: &ReadOut) -> String {
        let mut out = Vec::new();
        read_out(&mut out, about).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn missing_figures_are_said_to_be_missing() {
        let text = told(&ReadOut { verdict: "withheld".to_owned(), ..ReadOut::default() });
        assert!(text.contains("difference         not enough data"), "{text}");
        assert!(!text.contains("NaN"), "{text}");
    }

    #[test]
    fn an_interval_is_put_into_words_and_never_into_a_verdict() {
        let check = |ci95: [f64; 2], expected: &str| {
            let text = told(&ReadOut { ci95: ci95.to_vec(), ..ReadOut::default() });
            assert!(text.contains(expected), "{text}");
        };
        check([-1.0, 2.0], "from a loss to a gain");
        check([0.5, 2.0], "too early to call that a gain");
        check([-2.0, -0.5], "too early to call that a loss");
    }
}
