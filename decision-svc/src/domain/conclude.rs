//! The answer to a case, from its plan and what policy-svc judged.

use chrono::{DateTime, Utc};

use crate::domain::{
    case::{Case, HeldOut},
    explored::explore_probability,
    judgment::{Grant, Judgment, OfferVerdict, PolicyVerdict, Refusal},
    plan::{Plan, Ranked},
    reason::Reason,
    trace::Refused,
};

/// The note on a decision that contacts nobody.
pub const NOBODY_CONTACTED: &str =
    "nobody is contacted: consent, quiet hours and time windows are skipped";

/// A decided case.
#[derive(Clone, Debug)]
pub struct Conclusion {
    /// The plan it follows from.
    pub plan: Plan,
    /// What policy-svc judged; `None` when it was not asked or did not answer.
    pub judgment: Option<Judgment>,
    /// The answer.
    pub answer: Answer,
    /// What people should know about it.
    pub notes: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The offers.
    pub offers: Vec<Offered>,
    /// Why nothing, or less than asked.
    pub refusal: Option<Refusal>,
    /// First instant at which contact would be allowed, RFC 3339 with offset. The same in both
    /// arms.
    pub deliver_after: Option<String>,
    /// Offers a held-out customer would have received.
    pub ghosts: Vec<Offered>,
    /// The refusal that a held-out customer would have received.
    pub ghost_refusal: Option<Refusal>,
    /// When contact policies refuse every offer: when they would let one through. The same in both
    /// arms.
    pub next_allowed_at: Option<DateTime<Utc>>,
    /// Candidates refused by policy or outranked.
    pub refused: Vec<Refused>,
    /// Reason of the ranked offers that the plan does not list, and how many they are.
    pub unasked: Option<(Reason, usize)>,
    /// The probability with which the first offer, returned or not, came first; none where nothing
    /// is drawn. The same in both arms.
    pub explore_probability: Option<f64>,
    /// When the slots lapse.
    pub reserved_until: Option<DateTime<Utc>>,
    /// Slots of an earlier run that this one does not use.
    pub unused: Vec<Grant>,
    /// Offers policy let through.
    pub passed: usize,
    /// There is no offer because something could not be asked now. The same in both arms.
    pub is_passing: bool,
}

/// An offer in the answer.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The offer as ranked.
    pub ranked: Ranked,
    /// Its place, from 1.
    pub rank: i32,
    /// The contact verdict in short.
    pub contact_policy: String,
    /// Every policy that looked at it.
    pub policies: Vec<PolicyVerdict>,
}

/// Concludes a case. Without a judgment of ranked offers nothing is offered.
pub fn conclude(case: &Case, plan: Plan, judgment: Option<Judgment>) -> Conclusion {
    let answer = answer(case, &plan, judgment.as_ref());
    let notes = notes(case, &plan, judgment.as_ref());
    Conclusion { plan, judgment, answer, notes }
}

impl Answer {
    /// The offers in the answer, or those that it would have had.
    pub fn would_be_offers(&self) -> &[Offered] {
        if self.offers.is_empty() { &self.ghosts } else { &self.offers }
    }

    /// Ids of the offers that a held-out customer would have received.
    pub fn ghost_offers(&self) -> Vec<String> {
        self.ghosts.iter().map(|offered| offered.ranked.offer_id.clone()).collect()
    }

    /// The answer to a customer that an experiment holds out. A treated customer gets the same but
    /// for the offers, the reason and the slots: else callers would ask again for one arm only.
    fn held_out(self, held_out: &HeldOut) -> Self {
        let answer = Self {
            ghosts: self.offers,
            ghost_refusal: self.refusal,
            offers: Vec::new(),
            refusal: Some(holdout(&held_out.experiment_id)),
            reserved_until: None,
            ..self
        };
        match held_out.is_answered_alike {
            true => answer,
            false => Self { deliver_after: None, next_allowed_at: None, ..answer },
        }
    }
}

