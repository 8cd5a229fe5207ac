//! Which offers a customer qualifies for and in which order, before policy is asked.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use formula::{program::Datum, rule::Refusal};

use crate::domain::{
    case::{Case as DecisionCase, Detail},
    compile::{Candidate, CompiledFlow, CompiledOffer, Facts, Program, Told},
    creative::ReadyCreative,
    evaluate::{Case, Tally},
    flow::Step,
    rank::Factors,
    reason::Reason,
    scalar::{Fields, Scalar},
    scratch::{Aside, Scratch},
    trace::{Refused, Stage},
};

/// Ranked offers that an answer needs: as many as policy-svc judges; lower ones are outranked.
pub const RANKED_MAX: usize = 500;
/// Refused candidates that an answer lists when it is asked to.
pub const REFUSED_MAX: usize = 500;

/// What a plan lists.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Offers not to propose.
    pub exclude_offers: &'a [String],
    /// Ranked offers at most; the others are counted.
    pub ranked_max: usize,
    /// Refused offers at most; the others are counted.
    pub refused_max: usize,
}

/// Offers in ranking order and what became of the others.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Candidates through each step.
    pub stages: Vec<Stage>,
    /// Best first; the lowest may be left out.
    pub ranked: Vec<Ranked>,
    /// Ranked offers in all.
    pub ranked_in_all: usize,
    /// The others, by offer id, as many as were wanted.
    pub refused: Vec<Refused>,
    /// How many were refused, by reason code.
    pub refused_by_reason: BTreeMap<Reason, usize>,
    /// What the flow names and does not find.
    pub notes: Vec<String>,
}

/// An offer a customer qualifies for. Reads as the candidate it is.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// What does not depend on the customer.
    pub candidate: Arc<Candidate>,
    /// The rank score.
    pub score: f64,
    /// The factors of the score.
    pub factors: Factors,
    /// Where the propensity comes from.
    pub propensity_source: Arc<str>,
    /// It ranks above the others regardless of its factors.
    pub is_mandatory: bool,
    /// Its creative, when the flow matches creatives and one fits.
    pub creative: Option<Arc<ReadyCreative>>,
    /// The computed fields.
    pub computed: Arc<Fields>,
}

impl Deref for Ranked {
    type Target = Candidate;

    fn deref(&self) -> &Candidate {
        &self.candidate
    }
}

impl Plan {
    /// Offers refused in all.
    pub fn refused_in_all(&self) -> usize {
        self.refused_by_reason.values().sum()
    }
}

/// Plans a decision; nothing when the customer's record is missing.
pub fn plan(case: &DecisionCase) -> Plan {
    if case.obstacle().is_some() {
        return Plan::default();
    }
    let (ranked_max, refused_max) = match case.detail {
        Detail::Answer if case.question.is_explained => (RANKED_MAX, REFUSED_MAX),
        Detail::Answer => (RANKED_MAX, 0),
        Detail::Everything => (usize::MAX, usize::MAX),
    };
    let exclude_offers = &case.question.exclude_offers;
    let wanted = Wanted { exclude_offers, ranked_max, refused_max };
    apply(&case.configuration.flow, &case.inputs(), &wanted)
}

/// Applies a flow to facts.
pub fn apply(compiled: &CompiledFlow, facts: &Facts<'_>, wanted: &Wanted<'_>) -> Plan {
    let (mut record, mut scratch) = compiled.spares.take();
    compiled.take_in(facts.record, &mut record);
    let case = &Case { facts, record: &record };
    let tally = compiled.evaluate(case, wanted.exclude_offers, wanted.ranked_max, &mut scratch);
    let plan = Plan {
        stages: stages(compiled, &tally),
        ranked: ranked(compiled, case, &mut scratch),
        ranked_in_all: tally.ranked,
        refused: refused(compiled, case, wanted.refused_max, &mut scratch),
        refused_by_reason: refused_by_reason(&tally),
        notes: compiled.flow.missing_parts(),
    };
    compiled.spares.give_back((record, scratch));
    plan
}

