//! The verdict on an experiment. Figures are always shown. A verdict is withheld while it could
//! mislead, and the result says why in words.

use chrono::{DateTime, Utc};

use super::{Effect, Pair, Sample, SampleRatio};
use crate::domain::{
    experiment::{Experiment, Status, rfc3339},
    measure::Metric,
};

/// A verdict needs a p below this.
const SIGNIFICANCE: f64 = 0.05;

/// What may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Treatment is better: p and interval both exclude no effect.
    Gain,
    /// Treatment is worse, likewise.
    Loss,
    /// The figures show neither.
    Inconclusive,
    /// Too early or unsound.
    Withheld,
}

/// The verdict, and why it is withheld.
pub fn verdict(
    experiment: &Experiment,
    metric: &Metric,
    assigned: &Pair,
    effect: Option<&Effect>,
    srm: &SampleRatio,
    now: DateTime<Utc>,
) -> (Verdict, Vec<String>) {
    let mut withheld = Vec::new();
    withheld.extend(early(experiment, now));
    withheld.extend(mismatch(assigned, srm));
    withheld.extend(few_events(metric, assigned));
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
    (verdict, withheld)
}

/// Stopping at the first look that pleases declares an effect far too often.
fn early(experiment: &Experiment, now: DateTime<Utc>) -> Option<String> {
    let planned = experiment.planned_end.filter(|_| experiment.status != Status::Draft);
    let Some(planned) = planned else {
        return Some("the experiment is a draft: nobody is assigned yet".to_owned());
    };
    match experiment.concluded_at {
        Some(concluded) if concluded < planned => Some(format!(
            "it was concluded at {}, before its planned end at {}: the figures of an early stop \
             mislead",
            rfc3339(concluded),
            rfc3339(planned)
        )),
        None if now < planned => Some(format!(
            "the planned end at {} has not come: a look before it finds an effect too often where \
             there is none",
            rfc3339(planned)
        )),
        _ => None,
    }
}

fn mismatch(assigned: &Pair, srm: &SampleRatio) -> Option<String> {
    if srm.misplaced > 0 {
        let count = customers(srm.misplaced);
        return Some(format!(
            "the assignment is unsound: {count} in an arm that their split does not give"
        ));
    }
    srm.is_alarm().then(|| {
        format!(
            "the arms do not have the configured sizes (sample ratio mismatch, p {:.1e}): {} \
             treated and {} held out",
            srm.p, assigned.treatment.n, assigned.holdout.n
        )
    })
}

fn few_events(metric: &Metric, assigned: &Pair) -> Option<String> {
    let min = metric.guard.min();
    let few = |arm: &str, sample: &Sample| {
        let found = sample.guarded(metric.guard);
        (found < min).then(|| format!("{found} in {arm}"))
    };
    let both = [few("treatment", &assigned.treatment), few("the holdout", &assigned.holdout)];
    let found: Vec<_> = both.into_iter().flatten().collect();
    (!found.is_empty()).then(|| {
        let (what, found) = (metric.events, found.join(" and "));
        format!("too few {what}: {found}; at least {min} in each arm are needed")
    })
}

fn customers(count: u64) -> String {
    if count == 1 { "1 customer is".to_owned() } else { format!("{count} customers are") }
}