fn answer(case: &Case, plan: &Plan, judgment: Option<&Judgment>) -> Answer {
    if let Some(obstacle) = case.obstacle() {
        let is_passing = obstacle.reason_code.is_passing();
        return Answer { refusal: Some(obstacle.clone()), is_passing, ..Answer::default() };
    }
    if plan.ranked.is_empty() {
        return Answer { refusal: Some(nothing(plan)), ..Answer::default() };
    }
    let mut answer = match judgment {
        Some(judgment) => treated(plan, judgment, case.question.limit),
        None => unjudged(),
    };
    let first = answer.offers.first();
    answer.explore_probability =
        first.and_then(|first| explore_probability(case, plan, &first.ranked));
    match &case.facts.held_out {
        Some(held_out) => answer.held_out(held_out),
        None => answer,
    }
}

/// The answer while policy-svc does not judge.
fn unjudged() -> Answer {
    let reason = "contact policies cannot be checked now; nothing is offered";
    let refusal = Some(Refusal::new(Reason::PolicyUnavailable, reason));
    Answer { refusal, is_passing: true, ..Answer::default() }
}

/// The answer to a customer whom no experiment holds out.
fn treated(plan: &Plan, judgment: &Judgment, limit: usize) -> Answer {
    let passed = plan.ranked.iter().filter(|ranked| passes(judgment, ranked)).count();
    let mut answer = Answer { passed, ..Answer::default() };
    let chosen = chosen(plan, judgment, limit);
    let is_chosen = |id: &str| chosen.iter().any(|(ranked, _)| ranked.offer_id == id);
    let others = plan.ranked.iter().filter(|ranked| !is_chosen(&ranked.offer_id));
    answer.refused = others.map(|ranked| refused(judgment, ranked)).collect();
    answer.unasked = unasked(plan, judgment);
    answer.is_passing = chosen.is_empty() && is_passing(plan, judgment);
    if chosen.len() < limit {
        let first_refused = || plan.ranked.iter().find_map(|ranked| verdict(judgment, ranked));
        answer.refusal = judgment.refusal.clone().or_else(first_refused);
    }
    let refusal = answer.refusal.as_ref();
    answer.deliver_after = refusal.and_then(|refusal| refusal.deliver_after.clone());
    if chosen.is_empty() && judgment.refusal.is_none() {
        let verdicts = plan.ranked.iter().filter_map(|ranked| found(judgment, ranked));
        answer.next_allowed_at = verdicts.filter_map(OfferVerdict::next_allowed_at).min();
    }
    if let Some(grants) = &judgment.grants {
        let (used, unused): (Vec<_>, Vec<_>) =
            grants.iter().partition(|grant| is_chosen(&grant.offer_id));
        answer.unused = unused.into_iter().cloned().collect();
        answer.reserved_until = used.into_iter().map(|grant| grant.reserved_until).min();
    }
    answer.offers =
        chosen.into_iter().map(|(ranked, rank)| offered(judgment, ranked, rank)).collect();
    answer
}

/// Why the offers that policy-svc was not asked about are refused, and how many they are.
fn unasked(plan: &Plan, judgment: &Judgment) -> Option<(Reason, usize)> {
    let count = plan.ranked_in_all.saturating_sub(plan.ranked.len());
    let why = judgment.refusal.as_ref().map_or(Reason::Outranked, |refusal| refusal.reason_code);
    (count > 0).then_some((why, count))
}

fn offered(judgment: &Judgment, ranked: &Ranked, rank: i32) -> Offered {
    let verdict = found(judgment, ranked);
    Offered {
        ranked: ranked.clone(),
        rank,
        contact_policy: verdict.map(|verdict| verdict.summary.clone()).unwrap_or_default(),
        policies: policies(verdict),
    }
}

/// Granted offers under the ranks they are held by; without reservation the first that pass.
fn chosen<'a>(plan: &'a Plan, judgment: &Judgment, limit: usize) -> Vec<(&'a Ranked, i32)> {
    if let Some(grants) = &judgment.grants {
        let granted = |ranked: &'a Ranked| {
            grants
                .iter()
                .find(|grant| grant.offer_id == ranked.offer_id)
                .map(|grant| (ranked, grant.rank))
        };
        let mut chosen: Vec<_> = plan.ranked.iter().filter_map(granted).collect();
        chosen.sort_by_key(|(_, rank)| *rank);
        return chosen;
    }
    plan.ranked.iter().filter(|ranked| passes(judgment, ranked)).take(limit).zip(1..).collect()
}