fn stages(compiled: &CompiledFlow, tally: &Tally) -> Vec<Stage> {
    let mut count = compiled.offers_in_all;
    let mut stages = Vec::with_capacity(compiled.flow.nodes.len());
    let let_through = tally.qualified - tally.filtered;
    for node in &compiled.flow.nodes {
        let entered = count;
        count = match node.step {
            Step::Inventory(_) => compiled.offers.len() - tally.closed,
            Step::Qualify => tally.qualified,
            Step::Filter(_) => let_through,
            Step::MatchCreatives(_) => let_through - tally.without_creative,
            Step::Rank(_) => tally.ranked,
            _ => entered,
        };
        stages.push(Stage {
            node: node.id.clone(),
            type_name: node.step.type_name(),
            entered,
            left: count,
        });
    }
    stages
}

fn refused_by_reason(tally: &Tally) -> BTreeMap<Reason, usize> {
    let counts = [
        (Reason::Excluded, tally.excluded),
        (Reason::NotScheduled, tally.closed),
        (Reason::RuleInvalid, tally.invalid),
        (Reason::NotQualified, tally.not_qualified),
        (Reason::Filtered, tally.filtered),
        (Reason::NoCreative, tally.without_creative),
        (
            Reason::NotRanked,
            tally.qualified - tally.filtered - tally.without_creative - tally.ranked,
        ),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn ranked(compiled: &CompiledFlow, case: &Case<'_>, scratch: &mut Scratch) -> Vec<Ranked> {
    let best = std::mem::take(&mut scratch.best);
    let mut shown: BTreeMap<u32, Arc<Fields>> = BTreeMap::new();
    let ranked = best.iter().filter_map(|best| {
        let CompiledOffer { candidate, program } = compiled.offers.get(best.offer())?;
        let program = program.as_ref().ok()?;
        // Offers of one category mostly share their computed fields.
        let computed = shown
            .entry(program.shown)
            .or_insert_with(|| Arc::new(computed(compiled, program, case, scratch)));
        let computed = computed.clone();
        let factors = compiled.factors(best.place.offer, program, best.holding, case, scratch)?;
        Some(Ranked {
            candidate: candidate.clone(),
            score: best.score(),
            factors: if best.is_mandatory {
                CompiledFlow::factors_of_mandatory(factors)
            } else {
                factors
            },
            propensity_source: compiled.scoring.source.clone(),
            is_mandatory: best.is_mandatory,
            creative: compiled.creative(best.place.offer, case).cloned(),
            computed,
        })
    });
    let ranked = ranked.collect();
    scratch.best = best;
    ranked
}

fn computed(
    compiled: &CompiledFlow,
    program: &Program,
    case: &Case<'_>,
    scratch: &mut Scratch,
) -> Fields {
    let mut fields = Fields::new();
    for shown in
        compiled.shown.get(program.shown as usize).map(|shown| &**shown).unwrap_or_default()
    {
        let datum = compiled.fill(shown.register, case, scratch).datum();
        let value =
            compiled.constants.texts(case.record, &scratch.memory).value(datum, &|_| String::new());
        if let Some(value) = Scalar::shown(&value) {
            fields.insert(shown.name.clone(), value);
        }
    }
    fields
}

fn refused(
    compiled: &CompiledFlow,
    case: &Case<'_>,
    most: usize,
    scratch: &mut Scratch,
) -> Vec<Refused> {
    let mut refused = Vec::new();
    for (offer, index) in compiled.offers.iter().zip(0..) {
        if refused.len() >= most {
            break;
        }
        refused.extend(refusal_of(compiled, offer, index, case, scratch));
    }
    refused
}

/// Why an offer is not ranked.
fn refusal_of(
    compiled: &CompiledFlow,
    offer: &CompiledOffer,
    index: u32,
    case: &Case<'_>,
    scratch: &mut Scratch,
) -> Option<Refused> {
    let candidate = &offer.candidate;
    let refusal = |code: Reason, reason: String| {
        Refused::unranked(&candidate.offer_id, &candidate.name, code, reason)
    };
    let failed = |code: Reason, failed: Refusal| {
        Refused::failed(&candidate.offer_id, &candidate.name, code, failed)
    };
    let filters = |program: &Program, scratch: &mut Scratch| {
        failed(Reason::Filtered, first_failure(compiled, &program.filters, case, scratch))
    };
    let without_creative = || refusal(Reason::NoCreative, no_creative(case.facts));
    match (scratch.aside(index), &offer.program) {
        (Some(Aside::Excluded), _) => {
            return Some(refusal(Reason::Excluded, "excluded by the request".to_owned()));
        }
        (Some(Aside::Closed), _) => {
            return Some(refusal(
                Reason::NotScheduled,
                candidate.schedule.obstacle(case.facts.moment.now).unwrap_or_default(),
            ));
        }
        (Some(Aside::Mandatory), _) => return None,
        (Some(Aside::MandatoryFiltered), Ok(program)) => return Some(filters(program, scratch)),
        (Some(Aside::MandatoryWithoutCreative), _) => return Some(without_creative()),
        (Some(Aside::MandatoryFiltered) | None, _) => {}
    }
    let program = match &offer.program {
        Ok(program) => program,
        Err(why) => {
            return Some(refusal(
                Reason::RuleInvalid,
                format!("its rules cannot be applied: {why}"),
            ));
        }
    };
    match compiled.qualifies(program, scratch) {
        None => {
            return Some(failed(
                Reason::NotQualified,
                first_failure(compiled, &program.rules, case, scratch),
            ));
        }
        Some(false) => return Some(filters(program, scratch)),
        Some(true) => {}
    }
    if compiled.lacks_creative(index, case) {
        return Some(without_creative());
    }
    if compiled.place(index, program, case, scratch).is_none() {
        return Some(refusal(Reason::NotRanked, no_score(compiled, program, case, scratch)));
    }
    None
}

/// Why an offer has nothing to say.
pub(super) fn no_creative(facts: &Facts<'_>) -> String {
    let channel = facts
        .surface
        .channel
        .as_ref()
        .map_or("no channel".to_owned(), |(id, _)| format!("channel `{id}`"));
    match facts.surface.placement.as_str() {
        "" => format!("no active creative for {channel}"),
        placement => format!("no active creative for {channel}, placement `{placement}`"),
    }
}

/// Why an offer has no score.
fn no_score(
    compiled: &CompiledFlow,
    program: &Program,
    case: &Case<'_>,
    scratch: &mut Scratch,
) -> String {
    let datum = program.score.map(|register| compiled.fill(register, case, scratch).datum());
    match datum {
        Some(Datum::Null(why)) => {
            let causes = Told { compiled, facts: case.facts };
            format!("its score is not a number: {}", causes.told(why))
        }
        _ => "its score is not a number".to_owned(),
    }
}

/// The first of these rules that does not hold.
fn first_failure(
    compiled: &CompiledFlow,
    rules: &[u32],
    case: &Case<'_>,
    scratch: &mut Scratch,
) -> Refusal {
    let failing = rules.iter().find(|rule| !compiled.holds(**rule, case, scratch));
    let rule = failing.and_then(|rule| compiled.rules.get(*rule as usize));
    let Some(rule) = rule else { return Refusal::default() };
    // INVARIANT: whatever the rule reads was filled when it was tested, in this evaluation or just
    // now.
    for register in rule.reads() {
        compiled.fill(*register, case, scratch);
    }
    let texts = compiled.constants.texts(case.record, &scratch.memory);
    let causes = Told { compiled, facts: case.facts };
    rule.judge(scratch.inputs(case.record), texts).refusal(texts, &|why| causes.told(why))
}
