//! The plan of a case: which offers the customer qualifies for, and in which order, before
//! policy-svc judges them.

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

use formula::{program::Datum, rule::Refusal};

use crate::domain::{
    candidate::Candidate,
    case::{Case, Detail},
    compile::{Causes, CompiledFlow, CompiledOffer, Program, Unfit},
    creative::ReadyCreative,
    effect::EffectModel,
    evaluate::Customer,
    facts::Facts,
    flow::Node,
    rank::Factors,
    reason::Reason,
    scalar::{Fields, Scalar},
    score::{OnlineEstimate, PropensitySource, Uplift},
    scratch::{Exception, Scratch, Workspace},
    step::Sieve,
    tally::Tally,
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
    /// Numbers, in their order, of the offers whose propensity was learned from responses.
    pub learned: Vec<u32>,
}

/// An offer a customer qualifies for. Dereferences to the candidate it is.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// What does not depend on the customer.
    pub candidate: Arc<Candidate>,
    /// The rank score.
    pub score: f64,
    /// The factors of the score.
    pub factors: Factors,
    /// Where the propensity comes from.
    pub propensity_source: PropensitySource,
    /// What the online model says; none where the flow learns none.
    pub online: Option<OnlineEstimate>,
    /// Effect of contact; none without an uplift model.
    pub uplift: Option<Uplift>,
    /// The probability with which the flow's gate lets customer and offer pass.
    pub gate_probability: f64,
    /// The model that says so.
    pub effect_model: Option<Arc<EffectModel>>,
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

/// Plans a decision; nothing when the customer's record is missing. What an earlier plan left in
/// the workspace has no effect.
pub fn plan(case: &Case, workspace: &mut Workspace) -> Plan {
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
    let (flow, facts) = (&case.configuration.flow, case.inputs());
    let uplifts = flow.uplifts(&case.question.customer_id, &facts, workspace);
    let online = flow.online_scorer(case.facts.online.as_deref(), &facts, workspace);
    apply(flow, &Facts { uplifts: &uplifts, online, ..facts }, &wanted, workspace)
}

/// Applies a flow to facts.
pub fn apply(
    compiled: &CompiledFlow,
    facts: &Facts<'_>,
    wanted: &Wanted<'_>,
    Workspace { record, scratch }: &mut Workspace,
) -> Plan {
    compiled.take_in(facts.record, record);
    let customer = &Customer { facts, record };
    let tally = compiled.evaluate(customer, wanted.exclude_offers, wanted.ranked_max, scratch);
    Plan {
        stages: stages(compiled, &tally),
        ranked: ranked(compiled, customer, scratch),
        ranked_in_all: tally.ranked,
        refused: refused(compiled, customer, wanted.refused_max, scratch),
        refused_by_reason: refused_by_reason(compiled, &tally),
        notes: compiled.flow.missing_parts(),
        learned: compiled.learned_offers(customer, scratch),
    }
}

fn stages(compiled: &CompiledFlow, tally: &Tally) -> Vec<Stage> {
    let mut left = compiled.offers_in_all;
    // INVARIANT: sieves come after the flow's own rules and before the ranking. A node that needs
    // no sieve for these offers leaves out none, and is the last that could have one.
    let (mut passing, mut sifted) = (tally.let_through(), tally.sifted.iter());
    let stage = |node: &Node| {
        let (entered, node_type) = (left, node.step.node_type());
        left = if node_type.is_sieve() {
            passing -= sifted.next().copied().unwrap_or_default();
            passing
        } else {
            node_type.left(entered, tally)
        };
        Stage { node: node.id.clone(), type_name: node.step.type_name(), entered, left }
    };
    compiled.flow.nodes.iter().map(stage).collect()
}

fn refused_by_reason(compiled: &CompiledFlow, tally: &Tally) -> BTreeMap<Reason, usize> {
    let counts = [
        (Reason::Excluded, tally.excluded),
        (Reason::NotScheduled, tally.closed),
        (Reason::RuleInvalid, tally.invalid),
        (Reason::RuleTooCostly, tally.costly),
        (Reason::NotQualified, tally.not_qualified),
        (Reason::Filtered, tally.filtered),
        (Reason::NotRanked, tally.not_ranked()),
    ];
    let sieves = compiled.sieves.iter().map(Sieve::reason).zip(tally.sifted);
    let mut by_reason = BTreeMap::new();
    for (reason, count) in counts.into_iter().chain(sieves).filter(|(_, count)| *count > 0) {
        *by_reason.entry(reason).or_insert(0) += count;
    }
    by_reason
}