fn passes(judgment: &Judgment, ranked: &Ranked) -> bool {
    let is_let_through = |verdict: &OfferVerdict| verdict.refusal.is_none();
    judgment.refusal.is_none() && found(judgment, ranked).is_some_and(is_let_through)
}

/// Whether policy could not judge the customer, or an offer, now.
fn is_passing(plan: &Plan, judgment: &Judgment) -> bool {
    let refusals = plan.ranked.iter().filter_map(|ranked| verdict(judgment, ranked));
    refusals.chain(judgment.refusal.clone()).any(|refusal| refusal.reason_code.is_passing())
}

fn verdict(judgment: &Judgment, ranked: &Ranked) -> Option<Refusal> {
    match found(judgment, ranked) {
        Some(verdict) => verdict.refusal.clone(),
        None => Some(Refusal::new(Reason::Outranked, "too many better offers were checked first")),
    }
}

fn found<'a>(judgment: &'a Judgment, ranked: &Ranked) -> Option<&'a OfferVerdict> {
    judgment.verdicts.iter().find(|verdict| verdict.offer_id == ranked.offer_id)
}

fn policies(verdict: Option<&OfferVerdict>) -> Vec<PolicyVerdict> {
    verdict.map(|verdict| verdict.policies.clone()).unwrap_or_default()
}

fn refused(judgment: &Judgment, ranked: &Ranked) -> Refused {
    let outranked = || Refusal::new(Reason::Outranked, "better offers filled the limit");
    let why =
        judgment.refusal.clone().or_else(|| verdict(judgment, ranked)).unwrap_or_else(outranked);
    Refused {
        offer_id: ranked.offer_id.clone(),
        name: ranked.name.clone(),
        reason_code: why.reason_code,
        reason: why.reason,
        rule: None,
        was_ranked: true,
        is_refused_by_policy: found(judgment, ranked)
            .is_some_and(|verdict| verdict.refusal.is_some()),
        policies: policies(found(judgment, ranked)),
    }
}

fn nothing(plan: &Plan) -> Refusal {
    let refused = plan.refused_in_all();
    if refused == 0 {
        return Refusal::new(Reason::NoCandidates, "the flow's inventory has no active offer");
    }
    let by_reason = &plan.refused_by_reason;
    if let Some(many) = by_reason.get(&Reason::NotWorthIt) {
        let message = match many {
            1 => "the offer that is left costs".to_owned(),
            _ => format!("each of the {many} offers that are left costs"),
        };
        let message = format!("contact would not pay: {message} more than contact can earn");
        return Refusal::new(Reason::NotWorthIt, message);
    }
    let message = if by_reason.keys().all(|reason| *reason == Reason::NotQualified) {
        format!("the customer qualifies for none of {refused} offers")
    } else {
        let each = by_reason.iter().map(|(reason, many)| format!("{many} {}", reason.as_str()));
        format!("none of {refused} offers is left: {}", each.collect::<Vec<_>>().join(", "))
    };
    Refusal::new(Reason::NothingQualified, message)
}

fn notes(case: &Case, plan: &Plan, judgment: Option<&Judgment>) -> Vec<String> {
    let mut notes = plan.notes.clone();
    let skewed = judgment.filter(|judgment| judgment.tz_version != chrono_tz::IANA_TZDB_VERSION);
    if let Some(judgment) = skewed {
        let version = &judgment.tz_version;
        notes.push(format!("quiet hours were evaluated with time zone database {version}"));
    }
    if !case.question.is_contact {
        notes.push(NOBODY_CONTACTED.to_owned());
    }
    notes
}

fn holdout(experiment: &str) -> Refusal {
    Refusal::new(Reason::Holdout, format!("customer is held out of experiment `{experiment}`"))
}
