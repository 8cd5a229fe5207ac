//! The nodes of a flow: one file per type, listed in one table here. A node's file holds its
//! settings, its place in the order, what else it needs, how many candidates it leaves, and for a
//! sieve which candidates those are. The oracle has its own version of each (`oracle/node.rs`).

mod compute;
mod contact_policy;
mod enrich;
mod filter;
mod inventory;
mod match_creatives;
mod optimize;
mod qualify;
mod rank;
mod response;
mod score;
mod sieve;

pub use compute::Compute;
pub use contact_policy::ContactPolicy;
pub use enrich::{DEFAULT_SCHEMA, Enrich};
pub use filter::{FILTERS_MAX, Filter};
pub use inventory::{CATEGORIES_MAX, Inventory};
pub use match_creatives::{MatchCreatives, no_creative};
pub use optimize::Optimize;
pub use qualify::Qualify;
pub use rank::Rank;
pub use response::Response;
pub use score::Score;
pub use sieve::Sieve;

use crate::domain::{candidate::Candidate, snapshot::Catalog, tally::Tally};

/// What each type of node says about itself.
pub(crate) trait NodeType {
    /// Its place: it comes after all nodes of a lower one. `None`: anywhere between the first and
    /// the last.
    fn order(&self) -> Option<u8>;

    /// Another type of node that the flow must have as well.
    fn needs(&self) -> Option<Need> {
        None
    }

    /// What is wrong with it beside the other nodes; `has` says whether there is one of a type.
    fn conflict(&self, _has: &dyn Fn(&str) -> bool) -> Option<&'static str> {
        None
    }

    /// What it names and does not find, and what is used instead.
    fn missing(&self) -> Option<String> {
        None
    }

    /// Candidates after it, when it is no sieve.
    fn left(&self, entered: usize, _tally: &Tally) -> usize {
        entered
    }

    /// True when it leaves out candidates one by one.
    fn is_sieve(&self) -> bool {
        false
    }

    /// The sieve it compiles to, for offers in this order.
    fn sieve(&self, _offers: &[&Candidate], _catalog: &Catalog) -> Option<Sieve> {
        None
    }
}

/// A node that another needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A node of this type before it.
    Before(&'static str),
    /// A node of this type after it.
    After(&'static str),
}

/// The settings of one type of node.
pub trait Settings: Sized {
    /// The settings when the step is of this type.
    fn of(step: &Step) -> Option<&Self>;
}

macro_rules! nodes {
    ($($Node:ident is $type_name:literal,)*) => {
        /// What a node does.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Step {
            $(
                #[doc = concat!("A node of type `", $type_name, "`.")]
                $Node($Node),
            )*
        }

        impl Step {
            /// The types that flows may have.
            pub const TYPE_NAMES: &'static [&'static str] = &[$($type_name),*];

            /// The type as it is written in a flow.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$Node(_) => $type_name),* }
            }

            pub(crate) fn node_type(&self) -> &dyn NodeType {
                match self { $(Self::$Node(node) => node),* }
            }
        }

        $(
            impl Settings for $Node {
                fn of(step: &Step) -> Option<&Self> {
                    match step {
                        Step::$Node(node) => Some(node),
                        _ => None,
                    }
                }
            }

            impl From<$Node> for Step {
                fn from(node: $Node) -> Self {
                    Self::$Node(node)
                }
            }
        )*
    };
}

nodes! {
    Inventory is "inventory",
    Enrich is "enrich",
    Compute is "compute",
    Qualify is "qualify",
    ContactPolicy is "contact_policy",
    Filter is "filter",
    MatchCreatives is "match_creatives",
    Score is "score",
    Optimize is "optimize",
    Rank is "rank",
    Response is "response",
}
