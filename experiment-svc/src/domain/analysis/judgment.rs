//! The verdict on an experiment. Figures are always shown. A verdict is withheld while it could
//! mislead, and the result says why in words.

use chrono::{DateTime, Utc};

use super::{
    Design, Early, Findings, LATE_MAX, More, Pair, SIGNIFICANCE, Sample, SampleRatio, Verdict,
    early::judge as early_verdict,
};
use crate::domain::{experiment::rfc3339, measure::Metric};

/// The verdict and how firm it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgment {
    /// What may be said.
    pub verdict: Verdict,
    /// Why not more, in words.
    pub withheld: Vec<String>,
    /// True when the verdict comes from the anytime interval before the end.
    pub is_early: bool,
    /// True in the week after the end, in which outcomes may still arrive.
    pub is_preliminary: bool,
    /// The verdict before the end, if there was one.
    pub early: Option<Early>,
}

/// Judges the findings of the assigned.
pub fn judge(
    design: &Design,
    metric: &Metric,
    assigned: &Findings,
    more: &More,
    now: DateTime<Utc>,
) -> Judgment {
    let early = more.past.early(design, metric);
    let before_end = before_end(design, metric, assigned, early, now);
    let (is_preliminary, mismatch) = (is_preliminary(design, now), mismatch(&assigned.srm));
    let stands = early.filter(|_| before_end.is_some() && mismatch.is_none());
    if let Some(Early { verdict, .. }) = stands {
        return Judgment { verdict, withheld: Vec::new(), is_early: true, is_preliminary, early };
    }
    let mut withheld = Vec::new();
    withheld.extend(before_end);
    withheld.extend(uncounted(design, more.counted_through, now));
    withheld.extend(mismatch);
    withheld.extend(few_events(metric, &assigned.compared));
    let effect = assigned.effect.as_ref();
    let measured = effect.and_then(|effect| Some((effect.test?.p, effect.interval?)));
    if measured.is_none() {
        withheld.push(
            "not enough data: a comparison needs two customers in each arm, and some variation \
             among them"
                .to_owned(),
        );
    }
    let verdict = match measured {
        _ if !withheld.is_empty() => Verdict::Withheld,
        Some((p, [low, _])) if p < SIGNIFICANCE && low > 0.0 => Verdict::Gain,
        Some((p, [_, high])) if p < SIGNIFICANCE && high < 0.0 => Verdict::Loss,
        _ => Verdict::Inconclusive,
    };
    Judgment { verdict, withheld, is_early: false, is_preliminary, early }
}

/// Stopping at the first look that pleases declares an effect far too often.
fn before_end(
    design: &Design,
    metric: &Metric,
    assigned: &Findings,
    early: Option<Early>,
    now: DateTime<Utc>,
) -> Option<String> {
    let Some(end) = design.end() else {
        return Some("the experiment is a draft: nobody is assigned yet".to_owned());
    };
    let beside = beside(design, metric, assigned, early);
    let what = match design.outcome_window {
        Some(_) => "the end of the last window",
        None => "the planned end",
    };
    if let Some(stopped) = design.stopped_at() {
        let (stopped, end) = (rfc3339(stopped), rfc3339(end));
        return Some(format!(
            "it was concluded at {stopped}, before {what} at {end}: the figures of an early stop \
             mislead, and {beside}"
        ));
    }
    (now < end).then(|| {
        format!(
            "{what} at {} has not come: a look before it finds an effect too often where there is \
             none, and {beside}",
            rfc3339(end)
        )
    })
}

/// Why there is no early verdict either.
fn beside(design: &Design, metric: &Metric, assigned: &Findings, early: Option<Early>) -> String {
    let anytime = "its interval that holds at every look (anytime)";
    if *metric != design.primary_metric {
        return "only the primary metric has an early verdict".to_owned();
    }
    if let Some(Early { day, .. }) = early {
        return format!("the early verdict of {day} does not stand");
    }
    let Some([low, high]) = assigned.anytime.map(|anytime| anytime.interval) else {
        return "there is no interval that holds at every look (anytime) yet".to_owned();
    };
    if low <= 0.0 && high >= 0.0 {
        return format!("{anytime} does not show an effect either");
    }
    if early_verdict(design, metric, assigned).is_none() {
        return format!("{anytime} excludes no effect, but an early verdict needs more than that");
    }
    if design.stopped_at().is_some() {
        return format!("{anytime} excludes no effect, but no daily snapshot before had said so");
    }
    format!("{anytime} excludes no effect, which counts once a daily snapshot says so")
}

/// At the end the verdict waits until every outcome received before it is counted.
fn uncounted(
    design: &Design,
    through: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<String> {
    let end = design.end().filter(|end| now >= *end && !design.is_external)?;
    let end = design.stopped_at().unwrap_or(end);
    if through.is_some_and(|through| through >= end) {
        return None;
    }
    let counted = match through {
        Some(through) => format!("are counted up to {}", rfc3339(through)),
        None => "have not been counted yet".to_owned(),
    };
    Some(format!("outcomes {counted}; the verdict waits until they are up to {}", rfc3339(end)))
}

fn is_preliminary(design: &Design, now: DateTime<Utc>) -> bool {
    let end = design.stopped_at().or(design.end()).filter(|_| !design.is_external);
    end.is_some_and(|end| now >= end && now < end.checked_add_signed(LATE_MAX).unwrap_or(end))
}

fn mismatch(srm: &SampleRatio) -> Option<String> {
    if srm.misplaced > 0 {
        let count = customers(srm.misplaced);
        return Some(format!(
            "the assignment is unsound: {count} in an arm that their split does not give"
        ));
    }
    srm.is_alarm().then(|| {
        let (treated, held_out) = srm.sizes();
        format!(
            "the arms do not have the configured sizes (sample ratio mismatch, p {:.1e}): \
             {treated} treated and {held_out} held out",
            srm.p()
        )
    })
}

/// Customers of splits that are not compared say nothing.
fn few_events(metric: &Metric, compared: &Pair) -> Option<String> {
    let min = metric.guard.min();
    let few = |arm: &str, sample: &Sample| {
        let found = sample.guarded(metric.guard);
        (found < min).then(|| format!("{found} in {arm}"))
    };
    let both = [few("treatment", &compared.treatment), few("the holdout", &compared.holdout)];
    let found: Vec<_> = both.into_iter().flatten().collect();
    (!found.is_empty()).then(|| {
        let (what, found) = (metric.events, found.join(" and "));
        format!("too few {what}: {found}; at least {min} in each arm are needed")
    })
}

fn customers(count: u64) -> String {
    if count == 1 { "1 customer is".to_owned() } else { format!("{count} customers are") }
}
