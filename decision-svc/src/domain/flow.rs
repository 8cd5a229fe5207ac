//! Decision flows: which steps there are and in which order they may stand.

use formula::rule::Rule;

use crate::domain::{
    creative::PlacementMatch,
    score::{NamedModel, ScoreMethod},
};

/// A flow that may be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The steps in order.
    pub nodes: Vec<Node>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique within the flow.
    pub id: String,
    /// What it does.
    pub step: Step,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Chooses the offers of these categories; of all when empty.
    Inventory(Vec<String>),
    /// Fetches the record under this schema.
    Enrich(String),
    /// Computes the categories' fields.
    Compute,
    /// Applies the offers' rules.
    Qualify,
    /// Marks where contact verdicts stand.
    ContactPolicy,
    /// Leaves out candidates for which one of these rules does not hold.
    Filter(Vec<Rule>),
    /// Chooses what each candidate says.
    MatchCreatives(CreativeMatch),
    /// Estimates how likely the customer responds.
    Score(ScoreMethod),
    /// Takes the rank's weights from a profile.
    Optimize(Profile),
    /// Orders the offers, by these weights when it names any.
    Rank(Option<Weights>),
    /// Answers.
    Response,
}

/// A weight profile as a flow names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Id or name.
    pub reference: String,
    /// Its weights; none while they are not known, or it is missing.
    pub found: Option<Weights>,
}

/// How creatives are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreativeMatch {
    /// A candidate without one is refused.
    pub is_required: bool,
    /// Which placements fit.
    pub placement: PlacementMatch,
}

/// Weights of the rank's factors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Propensity.
    pub propensity: f64,
    /// Relevance.
    pub relevance: f64,
    /// Impact.
    pub impact: f64,
    /// Emphasis.
    pub emphasis: f64,
    /// Uplift.
    pub uplift: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { propensity: 0.4, relevance: 0.2, impact: 0.3, emphasis: 0.1, uplift: 0.0 }
    }
}

/// Most nodes of a flow.
pub const NODES_MAX: usize = 50;
/// Schema of an enrich node that names none.
pub const DEFAULT_SCHEMA: &str = "Customer";

impl Step {
    /// The type as it is written in a flow.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Inventory(_) => "inventory",
            Self::Enrich(_) => "enrich",
            Self::Compute => "compute",
            Self::Qualify => "qualify",
            Self::ContactPolicy => "contact_policy",
            Self::Filter(_) => "filter",
            Self::MatchCreatives(_) => "match_creatives",
            Self::Score(_) => "score",
            Self::Optimize(_) => "optimize",
            Self::Rank(_) => "rank",
            Self::Response => "response",
        }
    }

    /// Where the step may stand: every step comes after those of a lower place.
    fn place(&self) -> u8 {
        match self {
            Self::Inventory(_) => 0,
            Self::Enrich(_) => 1,
            Self::Compute | Self::Qualify => 2,
            Self::Filter(_) => 3,
            Self::MatchCreatives(_) => 4,
            Self::Score(_) => 5,
            Self::Optimize(_) => 6,
            Self::Rank(_) => 7,
            Self::Response => 8,
            // Verdicts do not depend on the other steps: the mark may stand anywhere between first
            // and last.
            Self::ContactPolicy => u8::MAX,
        }
    }
}

impl Flow {
    /// Faults of the order and number of steps: (index of the node, what is wrong).
    pub fn faults(&self) -> Vec<(Option<usize>, String)> {
        let mut faults = Vec::new();
        let nodes = &self.nodes;
        if nodes.len() < 2 || nodes.len() > NODES_MAX {
            faults.push((
                None,
                format!("holds {} nodes; it must hold 2 to {NODES_MAX}", nodes.len()),
            ));
        }
        if nodes.first().is_some_and(|first| !matches!(first.step, Step::Inventory(_))) {
            faults.push((Some(0), "the first node must be of type `inventory`".to_owned()));
        }
        if nodes.last().is_some_and(|last| last.step != Step::Response) {
            faults.push((
                Some(nodes.len() - 1),
                "the last node must be of type `response`".to_owned(),
            ));
        }
        let mut highest: Option<&Node> = None;
        for (index, node) in nodes.iter().enumerate() {
            if node.id.is_empty()
                || node.id.chars().count() > 63
                || node.id.chars().any(char::is_control)
            {
                faults.push((Some(index), "the id must have 1 to 63 characters".to_owned()));
            }
            let earlier = nodes.iter().take(index);
            if earlier.clone().any(|other| other.id == node.id) {
                faults.push((Some(index), format!("the id `{}` is used twice", node.id)));
            }
            if earlier.clone().any(|other| other.step.type_name() == node.step.type_name()) {
                faults.push((
                    Some(index),
                    format!("node `{}`: a second `{}`", node.id, node.step.type_name()),
                ));
            }
            if node.step == Step::ContactPolicy {
                continue;
            }
            match highest {
                Some(before) if before.step.place() > node.step.place() => faults.push((
                    Some(index),
                    format!(
                        "node `{}`: `{}` must stand before `{}`",
                        node.id,
                        node.step.type_name(),
                        before.step.type_name()
                    ),
                )),
                _ => highest = Some(node),
            }
        }
        faults.extend(self.missing());
        faults
    }

