//! The effect by group: category, channel or a recorded field at the first exposure. Exploratory:
//! with enough groups one of them is always far out, so there is no verdict.

use std::collections::BTreeMap;

use super::{Arm, Effect, Figure, Pair, holm::holm, strata::Strata};
use crate::domain::measure::Metric;

/// Groups of a breakdown; the smaller ones are one group together.
pub const GROUPS_MAX: usize = 20;

/// The matched customers by group.
#[derive(Clone, Debug)]
pub struct Breakdown {
    /// What they are grouped by: `category`, `channel` or a field.
    pub by: String,
    metric: Metric,
    groups: BTreeMap<String, Strata>,
}

/// What a group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// Customers of one value; empty when there was none.
    Value(String),
    /// Customers of so many smaller groups.
    Others(usize),
}

/// One group's figures.
#[derive(Clone, Debug)]
pub struct GroupFigures {
    /// The group.
    pub group: Group,
    /// Both arms.
    pub arms: Pair,
    /// What separates them; none without two customers in each arm.
    pub effect: Option<Effect>,
    /// The p-value by Holm over the groups.
    pub p_holm: Option<f64>,
}

impl Breakdown {
    /// No customers.
    pub fn new(by: String, metric: Metric) -> Self {
        Self { by, metric, groups: BTreeMap::new() }
    }

    /// The metric of its figures.
    pub fn metric(&self) -> &Metric {
        &self.metric
    }

    /// Counts one customer in a group.
    pub fn add(&mut self, group: &str, epoch: i32, arm: Arm, figure: Figure) {
        if let Some(strata) = self.groups.get_mut(group) {
            strata.add(epoch, arm, figure);
        } else {
            self.groups.entry(group.to_owned()).or_default().add(epoch, arm, figure);
        }
    }

    /// True when there are customers, and nobody has a value.
    pub fn is_of_nothing(&self) -> bool {
        !self.groups.is_empty() && self.groups.keys().all(String::is_empty)
    }

    /// The groups, the largest first.
    pub fn groups(&self) -> Vec<GroupFigures> {
        let mut sorted: Vec<_> = self.groups.iter().collect();
        // The map is sorted, and the sort is stable: groups of one size are in the order of names.
        sorted.sort_by_key(|(_, strata)| std::cmp::Reverse(strata.total().n()));
        let shown =
            sorted.len().min(if sorted.len() > GROUPS_MAX { GROUPS_MAX - 1 } else { GROUPS_MAX });
        let (large, small) = sorted.split_at(shown);
        let mut groups: Vec<(Group, Strata)> = large
            .iter()
            .map(|(name, strata)| (Group::Value((*name).clone()), (*strata).clone()))
            .collect();
        if !small.is_empty() {
            let mut others = Strata::default();
            small.iter().for_each(|(_, strata)| others.merge(strata));
            groups.push((Group::Others(small.len()), others));
        }
        let effects: Vec<_> =
            groups.iter().map(|(_, strata)| Effect::of(&self.metric, strata)).collect();
        let ps: Vec<_> = effects.iter().map(|effect| Some(effect.as_ref()?.test?.p)).collect();
        let each = groups.into_iter().zip(effects).zip(holm(&ps));
        each.map(|(((group, strata), effect), p_holm)| GroupFigures {
            group,
            arms: strata.total(),
            effect,
            p_holm,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakdown_is_of_nothing_when_nobody_has_a_value() {
        let mut breakdown =
            Breakdown::new("categry".to_owned(), Metric::parse("conversion_rate").unwrap());
        assert!(!breakdown.is_of_nothing(), "without customers nothing is known");
        breakdown.add("", 1, Arm::Treatment, Figure::default());
        assert!(breakdown.is_of_nothing());
        breakdown.add("a", 1, Arm::Treatment, Figure::default());
        assert!(!breakdown.is_of_nothing());
    }
}
