//! Every figure of one population on one metric, and why the others are absent.

use super::{
    Anytime, Cuped, Design, Effect, IncrementalTotal, LeftOut, NO_VARIATION, Pair, Population,
    SampleRatio, TOO_LARGE, TWO_CUSTOMERS, Winsorized,
    anytime::{self, GUARDED_MIN},
    counts::Counts,
    cuped,
    recomputed::Recomputed,
    srm,
    strata::Strata,
    wording,
};
use crate::domain::measure::{Metric, Scale};

/// The figures of one population.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Both arms over all splits.
    pub arms: Pair,
    /// Customers who are in no figure.
    pub left_out: LeftOut,
    /// What separates the arms.
    pub effect: Option<Effect>,
    /// Treated times difference.
    pub total: Option<IncrementalTotal>,
    /// Whether the arms have the sizes they should have.
    pub srm: SampleRatio,
    /// The interval that holds at every look.
    pub anytime: Option<Anytime>,
    /// Adjusted by the covariate.
    pub cuped: Option<Cuped>,
    /// With the largest figures clamped.
    pub winsorized: Option<Winsorized>,
    /// Names of the methods, by the headline figure they gave.
    pub methods: Vec<(&'static str, String)>,
    /// Why a figure is absent, by its name in answers.
    pub absent: Vec<(&'static str, String)>,
}

impl Findings {
    /// The figures of a population.
    pub fn of(
        design: &Design,
        counts: &Counts,
        population: Population,
        recomputed: Option<&Recomputed>,
    ) -> Self {
        let metric = &counts.metric;
        let strata = counts.strata(population);
        let effect = Effect::of(metric, strata);
        let (arms, srm) =
            (strata.total(), srm::sample_ratio(&design.epochs, counts.sizes(population)));
        let mut absent = absent(metric, strata, effect.as_ref());
        let mut kept = |figure, because| absent.push((figure, because));
        let anytime = anytime(design, metric, &arms, effect.as_ref());
        let cuped = cuped::cuped(metric, counts.covariate.as_deref(), strata);
        let winsorized = recomputed.map_or_else(
            || Err("not computed yet: it is, in the background".to_owned()),
            |recomputed| recomputed.winsorized(population).clone(),
        );
        Self {
            total: effect.as_ref().and_then(|effect| IncrementalTotal::of(metric, strata, effect)),
            anytime: anytime.map_err(|because| kept("anytime", because)).ok(),
            cuped: cuped.map_err(|because| kept("cuped", because)).ok(),
            winsorized: winsorized.map_err(|because| kept("winsorized", because)).ok(),
            methods: wording::methods(metric, strata, population, effect.as_ref(), &srm),
            srm,
            left_out: counts.left_out(population),
            effect,
            arms,
            absent,
        }
    }

    /// Takes the figures back and says that the arms do not have the sizes they should have.
    pub fn withhold(&mut self) {
        let because = "withheld: the arms do not have the configured sizes (sample ratio mismatch)";
        (self.effect, self.total, self.anytime) = (None, None, None);
        (self.cuped, self.winsorized) = (None, None);
        let figures = ["difference", "ci95", "p", "relativeLift", "incrementalTotal", "anytime"];
        let figures = figures.into_iter().chain(["cuped", "winsorized"]);
        self.absent = figures.map(|figure| (figure, because.to_owned())).collect();
    }
}

/// Why figures of the effect are absent.
fn absent(
    metric: &Metric,
    strata: &Strata,
    effect: Option<&Effect>,
) -> Vec<(&'static str, String)> {
    let Some(effect) = effect else {
        let because = if strata.comparable().is_empty() {
            TWO_CUSTOMERS
        } else if metric.scale == Scale::Ratio {
            "an arm has no outcome to divide by"
        } else {
            TOO_LARGE
        };
        let figures = ["difference", "ci95", "p", "relativeLift", "incrementalTotal"];
        return figures.map(|figure| (figure, because.to_owned())).to_vec();
    };
    let mut absent = Vec::new();
    let mut is_absent = |figure, because: &str| absent.push((figure, because.to_owned()));
    if effect.interval.is_none() {
        is_absent("ci95", NO_VARIATION);
    }
    if effect.test.is_none() {
        is_absent("p", NO_VARIATION);
    }
    let lift = effect.relative_lift;
    match (lift.value, lift.interval, lift.g) {
        (None, ..) => is_absent("relativeLift", "the mean of the holdout is not above zero"),
        (_, None, Some(g)) => is_absent(
            "relativeLift.ci95",
            &format!(
                "g is {g:.2}: from 1 on the mean of the holdout could be zero, and the interval \
                 has no bounds"
            ),
        ),
        (_, None, None) => is_absent("relativeLift.ci95", NO_VARIATION),
        _ => {}
    }
    if metric.scale == Scale::Ratio {
        is_absent("incrementalTotal", "a ratio has no total");
    }
    absent
}

fn anytime(
    design: &Design,
    metric: &Metric,
    arms: &Pair,
    effect: Option<&Effect>,
) -> Result<Anytime, String> {
    let effect = effect.ok_or_else(|| TWO_CUSTOMERS.to_owned())?;
    let fewest =
        [arms.treatment, arms.holdout].map(|arm| arm.guarded(metric.guard)).into_iter().min();
    let fewest = fewest.unwrap_or_default();
    if fewest < GUARDED_MIN {
        let what = metric.events;
        return Err(format!("fewer than {GUARDED_MIN} {what} in the smaller arm: {fewest}"));
    }
    anytime::anytime(effect, design.expected_customers).ok_or_else(|| NO_VARIATION.to_owned())
}
