//! What a contact policy kind is: one file that implements [`PolicyKind`].

use std::{fmt, sync::Arc};

use super::{
    finding::Evaluation,
    ground::{Ground, Reads},
};
use crate::domain::scope::Scope;

/// A kind of contact policy with its settings, checked.
pub trait PolicyKind: fmt::Debug + Send + Sync {
    /// The name in REST and in `oneof rule` of the contract.
    fn name(&self) -> &'static str;

    /// The facts it judges by. [`Ground`] holds no others, so a judgment of recorded facts is the
    /// same as the original one.
    fn reads(&self) -> Reads<'_>;

    /// True when a stronger `allow_override` lifts its refusals. Consent, quiet hours, outcomes and
    /// caps never yield.
    fn yields(&self) -> bool {
        false
    }

    /// True when it says at which hours a customer may be contacted; nothing of it holds when
    /// nobody is contacted.
    fn is_about_hours(&self) -> bool {
        false
    }

    /// Judges one customer. The clock and the customer's zones are always known.
    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a>;

    /// True when it lifts refusals of weaker policies instead of refusing.
    fn lifts(&self) -> bool {
        false
    }

    /// The scope that binds, given the written one. A cap counts exactly what it refuses: if it
    /// counted more, contacts that it does not refuse would fill it beyond its limit.
    fn scope(&self, written: Scope) -> Scope {
        written
    }

    /// What its settings refer to: kinds, and names as written.
    fn refers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// The same with ids in place of names that are bound to one; none for kinds that refer to
    /// nothing. `meant` says what a kind and a name mean.
    fn bound(&self, _meant: &dyn Fn(&str, &str) -> String) -> Option<Arc<dyn PolicyKind>> {
        None
    }

    /// What is wrong with the written scope: a part that the kind would ignore.
    fn scope_fault(&self, _written: &Scope) -> Option<&'static str> {
        None
    }
}
