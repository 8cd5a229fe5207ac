//! `rank`: orders the candidates. Those without a score leave here.

use super::{Need, NodeType};
use crate::domain::{rank::Weights, tally::Tally};

/// How candidates are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rank {
    /// The weights; those of the flow's profile, or the default ones, when it names none.
    pub weights: Option<Weights>,
    /// By propensities that are drawn: Thompson sampling.
    pub explores: bool,
    /// Relevance is learned from the customer's responses on the channel.
    pub learns_relevance: bool,
}

impl NodeType for Rank {
    fn order(&self) -> Option<u8> {
        Some(70)
    }

    fn needs(&self) -> Option<Need> {
        Some(Need::Before("score"))
    }

    fn conflict(&self, has: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        let message = "has weights, and `optimize` takes them from a profile: give one of them";
        (self.weights.is_some() && has("optimize")).then_some(message)
    }

    fn left(&self, _: usize, tally: &Tally) -> usize {
        tally.ranked
    }
}
