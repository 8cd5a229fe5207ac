//! All policies evaluated for one customer, and the verdict on each candidate.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::{DateTime, Utc};

use super::{Case, PolicyVerdict, Refusal, Scrutiny, Verdict};
use crate::domain::{
    contact_policy::ContactPolicy,
    facts::{Facts, Subject},
    local_time::LocalTime,
    question::Candidate,
    refusal::ReasonCode,
    rule::{
        finding::{Evaluation, Finding},
        ground::Evidence,
    },
    wall_hours::Opening,
};

/// Every policy with its evaluation.
pub(super) struct Evaluations<'a> {
    policies: Vec<(&'a ContactPolicy, Box<dyn Evaluation + 'a>)>,
    time: &'a LocalTime<'a>,
    /// When contact is allowed under the hours of the policies of these indexes.
    openings: BTreeMap<Vec<usize>, Opening>,
}

/// A policy that looks at a candidate.
struct Look<'a> {
    policy: &'a ContactPolicy,
    found: Finding,
    /// The stronger policy that lifts its refusal.
    lifted_by: Option<&'a str>,
}

impl<'a> Evaluations<'a> {
    /// Opens every policy; those about hours only when somebody is contacted.
    pub fn open(case: &Case<'a>, facts: &'a Facts, time: &'a LocalTime<'a>) -> Self {
        let evidence = Evidence {
            facts,
            fields: case.fields,
            zones: time.zones(),
            at: case.at,
            is_slot_held: case.scrutiny == Scrutiny::SlotHeld,
        };
        let binds =
            |policy: &&ContactPolicy| case.channel.is_some() || !policy.kind.is_about_hours();
        let policies = case.configuration.policies.iter().filter(binds);
        let policies = policies.map(|policy| (policy, policy.open(evidence))).collect();
        Self { policies, time, openings: BTreeMap::new() }
    }

    /// A candidate got a slot.
    pub fn reserve(&mut self, subject: &Subject, until: DateTime<Utc>) {
        for (policy, evaluation) in &mut self.policies {
            if policy.scope.matches(subject) {
                evaluation.reserve(subject, until);
            }
        }
    }

    /// The first instant that quiet hours allow together with the hours of some candidate; quiet
    /// hours alone when there is no candidate.
    pub fn first_opening(&mut self) -> Opening {
        let time = self.time;
        let first = self.openings.values().copied().min_by_key(|opening| match opening {
            Opening::Now => (0, None),
            Opening::At(at) => (1, Some(*at)),
            Opening::Beyond => (2, None),
        });
        first.unwrap_or_else(|| time.opening(std::iter::empty()))
    }

    pub fn verdict(&mut self, candidate: &Candidate, subject: &Subject) -> Verdict {
        let in_scope = |policy: &ContactPolicy| policy.scope.matches(subject);
        let overrides = self
            .policies
            .iter()
            .map(|(policy, _)| *policy)
            .filter(|policy| policy.kind.lifts() && in_scope(policy));
        // The strongest, of equals the first id.
        let strongest_override = overrides.min_by_key(|policy| Reverse(policy.priority));
        let (mut looks, mut timed) = (Vec::new(), Vec::new());
        for (index, (policy, evaluation)) in self.policies.iter_mut().enumerate() {
            if !in_scope(policy) {
                continue;
            }
            let Some(found) = evaluation.finding(subject) else { continue };
            let stronger = strongest_override
                .filter(|lifting| policy.kind.yields() && lifting.priority > policy.priority);
            if stronger.is_none() && evaluation.hours().is_some() {
                timed.push(index);
            }
            let lifted_by =
                stronger.filter(|_| found.refusal.is_some()).map(|lifting| lifting.id.as_str());
            looks.push(Look { policy, found, lifted_by });
        }
        let opening = self.opening(timed);
        let (refusal, summary) = self.strongest(&looks, opening);
        let policies = looks.into_iter().map(Look::verdict).collect();
        Verdict { offer_id: candidate.offer_id.clone(), refusal, summary, policies }
    }

    /// When contact is allowed under the hours of some policies.
    fn opening(&mut self, timed: Vec<usize>) -> Opening {
        if let Some(opening) = self.openings.get(&timed) {
            return *opening;
        }
        let hours = timed.iter().filter_map(|index| self.policies.get(*index)?.1.hours());
        let opening = self.time.opening(hours);
        self.openings.insert(timed, opening);
        opening
    }

    /// The strongest refusal, and the short form.
    fn strongest(&self, looks: &[Look<'_>], opening: Opening) -> (Option<Refusal>, String) {
        let not_lifted = looks.iter().filter(|look| look.lifted_by.is_none());
        let refusing =
            not_lifted.filter_map(|look| Some((look.policy, look.found.refusal.as_ref()?)));
        // Looks come by id, and the first of equals is taken: what is about time, then the highest
        // priority, then the first id.
        let strongest = refusing
            .min_by_key(|(policy, (code, _))| (!code.is_about_time(), Reverse(policy.priority)));
        let Some((policy, (code, text))) = strongest else {
            let counting = looks.iter().find_map(|look| look.found.passed.clone());
            return (None, counting.unwrap_or_else(|| "passed (no policy)".to_owned()));
        };
        let mut refusal = Refusal::new(*code, format!("contact policy {}: {text}", policy.name));
        if *code == ReasonCode::TimeWindow {
            refusal.reason.push_str(&self.time.until_text(opening));
            refusal.deliver_after = self.time.deliver_after(opening);
        }
        (Some(refusal), text.clone())
    }
}

impl Look<'_> {
    fn verdict(self) -> PolicyVerdict {
        PolicyVerdict {
            policy_id: self.policy.id.clone(),
            rule_type: self.policy.kind.name(),
            is_passed: self.found.refusal.is_none() || self.lifted_by.is_some(),
            counted: self.found.counted,
            reserved: self.found.reserved,
            limit: self.found.limit,
            window_seconds: self.found.window_seconds,
            next_allowed_at: self.found.next_allowed_at,
            lifted_by: self.lifted_by.map(str::to_owned),
        }
    }
}
