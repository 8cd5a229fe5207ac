//! Every figure of one population on one metric, and why the others are absent.

use super::{
    Anytime, Cuped, Design, Effect, IncrementalTotal, LeftOut, NO_BASE, NO_VARIATION, NOBODY, Pair,
    Population, SampleRatio, TOO_LARGE, TWO_CUSTOMERS, Winsorized,
    anytime::{self, GUARDED_MIN},
    compared::{comparable, lacks_base},
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
    /// Both arms over the splits that are compared; without an effect none is.
    pub compared: Pair,
    /// Customers of each split, whether it is compared or not, oldest first.
    pub splits: Vec<(i32, Pair)>,
    /// True when the figures are taken back, so that the arms show their numbers alone.
    pub is_withheld: bool,
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
        let compared = compared(metric, strata, effect.as_ref());
        let mut absent = absent(metric, strata, effect.as_ref());
        absent.extend(absent_of_arms(metric, &arms));
        let mut kept = |figure, because| absent.push((figure, because));
        let anytime = anytime(design, metric, &compared, effect.as_ref());
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
            methods: wording::methods(design, metric, strata, population, effect.as_ref(), &srm),
            splits: counts.sizes(population).iter().map(|(epoch, pair)| (epoch, *pair)).collect(),
            is_withheld: false,
            compared,
            srm,
            left_out: counts.left_out(population),
            effect,
            arms,
            absent,
        }
    }

    /// The treated of splits that are not compared: they are in no total, and nothing is said of
    /// what they gained.
    pub fn uncompared_treated(&self) -> u64 {
        self.arms.treatment.n.saturating_sub(self.compared.treatment.n)
    }

    /// Takes the figures back and says that the arms do not have the sizes they should have.
    pub fn withhold(&mut self) {
        let because = "withheld: the arms do not have the configured sizes (sample ratio mismatch)";
        (self.effect, self.total, self.anytime) = (None, None, None);
        (self.cuped, self.winsorized) = (None, None);
        (self.compared, self.is_withheld) = (Pair::default(), true);
        let figures = ["difference", "ci95", "p", "relativeLift", "incrementalTotal", "anytime"];
        let figures = figures.into_iter().chain(["cuped", "winsorized", "arms"]);
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
        let compared = comparable(metric, strata);
        let because = if compared.is_empty() {
            TWO_CUSTOMERS
        } else if compared.iter().all(|stratum| lacks_base(metric, stratum)) {
            NO_BASE
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

/// Why an arm has no mean or no total, over all its splits.
fn absent_of_arms(metric: &Metric, arms: &Pair) -> Vec<(&'static str, String)> {
    let mut absent = Vec::new();
    for (sample, [mean, total]) in [
        (&arms.treatment, ["arms.treatment.mean", "arms.treatment.total"]),
        (&arms.holdout, ["arms.holdout.mean", "arms.holdout.total"]),
    ] {
        if sample.moments(metric).0.is_none() {
            let lacks_base = metric.scale == Scale::Ratio && sample.paired.sum == Some(0);
            let because = match sample.n {
                0 => NOBODY,
                _ if lacks_base => NO_BASE,
                1 if metric.scale == Scale::Ratio => "a ratio needs two customers",
                _ => TOO_LARGE,
            };
            absent.push((mean, because.to_owned()));
        }
        if sample.sum.is_none() {
            absent.push((total, TOO_LARGE.to_owned()));
        }
    }
    absent
}

/// Both arms over the splits that are compared.
fn compared(metric: &Metric, strata: &Strata, effect: Option<&Effect>) -> Pair {
    let splits = effect.map(|_| comparable(metric, strata)).unwrap_or_default();
    splits.iter().fold(Pair::default(), |sum, split| Pair {
        treatment: sum.treatment.with(&split.arms.treatment),
        holdout: sum.holdout.with(&split.arms.holdout),
    })
}

fn anytime(
    design: &Design,
    metric: &Metric,
    compared: &Pair,
    effect: Option<&Effect>,
) -> Result<Anytime, String> {
    let effect = effect.ok_or_else(|| TWO_CUSTOMERS.to_owned())?;
    let fewest = [compared.treatment, compared.holdout]
        .map(|arm| arm.guarded(metric.guard))
        .into_iter()
        .min();
    let fewest = fewest.unwrap_or_default();
    if fewest < GUARDED_MIN {
        let what = metric.events;
        return Err(format!("fewer than {GUARDED_MIN} {what} in the smaller arm: {fewest}"));
    }
    anytime::anytime(effect, design.expected_customers).ok_or_else(|| NO_VARIATION.to_owned())
}
