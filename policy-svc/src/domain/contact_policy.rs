//! A contact policy: its id, scope, priority and kind of rule.

use std::sync::Arc;

use super::{
    Faults,
    rule::{
        finding::Evaluation,
        ground::{Evidence, Ground},
        kind::PolicyKind,
        unreadable::Unreadable,
    },
    scope::Scope,
};

/// Strength of a policy that does not say.
pub const PRIORITY_DEFAULT: i32 = 50;
/// Greatest strength.
pub const PRIORITY_MAX: i32 = 100;

/// A contact policy as judged.
#[derive(Clone, Debug)]
pub struct ContactPolicy {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The revision it was written at.
    pub revision: i64,
    /// Only active ones are judged.
    pub is_active: bool,
    /// The refusal of the highest priority is shown, of equals that of the first id.
    pub priority: i32,
    /// What it looks at and refuses.
    pub scope: Scope,
    /// What it demands.
    pub kind: Arc<dyn PolicyKind>,
}

/// A contact policy as written, unchecked, without its rule.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the fields of the resource")]
pub struct PolicyDraft<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub revision: i64,
    pub is_active: bool,
    pub scope: &'a str,
    pub priority: Option<i32>,
}

impl ContactPolicy {
    /// A policy of this kind, or all its faults.
    pub fn parse(
        draft: &PolicyDraft<'_>,
        kind: Result<Arc<dyn PolicyKind>, Faults>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        if let Err(text) = Scope::parse(draft.scope) {
            faults.push(("scope".to_owned(), text));
        }
        let priority = draft.priority.unwrap_or(PRIORITY_DEFAULT);
        if !(0..=PRIORITY_MAX).contains(&priority) {
            let text = format!("is {priority}; it must be 0 to {PRIORITY_MAX}");
            faults.push(("priority".to_owned(), text));
        }
        match kind {
            Ok(kind) if faults.is_empty() => Ok(Self::of(draft, kind)),
            kind => {
                faults.extend(kind.err().unwrap_or_default());
                Err(faults)
            }
        }
    }

    /// A stored policy that this version cannot read. It refuses everything in its scope, or
    /// everything when not even the scope can be read.
    pub fn unreadable(draft: &PolicyDraft<'_>) -> Self {
        Self::of(draft, Arc::new(Unreadable))
    }

    fn of(draft: &PolicyDraft<'_>, kind: Arc<dyn PolicyKind>) -> Self {
        Self {
            id: draft.id.to_owned(),
            name: draft.name.to_owned(),
            revision: draft.revision,
            is_active: draft.is_active,
            priority: draft.priority.unwrap_or(PRIORITY_DEFAULT),
            scope: kind.scope(Scope::parse(draft.scope).unwrap_or_default()),
            kind,
        }
    }

    /// Judges one customer by the part of the evidence that the kind reads.
    pub fn open<'a>(&'a self, evidence: Evidence<'a>) -> Box<dyn Evaluation + 'a> {
        self.kind.open(Ground::new(&self.id, &self.scope, self.kind.reads(), evidence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::{budget::Budget, cooldown::Cooldown};

    const SEED: PolicyDraft<'_> = PolicyDraft {
        id: "pol_1",
        name: "Winback 3-touch cap, 30-day window",
        revision: 1,
        is_active: true,
        scope: "category:Apparel,Electronics,Home",
        priority: None,
    };

    fn kind(window_hours: i32) -> Result<Arc<dyn PolicyKind>, Faults> {
        Cooldown::parse(window_hours).map(|kind| Arc::new(kind) as Arc<dyn PolicyKind>)
    }

    #[test]
    fn the_seeds_policy_is_taken() {
        let policy = ContactPolicy::parse(&SEED, kind(24)).unwrap();
        assert_eq!((policy.priority, policy.kind.name()), (50, "cooldown"));
    }

    #[test]
    fn every_fault_is_told_with_its_path() {
        let draft = PolicyDraft { scope: "kategory:A", priority: Some(101), ..SEED };
        let kind = Budget::parse(1, None, None).map(|kind| Arc::new(kind) as Arc<dyn PolicyKind>);
        let faults = ContactPolicy::parse(&draft, kind).unwrap_err();
        let paths: Vec<_> = faults.into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["scope", "priority", "budget.max_contacts"]);
    }

    #[test]
    fn a_stored_policy_that_cannot_be_read_refuses() {
        let policy = ContactPolicy::unreadable(&PolicyDraft { scope: "planet:mars", ..SEED });
        assert_eq!((policy.kind.name(), policy.scope), ("unreadable", Scope::default()));
    }
}
