//! The nodes of a flow: one file per type, listed in one table here. A node's file holds its
//! settings, its place in the order, what else it needs and how many candidates it leaves. A node
//! that tests candidates one by one compiles to a sieve, in the same file. The oracle has its own
//! version of each (`oracle/node.rs`).

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

use std::sync::Arc;

use crate::domain::{
    candidate::Candidate,
    creative::ReadyCreative,
    effect::Effects,
    facts::Facts,
    reason::Reason,
    snapshot::Catalog,
    tally::{SIEVES_MAX, Tally},
};
use match_creatives::Creatives;
use score::Gates;

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

    /// The sieve it compiles to; none when it can leave out nothing.
    fn sieve(&self, _ground: &Ground<'_>) -> Option<Sieve> {
        None
    }
}

/// What sieves are compiled for.
pub(crate) struct Ground<'a> {
    /// The offers, by number.
    pub offers: &'a [&'a Candidate],
    /// What may be offered.
    pub catalog: &'a Catalog,
    /// The flow's effect models.
    pub effects: &'a Arc<Effects>,
}

/// What a compiled sieve does. A flow with a sieve tests each candidate of the groups that qualify.
trait Sifts {
    /// Whether the offer of this number goes on.
    fn passes(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> bool;

    /// Why an offer does not.
    fn refusal(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> String;

    /// The code of that refusal.
    fn reason(&self) -> Reason;

    /// What the offer says, when this sieve chooses creatives.
    fn creative(&self, _offer: u32, _facts: &Facts<'_>) -> Option<&Arc<ReadyCreative>> {
        None
    }

    /// The probability with which customer and offer pass, when this sieve is drawn by lot.
    fn probability(&self, _offer: u32, _candidate: &Candidate, _facts: &Facts<'_>) -> f64 {
        1.0
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

macro_rules! sieves {
    ($($Sieve:ident),*) => {
        /// A node that tests candidates one by one, compiled for the offers of a catalog.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each is documented in the file of its node")]
        pub enum Sieve { $($Sieve($Sieve)),* }

        impl Sieve {
            /// Whether the offer of this number goes on. Runs for every candidate.
            #[inline]
            pub(crate) fn passes(
                &self,
                offer: u32,
                candidate: &Candidate,
                facts: &Facts<'_>,
            ) -> bool {
                match self { $(Self::$Sieve(sieve) => sieve.passes(offer, candidate, facts)),* }
            }

            fn sifts(&self) -> &dyn Sifts {
                match self { $(Self::$Sieve(sieve) => sieve),* }
            }
        }

        // The tally has room for all of them.
        const _: () = assert!([$(stringify!($Sieve)),*].len() <= SIEVES_MAX);
    };
}

sieves!(Creatives, Gates);

impl Sieve {
    /// Why an offer does not go on.
    pub(crate) fn refusal(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> String {
        self.sifts().refusal(offer, candidate, facts)
    }

    /// The code of that refusal.
    pub(crate) fn reason(&self) -> Reason {
        self.sifts().reason()
    }

    /// What the offer says, when this sieve chooses creatives.
    pub(crate) fn creative(&self, offer: u32, facts: &Facts<'_>) -> Option<&Arc<ReadyCreative>> {
        self.sifts().creative(offer, facts)
    }

    /// The probability with which customer and offer pass; 1 where nothing is drawn.
    pub(crate) fn probability(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> f64 {
        self.sifts().probability(offer, candidate, facts)
    }
}
