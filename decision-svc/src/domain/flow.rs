//! Decision flows: their nodes, and the rules for the order of nodes.

use formula::rule::Rule;

use crate::domain::{
    learning::Learning,
    min_uplift::MinUplift,
    rank::Weights,
    score::{NamedModel, OnlinePropensity, ScoreMethod},
    step::{
        ContactPolicy, DEFAULT_SCHEMA, Enrich, Filter, Inventory, Need, Optimize, Qualify, Rank,
        Score, Settings, Step,
    },
};

/// A checked flow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// The nodes in order.
    pub nodes: Vec<Node>,
    /// What is learned from its decisions.
    pub learning: Learning,
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique within the flow.
    pub id: String,
    /// What it does.
    pub step: Step,
}

/// Most nodes of a flow.
pub const NODES_MAX: usize = 50;

/// A fault of a flow: the index of the node, or none for the nodes as a whole, and what is wrong.
type Fault = (Option<usize>, String);

impl Flow {
    /// Faults of the order and number of nodes.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check_ends(&mut faults);
        self.check_order(&mut faults);
        self.check_company(&mut faults);
        self.check_exploration(&mut faults);
        faults
    }

    /// What keeps the online model of propensity from being used, if it is to be.
    pub fn online_fault(&self) -> Option<String> {
        if self.learning.online_propensity != OnlinePropensity::Active {
            return None;
        }
        if !self.score_method().learns() {
            let message = "is `active`, and the `score` node has another method: set its method to \
                           `propensity`, or use `shadow`";
            return Some(message.to_owned());
        }
        self.explores().then(|| {
            "is `active`, and the `rank` node explores: leave out its `explore`, or use `shadow`"
                .to_owned()
        })
    }

    /// Number of nodes, and the types of the first and the last.
    fn check_ends(&self, faults: &mut Vec<Fault>) {
        let nodes = &self.nodes;
        if nodes.len() < 2 || nodes.len() > NODES_MAX {
            let message = format!("has {} nodes; it must have 2 to {NODES_MAX}", nodes.len());
            faults.push((None, message));
        }
        if nodes.first().is_some_and(|first| !matches!(first.step, Step::Inventory(_))) {
            faults.push((Some(0), "the first node must be of type `inventory`".to_owned()));
        }
        if nodes.last().is_some_and(|last| !matches!(last.step, Step::Response(_))) {
            let message = "the last node must be of type `response`";
            faults.push((Some(nodes.len() - 1), message.to_owned()));
        }
    }

    /// Ids and types that are unique, and types in their order.
    fn check_order(&self, faults: &mut Vec<Fault>) {
        let mut highest: Option<(u8, &Node)> = None;
        for (index, node) in self.nodes.iter().enumerate() {
            let (id, type_name) = (&node.id, node.step.type_name());
            let mut fault = |message: String| faults.push((Some(index), message));
            if id.is_empty() || id.chars().count() > 63 || id.chars().any(char::is_control) {
                fault("the id must have 1 to 63 characters".to_owned());
            }
            let mut earlier = self.nodes.iter().take(index);
            if earlier.clone().any(|other| other.id == *id) {
                fault(format!("the id `{id}` is used twice"));
            }
            if earlier.any(|other| other.step.type_name() == type_name) {
                fault(format!("node `{id}`: a second `{type_name}`"));
            }
            let Some(order) = node.step.node_type().order() else { continue };
            match highest {
                Some((before, other)) if before > order => {
                    let other = other.step.type_name();
                    fault(format!("node `{id}`: `{type_name}` must come before `{other}`"));
                }
                _ => highest = Some((order, node)),
            }
        }
    }

    /// Nodes that need others, or conflict with them.
    fn check_company(&self, faults: &mut Vec<Fault>) {
        let has = |type_name: &str| self.has(type_name);
        for (index, node) in self.nodes.iter().enumerate() {
            let (id, node_type) = (&node.id, node.step.node_type());
            if let Some(need) = node_type.needs() {
                let (needed, place) = match need {
                    Need::Before(needed) => (needed, "before"),
                    Need::After(needed) => (needed, "after"),
                };
                if !has(needed) {
                    let message = format!("node `{id}` needs a node of type `{needed}` {place} it");
                    faults.push((Some(index), message));
                }
            }
            if let Some(message) = node_type.conflict(&has) {
                faults.push((Some(index), format!("node `{id}` {message}")));
            }
        }
    }

    /// What is drawn is learned.
    fn check_exploration(&self, faults: &mut Vec<Fault>) {
        let rank = self.nodes.iter().position(|node| Rank::of(&node.step).is_some());
        if self.explores() && !self.score_method().learns() {
            let message = "explores, and its score is not learned: leave `explore` out, or score \
                           with method `propensity`";
            faults.push((rank, message.to_owned()));
        }
    }

    /// What is allowed and likely not meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.settings::<Qualify>().is_none() {
            let message = "no `qualify` node: the rules of offers are not applied, every customer \
                           qualifies";
            warnings.push(message.to_owned());
        }
        if self.settings::<ContactPolicy>().is_none() {
            let message = "no `contact_policy` node: contact policies apply all the same and come \
                           before `response` in the trace";
            warnings.push(message.to_owned());
        }
        warnings
    }

    /// The settings of the node of this type; none when there is no such node.
    pub fn settings<T: Settings>(&self) -> Option<&T> {
        self.nodes.iter().find_map(|node| T::of(&node.step))
    }

    /// True when the flow has a node of this type.
    pub fn has(&self, type_name: &str) -> bool {
        self.nodes.iter().any(|node| node.step.type_name() == type_name)
    }

    /// Categories of the inventory; all when empty.
    pub fn categories(&self) -> &[String] {
        self.settings().map_or(&[], |inventory: &Inventory| &inventory.categories)
    }

    /// The schema the customer's record is read under.
    pub fn schema(&self) -> &str {
        self.settings().map_or(DEFAULT_SCHEMA, |enrich: &Enrich| &enrich.schema)
    }

    /// The flow's own rules; none without a filter.
    pub fn filters(&self) -> &[Rule] {
        self.settings().map_or(&[], |filter: &Filter| &filter.rules)
    }

    /// How it scores.
    pub fn score_method(&self) -> &ScoreMethod {
        self.settings().map_or(&ScoreMethod::Propensity, |score: &Score| &score.method)
    }

    /// Its gate; none when contact need not pay.
    pub fn min_uplift(&self) -> Option<MinUplift> {
        self.settings().and_then(|score: &Score| score.min_uplift)
    }

    /// The weights of the rank: its own, a profile's, or the default ones.
    pub fn weights(&self) -> Weights {
        let own = self.settings().and_then(|rank: &Rank| rank.weights);
        let profile = || self.settings().and_then(|optimize: &Optimize| optimize.found);
        own.or_else(profile).unwrap_or_default()
    }

    /// True when it ranks by propensities that are drawn.
    pub fn explores(&self) -> bool {
        self.settings().is_some_and(|rank: &Rank| rank.explores)
    }

    /// True when it learns relevance from the customer's responses on the channel.
    pub fn learns_relevance(&self) -> bool {
        self.settings().is_some_and(|rank: &Rank| rank.learns_relevance)
    }

    /// Weight profile and model it names.
    pub fn part_names(&self) -> (Option<&str>, Option<&str>) {
        let profile = self.settings().map(|optimize: &Optimize| optimize.reference.as_str());
        let model = match self.score_method() {
            ScoreMethod::Model(NamedModel { reference, .. }) => Some(reference.as_str()),
            _ => None,
        };
        (profile, model)
    }

    /// What it names and does not find.
    pub fn missing_parts(&self) -> Vec<String> {
        self.nodes.iter().filter_map(|node| node.step.node_type().missing()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        creative::PlacementMatch,
        step::{Compute, MatchCreatives, Qualify, Response},
    };

    fn check(steps: &[(&str, Step)], expected: &[&str]) {
        let nodes = steps
            .iter()
            .map(|(id, step)| Node { id: (*id).to_owned(), step: step.clone() })
            .collect();
        let faults: Vec<_> =
            Flow { nodes, ..Flow::default() }.faults().into_iter().map(|fault| fault.1).collect();
        assert_eq!(faults, expected, "{steps:?}");
    }

    fn inventory() -> (&'static str, Step) {
        ("inv", Inventory::default().into())
    }

    fn enrich() -> (&'static str, Step) {
        ("enr", Enrich::default().into())
    }

    const OUT: (&str, Step) = ("out", Step::Response(Response));

    #[test]
    fn compute_may_come_before_or_after_qualify() {
        check(&[inventory(), enrich(), ("c", Compute.into()), ("q", Qualify.into()), OUT], &[]);
        check(&[inventory(), enrich(), ("q", Qualify.into()), ("c", Compute.into()), OUT], &[]);
    }

    #[test]
    fn a_wrong_order_names_the_node() {
        let score = ("s", Score { method: ScoreMethod::Propensity, min_uplift: None }.into());
        let rank = ("r", Rank::default().into());
        check(&[inventory(), rank, score, OUT], &["node `s`: `score` must come before `rank`"]);
        check(
            &[inventory(), ("q", Qualify.into()), enrich(), OUT],
            &["node `enr`: `enrich` must come before `qualify`"],
        );
        check(
            &[enrich(), inventory(), OUT],
            &[
                "the first node must be of type `inventory`",
                "node `inv`: `inventory` must come before `enrich`",
            ],
        );
        check(
            &[inventory()],
            &["has 1 nodes; it must have 2 to 50", "the last node must be of type `response`"],
        );
    }

    #[test]
    fn every_step_has_its_place() {
        let filter = || ("f", Step::Filter(Filter::default()));
        let how = MatchCreatives { is_required: true, placement: PlacementMatch::Any };
        let creatives = || ("m", Step::MatchCreatives(how));
        let optimize = || ("o", Step::Optimize(Optimize { reference: "p".into(), found: None }));
        let score = || ("s", Score { method: ScoreMethod::Propensity, min_uplift: None }.into());
        check(
            &[
                inventory(),
                enrich(),
                filter(),
                creatives(),
                score(),
                optimize(),
                ("r", Rank::default().into()),
                OUT,
            ],
            &[],
        );
        check(
            &[inventory(), enrich(), score(), filter(), creatives(), OUT],
            &[
                "node `f`: `filter` must come before `score`",
                "node `m`: `match_creatives` must come before `score`",
            ],
        );
        check(&[inventory(), filter(), OUT], &["node `f` needs a node of type `enrich` before it"]);
        check(
            &[inventory(), score(), optimize(), OUT],
            &["node `o` needs a node of type `rank` after it"],
        );
    }

    #[test]
    fn the_weights_come_from_one_place() {
        let score = || ("s", Score { method: ScoreMethod::Propensity, min_uplift: None }.into());
        let optimize = || ("o", Step::Optimize(Optimize { reference: "p".into(), found: None }));
        check(
            &[
                inventory(),
                score(),
                optimize(),
                ("r", Rank { weights: Some(Weights::default()), ..Rank::default() }.into()),
                OUT,
            ],
            &["node `r` has weights, and `optimize` takes them from a profile: give one of them"],
        );
    }

    #[test]
    fn ids_and_types_are_unique() {
        check(&[inventory(), ("inv", Response.into())], &["the id `inv` is used twice"]);
        check(
            &[inventory(), enrich(), ("e2", Enrich { schema: "X".into() }.into()), OUT],
            &["node `e2`: a second `enrich`"],
        );
    }

    #[test]
    fn qualify_needs_a_record() {
        check(
            &[inventory(), ("q", Qualify.into()), OUT],
            &["node `q` needs a node of type `enrich` before it"],
        );
    }
}
