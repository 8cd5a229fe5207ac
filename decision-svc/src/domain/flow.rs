//! Decision flows: which steps there are and in which order they may stand.

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
    /// Estimates how likely the customer responds.
    Score(ScoreMethod),
    /// Orders the offers.
    Rank(Weights),
    /// Answers.
    Response,
}

/// How a step scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScoreMethod {
    /// Learned response propensity; 0.5 without data.
    Propensity,
    /// The offer's priority.
    Priority,
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
            Self::Score(_) => "score",
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
            Self::Score(_) => 3,
            Self::Rank(_) => 4,
            // Verdicts do not depend on the other steps: the mark may stand anywhere between first and last.
            Self::ContactPolicy => u8::MAX,
            Self::Response => 5,
        }
    }
}

impl Flow {
    /// Faults of the order and number of steps: (index of the node, what is wrong).
    pub fn faults(&self) -> Vec<(Option<usize>, String)> {
        let mut faults = Vec::new();
        let nodes = &self.nodes;
        if nodes.len() < 2 || nodes.len() > NODES_MAX {
            faults.push((None, format!("holds {} nodes; it must hold 2 to {NODES_MAX}", nodes.len())));
        }
        if nodes.first().is_some_and(|first| !matches!(first.step, Step::Inventory(_))) {
            faults.push((Some(0), "the first node must be of type `inventory`".to_owned()));
        }
        if nodes.last().is_some_and(|last| last.step != Step::Response) {
            faults.push((Some(nodes.len() - 1), "the last node must be of type `response`".to_owned()));
        }
        let mut highest: Option<&Node> = None;
        for (index, node) in nodes.iter().enumerate() {
            if node.id.is_empty() || node.id.chars().count() > 63 || node.id.chars().any(char::is_control) {
                faults.push((Some(index), "the id must have 1 to 63 characters".to_owned()));
            }
            let earlier = nodes.iter().take(index);
            if earlier.clone().any(|other| other.id == node.id) {
                faults.push((Some(index), format!("the id `{}` is used twice", node.id)));
            }
            if earlier.clone().any(|other| other.step.type_name() == node.step.type_name()) {
                faults.push((Some(index), format!("node `{}`: a second `{}`", node.id, node.step.type_name())));
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
            let needed = match node.step {
                Step::Compute | Step::Qualify => "enrich",
                Step::Rank(_) => "score",
                _ => continue,
            };
            if !has(needed) {
                faults.push((Some(index), format!("node `{}` needs a node of type `{needed}` before it", node.id)));
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
        let nodes = steps.iter().map(|(id, step)| Node { id: (*id).to_owned(), step: step.clone() }).collect();
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
        let rank = ("r", Step::Rank(Weights::default()));
        check(&[inventory(), rank, score, OUT], &["node `s`: `score` must stand before `rank`"]);
        check(
            &[inventory(), ("q", Step::Qualify), enrich(), OUT],
            &["node `enr`: `enrich` must stand before `qualify`"],
        );
        check(
            &[enrich(), inventory(), OUT],
            &["the first node must be of type `inventory`", "node `inv`: `inventory` must stand before `enrich`"],
        );
        check(&[inventory()], &["holds 1 nodes; it must hold 2 to 50", "the last node must be of type `response`"]);
    }

    #[test]
    fn ids_and_types_stand_once() {
        check(&[inventory(), ("inv", Step::Response)], &["the id `inv` is used twice"]);
        check(&[inventory(), enrich(), ("e2", Step::Enrich("X".into())), OUT], &["node `e2`: a second `enrich`"]);
    }

    #[test]
    fn qualify_needs_a_record() {
        check(&[inventory(), ("q", Step::Qualify), OUT], &["node `q` needs a node of type `enrich` before it"]);
    }

    #[test]
    fn weights_must_carry_the_rank() {
        assert_eq!(Weights::default().fault(), None);
        assert!(Weights { propensity: f64::NAN, ..Weights::default() }.fault().is_some());
        let uplift_only = Weights { propensity: 0.0, relevance: 0.0, impact: 0.0, emphasis: 0.0, uplift: 1.0 };
        assert!(uplift_only.fault().is_some());
    }
}