fn ranked(compiled: &CompiledFlow, customer: &Customer<'_>, scratch: &mut Scratch) -> Vec<Ranked> {
    let best = std::mem::take(&mut scratch.best);
    let mut shown: BTreeMap<u32, Arc<Fields>> = BTreeMap::new();
    let ranked = best.iter().filter_map(|best| {
        let CompiledOffer { candidate, program } = compiled.offers.get(best.offer())?;
        let program = program.as_ref().ok()?;
        // Offers of one category mostly share their computed fields.
        let computed = shown
            .entry(program.shown)
            .or_insert_with(|| Arc::new(computed(compiled, program, customer, scratch)));
        let computed = computed.clone();
        let estimate = compiled.estimate(candidate, program, customer, scratch);
        let factors = compiled.factors(&estimate, candidate, (program, best.matching), customer);
        Some(Ranked {
            candidate: candidate.clone(),
            score: best.score(),
            factors: if best.is_mandatory {
                CompiledFlow::factors_of_mandatory(factors)
            } else {
                factors
            },
            propensity_source: compiled.propensity_source(candidate, customer),
            online: compiled.online_estimate(candidate, customer),
            uplift: estimate.uplift,
            gate_probability: compiled.gate_probability(best.place.offer, customer),
            effect_model: compiled.effect_model(program, estimate.uplift.as_ref()),
            is_mandatory: best.is_mandatory,
            creative: compiled.creative(best.place.offer, customer).cloned(),
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
    customer: &Customer<'_>,
    scratch: &mut Scratch,
) -> Fields {
    let mut fields = Fields::new();
    for shown in
        compiled.shown.get(program.shown as usize).map(|shown| &**shown).unwrap_or_default()
    {
        let datum = compiled.fill(shown.register, customer, scratch).datum();
        let value = compiled
            .constants
            .texts(customer.record, &scratch.memory)
            .value(datum, &|_| String::new());
        if let Some(value) = Scalar::shown(&value) {
            fields.insert(shown.name.clone(), value);
        }
    }
    fields
}

fn refused(
    compiled: &CompiledFlow,
    customer: &Customer<'_>,
    most: usize,
    scratch: &mut Scratch,
) -> Vec<Refused> {
    let (mut refused, mut failures) = (Vec::new(), Failures::new());
    for (offer, index) in compiled.offers.iter().zip(0..) {
        if refused.len() >= most {
            break;
        }
        refused.extend(refusal_of(compiled, (offer, index), customer, scratch, &mut failures));
    }
    refused
}

/// Why an offer is not ranked.
fn refusal_of(
    compiled: &CompiledFlow,
    (offer, index): (&CompiledOffer, u32),
    customer: &Customer<'_>,
    scratch: &mut Scratch,
    failures: &mut Failures,
) -> Option<Refused> {
    let candidate = &offer.candidate;
    let refusal = |code: Reason, reason: String| {
        Refused::unranked(&candidate.offer_id, &candidate.name, code, reason)
    };
    let failed = |code: Reason, failed: Refusal| {
        Refused::failed(&candidate.offer_id, &candidate.name, code, failed)
    };
    let mut failure = |code: Reason, rules: &[u32], scratch: &mut Scratch| {
        failed(code, first_failure(compiled, rules, customer, scratch, failures))
    };
    let sifted = |sieve: usize| {
        let sieve = compiled.sieves.get(sieve)?;
        Some(refusal(sieve.reason(), sieve.refusal(index, candidate, customer.facts)))
    };
    match (scratch.exception(index), &offer.program) {
        (Some(Exception::Excluded), _) => {
            return Some(refusal(Reason::Excluded, "excluded by the request".to_owned()));
        }
        (Some(Exception::Closed), _) => {
            return Some(refusal(
                Reason::NotScheduled,
                candidate.schedule.obstacle(customer.facts.moment.now).unwrap_or_default(),
            ));
        }
        (Some(Exception::Mandatory), _) => return None,
        (Some(Exception::MandatoryFiltered), Ok(program)) => {
            return Some(failure(Reason::Filtered, &program.filters, scratch));
        }
        (Some(Exception::MandatorySifted(sieve)), _) => return sifted(sieve),
        (Some(Exception::MandatoryFiltered) | None, _) => {}
    }
    let program = match &offer.program {
        Ok(program) => program,
        Err(unfit) => {
            let Unfit { code, why } = unfit;
            return Some(refusal(*code, format!("its rules cannot be applied: {why}")));
        }
    };
    match compiled.qualifies(program, scratch) {
        None => {
            return Some(failure(Reason::NotQualified, &program.rules, scratch));
        }
        Some(false) => return Some(failure(Reason::Filtered, &program.filters, scratch)),
        Some(true) => {}
    }
    if let Some(sieve) = compiled.sifted_by(index, customer) {
        return sifted(sieve);
    }
    if compiled.place(index, program, customer, scratch).is_none() {
        return Some(refusal(Reason::NotRanked, no_score(compiled, program, customer, scratch)));
    }
    None
}

/// Why an offer has no score.
fn no_score(
    compiled: &CompiledFlow,
    program: &Program,
    customer: &Customer<'_>,
    scratch: &mut Scratch,
) -> String {
    let mut inputs = compiled.inputs.get(program.inputs).iter();
    let missing =
        inputs.find_map(|register| match compiled.fill(*register, customer, scratch).datum() {
            Datum::Null(why) => Some(why),
            _ => None,
        });
    match missing {
        Some(why) => {
            let causes = Causes { compiled, facts: customer.facts };
            format!("its score is not a number: {}", causes.text(why))
        }
        None => "its score is not a number".to_owned(),
    }
}

/// By number of the rule: why it is not true. Many offers may fail by one rule, and it is judged
/// once.
type Failures = BTreeMap<u32, Refusal>;

/// The first of these rules that is not true.
fn first_failure(
    compiled: &CompiledFlow,
    rules: &[u32],
    customer: &Customer<'_>,
    scratch: &mut Scratch,
    failures: &mut Failures,
) -> Refusal {
    let failing = rules.iter().find(|rule| !compiled.is_true(**rule, customer, scratch));
    let Some(number) = failing else { return Refusal::default() };
    if let Some(known) = failures.get(number) {
        return known.clone();
    }
    let Some(rule) = compiled.rules.get(*number as usize) else { return Refusal::default() };
    // INVARIANT: what the rule reads was filled when it was tested, in this evaluation or just now.
    for register in rule.reads() {
        compiled.fill(*register, customer, scratch);
    }
    let texts = compiled.constants.texts(customer.record, &scratch.memory);
    let causes = Causes { compiled, facts: customer.facts };
    let judged = rule.judge(scratch.inputs(customer.record), texts);
    let refusal = judged.refusal(texts, &|why| causes.text(why));
    failures.insert(*number, refusal.clone());
    refusal
}
