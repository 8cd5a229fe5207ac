//! The customers of an experiment, summed by split and arm on one metric.

use super::{Arm, Sample, Spread, sample::Figure, strata::Strata};
use crate::domain::measure::Metric;

/// One assigned customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Drawn once, and never changed.
    pub arm: Arm,
    /// The split under which it was drawn.
    pub epoch: i32,
    /// The covariate in 1/10,000, known before the assignment; 0 without one.
    pub covariate: i128,
    /// Over the outcomes from the assignment on.
    pub since_assignment: Activity,
    /// Over the outcomes from the first offer on that they received, or would have received; none
    /// without such an offer.
    pub since_exposure: Option<Activity>,
}

/// What a customer did in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// The sums of the metric, in its order.
    pub sums: Vec<i128>,
    /// True with at least one positive outcome whose value is above 0.
    pub is_buyer: bool,
}

/// Which customers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Population {
    /// Everyone assigned, by intention to treat.
    Assigned,
    /// Those who received, or would have received, an offer.
    Matched,
}

/// Customers who are in no figure, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Their window is still open.
    pub open: u64,
    /// Their window was open when the experiment was concluded.
    pub cut: u64,
    /// A universal holdout emptied their answer.
    pub emptied: u64,
}

/// All customers of an experiment on one metric.
#[derive(Clone, Debug)]
pub struct Counts {
    /// It makes one figure of each customer's sums.
    pub metric: Metric,
    /// Name of the covariate; none when the experiment has none.
    pub covariate: Option<String>,
    /// Of the assigned.
    pub assigned_left_out: LeftOut,
    /// Of the matched.
    pub matched_left_out: LeftOut,
    pub(super) assigned: Strata,
    pub(super) matched: Strata,
    /// Everyone of either population, where windows are open or cut too; none when all are summed.
    sizes: [Option<Strata>; 2],
    /// The figures one by one, assigned and matched; none unless asked for.
    spreads: Option<(Spread, Spread)>,
}

impl Counts {
    /// No customers.
    pub fn new(metric: Metric) -> Self {
        Self {
            metric,
            covariate: None,
            assigned_left_out: LeftOut::default(),
            matched_left_out: LeftOut::default(),
            assigned: Strata::default(),
            matched: Strata::default(),
            sizes: [None, None],
            spreads: None,
        }
    }

    /// The same, keeping each figure other than zero, for what sums do not give. A million
    /// customers who buy take 64 MB.
    #[must_use]
    pub fn keeping_figures(self) -> Self {
        Self { spreads: Some(Default::default()), ..self }
    }

    /// Counts one customer, as assigned and, where there was an offer, as matched.
    pub fn add(&mut self, customer: &Customer) {
        let Customer { arm, epoch, .. } = *customer;
        let figure = self.figure(&customer.since_assignment, customer.covariate);
        self.assigned.add(epoch, arm, figure);
        let matched = customer.since_exposure.as_ref();
        let matched = matched.map(|activity| self.figure(activity, customer.covariate));
        if let Some(figure) = matched {
            self.matched.add(epoch, arm, figure);
        }
        if let Some((of_assigned, of_matched)) = &mut self.spreads {
            of_assigned.add(epoch, arm, figure);
            matched.into_iter().for_each(|figure| of_matched.add(epoch, arm, figure));
        }
    }

    /// Counts one customer whose figures are computed already: as assigned, as matched, or both.
    pub fn add_figures(
        &mut self,
        (epoch, arm): (i32, Arm),
        assigned: Option<Figure>,
        matched: Option<Figure>,
    ) {
        let strata = [(&mut self.assigned, assigned), (&mut self.matched, matched)];
        for (strata, figure) in strata {
            figure.into_iter().for_each(|figure| strata.add(epoch, arm, figure));
        }
        if let Some((of_assigned, of_matched)) = &mut self.spreads {
            assigned.into_iter().for_each(|figure| of_assigned.add(epoch, arm, figure));
            matched.into_iter().for_each(|figure| of_matched.add(epoch, arm, figure));
        }
    }

    /// Adds customers whose figures are summed already, as [`Self::add`] would have: figures from
    /// [`Metric::figure_of`], second figures from [`Metric::paired_of`].
    pub fn add_sample(&mut self, population: Population, epoch: i32, arm: Arm, sample: &Sample) {
        match population {
            Population::Assigned => self.assigned.add_sample(epoch, arm, sample),
            Population::Matched => self.matched.add_sample(epoch, arm, sample),
        }
    }

    /// Says how many customers a population has in all, by split and arm: those whose windows are
    /// open too. The sizes of the arms are tested over them.
    pub fn set_sizes(&mut self, population: Population, sizes: &[(i32, Arm, u64)]) {
        let mut strata = Strata::default();
        for (epoch, arm, n) in sizes {
            strata.add_customers(*epoch, *arm, *n);
        }
        let [assigned, matched] = &mut self.sizes;
        match population {
            Population::Assigned => *assigned = Some(strata),
            Population::Matched => *matched = Some(strata),
        }
    }

    /// All customers of a population, by split and arm; only their numbers count.
    pub(super) fn sizes(&self, population: Population) -> &Strata {
        let [assigned, matched] = &self.sizes;
        let set = match population {
            Population::Assigned => assigned,
            Population::Matched => matched,
        };
        set.as_ref().unwrap_or_else(|| self.strata(population))
    }

    /// Who is in no figure of a population.
    pub fn left_out(&self, population: Population) -> LeftOut {
        match population {
            Population::Assigned => self.assigned_left_out,
            Population::Matched => self.matched_left_out,
        }
    }

    /// The sums of a population.
    pub(super) fn strata(&self, population: Population) -> &Strata {
        match population {
            Population::Assigned => &self.assigned,
            Population::Matched => &self.matched,
        }
    }

    /// The figures of a population one by one; empty unless they were kept.
    pub(super) fn spread(&self, population: Population) -> Spread {
        let (assigned, matched) = self.spreads.clone().unwrap_or_default();
        match population {
            Population::Assigned => assigned,
            Population::Matched => matched,
        }
    }

    fn figure(&self, activity: &Activity, covariate: i128) -> Figure {
        Figure {
            value: self.metric.figure_of(&activity.sums),
            is_buyer: activity.is_buyer,
            paired: self.metric.paired_of(&activity.sums, covariate),
        }
    }
}
