//! Nodes that leave out candidates one by one, compiled. A flow with a sieve meets every candidate
//! of the groups that qualify.

use std::sync::Arc;

use super::match_creatives::Creatives;
use crate::domain::{
    candidate::Candidate, creative::ReadyCreative, facts::Facts, reason::Reason, tally::SIEVES_MAX,
};

/// What a compiled sieve does.
pub(super) trait Sifts {
    /// Whether the offer of this number goes on.
    fn passes(&self, offer: u32, candidate: &Candidate, facts: &Facts<'_>) -> bool;

    /// Why an offer does not.
    fn refusal(&self, candidate: &Candidate, facts: &Facts<'_>) -> String;

    /// The code of that refusal.
    fn reason(&self) -> Reason;

    /// What the offer says, when this sieve chooses creatives.
    fn creative(&self, _offer: u32, _facts: &Facts<'_>) -> Option<&Arc<ReadyCreative>> {
        None
    }
}

macro_rules! sieves {
    ($($Sieve:ident),*) => {
        /// A node that leaves out candidates one by one, compiled for the offers of a catalog.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each is documented in the file of its node")]
        pub enum Sieve { $($Sieve($Sieve)),* }

        impl Sieve {
            /// Whether the offer of this number goes on.
            #[inline]
            pub(crate) fn passes(
                &self,
                offer: u32,
                candidate: &Candidate,
                facts: &Facts<'_>,
            ) -> bool {
                match self { $(Self::$Sieve(sieve) => sieve.passes(offer, candidate, facts)),* }
            }

            /// Why an offer does not go on.
            pub(crate) fn refusal(&self, candidate: &Candidate, facts: &Facts<'_>) -> String {
                match self { $(Self::$Sieve(sieve) => sieve.refusal(candidate, facts)),* }
            }

            /// The code of that refusal.
            pub(crate) fn reason(&self) -> Reason {
                match self { $(Self::$Sieve(sieve) => sieve.reason()),* }
            }

            /// What the offer says, when this sieve chooses creatives.
            pub(crate) fn creative(
                &self,
                offer: u32,
                facts: &Facts<'_>,
            ) -> Option<&Arc<ReadyCreative>> {
                match self { $(Self::$Sieve(sieve) => sieve.creative(offer, facts)),* }
            }
        }

        // The tally has room for all of them.
        const _: () = assert!([$(stringify!($Sieve)),*].len() <= SIEVES_MAX);
    };
}

sieves!(Creatives);