    fn missing(&self) -> Vec<(Option<usize>, String)> {
        let has = |name: &str| self.nodes.iter().any(|node| node.step.type_name() == name);
        let mut faults = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let (needed, place) = match &node.step {
                Step::Compute | Step::Qualify | Step::Filter(_) => ("enrich", "before"),
                Step::Rank(_) => ("score", "before"),
                Step::Optimize(_) => ("rank", "after"),
                _ => continue,
            };
            if !has(needed) {
                faults.push((
                    Some(index),
                    format!("node `{}` needs a node of type `{needed}` {place} it", node.id),
                ));
            }
            if matches!(node.step, Step::Rank(Some(_))) && has("optimize") {
                let message =
                    "names weights, and `optimize` takes them from a profile: give one of them";
                faults.push((Some(index), format!("node `{}` {message}", node.id)));
            }
        }
        faults
    }

    /// What is allowed and likely not meant.
    pub fn warnings(&self) -> Vec<String> {
        if self.nodes.iter().any(|node| node.step == Step::ContactPolicy) {
            return Vec::new();
        }
        vec!["no `contact_policy` node: verdicts bind all the same and stand before `response` in the trace".to_owned()]
    }

    /// Categories of the inventory; all when empty.
    pub fn categories(&self) -> &[String] {
        self.nodes
            .iter()
            .find_map(|node| match &node.step {
                Step::Inventory(categories) => Some(categories.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }

    /// The schema the customer's record is read under.
    pub fn schema(&self) -> &str {
        self.nodes
            .iter()
            .find_map(|node| match &node.step {
                Step::Enrich(schema) => Some(schema.as_str()),
                _ => None,
            })
            .unwrap_or(DEFAULT_SCHEMA)
    }

    /// Rules of the flow's own; none without a filter.
    pub fn filters(&self) -> &[Rule] {
        let filters = self.nodes.iter().find_map(|node| match &node.step {
            Step::Filter(rules) => Some(rules.as_slice()),
            _ => None,
        });
        filters.unwrap_or_default()
    }

    /// How creatives are chosen; none when they are not.
    pub fn creative_match(&self) -> Option<CreativeMatch> {
        self.nodes.iter().find_map(|node| match node.step {
            Step::MatchCreatives(how) => Some(how),
            _ => None,
        })
    }

    /// How it scores.
    pub fn score_method(&self) -> &ScoreMethod {
        let method = self.nodes.iter().find_map(|node| match &node.step {
            Step::Score(method) => Some(method),
            _ => None,
        });
        method.unwrap_or(&ScoreMethod::Propensity)
    }

    /// The weights of the rank: its own, a profile's, or the default ones.
    pub fn weights(&self) -> Weights {
        let weights = self.nodes.iter().find_map(|node| match &node.step {
            Step::Rank(weights) => *weights,
            Step::Optimize(profile) => profile.found,
            _ => None,
        });
        weights.unwrap_or_default()
    }

    /// Weight profile and model it names.
    pub fn part_names(&self) -> (Option<&str>, Option<&str>) {
        let profile = self.nodes.iter().find_map(|node| match &node.step {
            Step::Optimize(profile) => Some(profile.reference.as_str()),
            _ => None,
        });
        let model = match self.score_method() {
            ScoreMethod::Model(model) => Some(model.reference.as_str()),
            _ => None,
        };
        (profile, model)
    }

    /// What it names and does not find.
    pub fn missing_parts(&self) -> Vec<String> {
        let missing = |node: &Node| match &node.step {
            Step::Score(ScoreMethod::Model(NamedModel { reference, found: None })) => {
                Some(format!("model `{reference}` not there or not active: propensity 0.5"))
            }
            Step::Optimize(Profile { reference, found: None }) => Some(format!(
                "weight profile `{reference}` not there or not active: default weights"
            )),
            _ => None,
        };
        self.nodes.iter().filter_map(missing).collect()
    }

    /// True when the flow has a step of this type.
    pub fn has(&self, type_name: &str) -> bool {
        self.nodes.iter().any(|node| node.step.type_name() == type_name)
    }
}

impl Weights {
    /// What is wrong with the weights.
    pub fn fault(&self) -> Option<String> {
        let all = [self.propensity, self.relevance, self.impact, self.emphasis, self.uplift];
        if all.iter().any(|weight| !weight.is_finite() || *weight < 0.0 || *weight > 1000.0) {
            return Some("each weight must be 0 to 1000".to_owned());
        }
        // Without an uplift model U is left out: the others must carry the rank.
        let carried: f64 = all.iter().take(4).sum();
        (carried <= 0.0).then(|| "at least one of Wp, Wr, Wi, We must be greater than 0".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(steps: &[(&str, Step)], expected: &[&str]) {
        let nodes = steps
            .iter()
            .map(|(id, step)| Node { id: (*id).to_owned(), step: step.clone() })
            .collect();
        let faults: Vec<_> = Flow { nodes }.faults().into_iter().map(|fault| fault.1).collect();
        assert_eq!(faults, expected, "{steps:?}");
    }

    fn inventory() -> (&'static str, Step) {
        ("inv", Step::Inventory(Vec::new()))
    }

    fn enrich() -> (&'static str, Step) {
        ("enr", Step::Enrich("Customer".into()))
    }

    const OUT: (&str, Step) = ("out", Step::Response);

    #[test]
    fn compute_may_stand_on_either_side_of_qualify() {
        check(&[inventory(), enrich(), ("c", Step::Compute), ("q", Step::Qualify), OUT], &[]);
        check(&[inventory(), enrich(), ("q", Step::Qualify), ("c", Step::Compute), OUT], &[]);
    }

    #[test]
    fn a_wrong_order_names_the_node() {
        let score = ("s", Step::Score(ScoreMethod::Propensity));
        let rank = ("r", Step::Rank(None));
        check(&[inventory(), rank, score, OUT], &["node `s`: `score` must stand before `rank`"]);
        check(
            &[inventory(), ("q", Step::Qualify), enrich(), OUT],
            &["node `enr`: `enrich` must stand before `qualify`"],
        );
        check(
            &[enrich(), inventory(), OUT],
            &[
                "the first node must be of type `inventory`",
                "node `inv`: `inventory` must stand before `enrich`",
            ],
        );
        check(
            &[inventory()],
            &["holds 1 nodes; it must hold 2 to 50", "the last node must be of type `response`"],
        );
    }

    #[test]
    fn every_step_has_its_place() {
        let filter = || ("f", Step::Filter(Vec::new()));
        let how = CreativeMatch { is_required: true, placement: PlacementMatch::Any };
        let creatives = || ("m", Step::MatchCreatives(how));
        let optimize = || ("o", Step::Optimize(Profile { reference: "p".into(), found: None }));
        let score = || ("s", Step::Score(ScoreMethod::Propensity));
        check(
            &[
                inventory(),
                enrich(),
                filter(),
                creatives(),
                score(),
                optimize(),
                ("r", Step::Rank(None)),
                OUT,
            ],
            &[],
        );
        check(
            &[inventory(), enrich(), score(), filter(), creatives(), OUT],
            &[
                "node `f`: `filter` must stand before `score`",
                "node `m`: `match_creatives` must stand before `score`",
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
        let score = || ("s", Step::Score(ScoreMethod::Propensity));
        let optimize = || ("o", Step::Optimize(Profile { reference: "p".into(), found: None }));
        check(
            &[inventory(), score(), optimize(), ("r", Step::Rank(Some(Weights::default()))), OUT],
            &["node `r` names weights, and `optimize` takes them from a profile: give one of them"],
        );
    }

    #[test]
    fn ids_and_types_stand_once() {
        check(&[inventory(), ("inv", Step::Response)], &["the id `inv` is used twice"]);
        check(
            &[inventory(), enrich(), ("e2", Step::Enrich("X".into())), OUT],
            &["node `e2`: a second `enrich`"],
        );
    }

    #[test]
    fn qualify_needs_a_record() {
        check(
            &[inventory(), ("q", Step::Qualify), OUT],
            &["node `q` needs a node of type `enrich` before it"],
        );
    }

    #[test]
    fn weights_must_carry_the_rank() {
        assert_eq!(Weights::default().fault(), None);
        assert!(Weights { propensity: f64::NAN, ..Weights::default() }.fault().is_some());
        let uplift_only =
            Weights { propensity: 0.0, relevance: 0.0, impact: 0.0, emphasis: 0.0, uplift: 1.0 };
        assert!(uplift_only.fault().is_some());
    }
}
