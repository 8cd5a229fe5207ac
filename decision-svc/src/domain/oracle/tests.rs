//! The compiled flow against the oracle, on random catalogs, flows and customers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use formula::{Moment, rule::Literal};

use super::{
    OracleFlow, plan as planned_slowly,
    random::{Dice, NOW, NUMBERS, WORDS, catalog, customer, metrics, respelled, rule, surface},
};
use crate::domain::{
    compile::CompiledFlow,
    creative::PlacementMatch,
    effect::{EffectModel, Effects},
    evaluate::Customer,
    facts::Facts,
    flow::{Flow, Node},
    min_uplift::MinUplift,
    plan::{Plan, Ranked, Wanted, apply},
    rank::Weights,
    reason::Reason,
    responses::{Count, Responses, category_key},
    score::{
        Engagement, FoundModel, Logistic, ModelKind, NamedModel, OnlineScorer, PropensitySource,
        ScoreMethod, Segment, Term, Uplift,
    },
    scratch::Workspace,
    step::{
        Enrich, Filter, Inventory, MatchCreatives, Optimize, Qualify, Rank, Response, Score, Step,
    },
};

/// Catalogs, each with a flow and several customers.
pub(super) const CASES: u64 = 10_000;
const CUSTOMERS: usize = 4;

/// Categories that flows take, by name and by id.
const WANTED: [&str; 6] = ["Apparel", "Home", "Toys", "Unstored", "cat_home", ""];

/// Scores of flows; some give nothing for some, some no number for any.
const SCORES: [&str; 8] = [
    "age / 100",
    "offer.priority / 100 * coalesce(metrics.clicks, 1)",
    "minimum / 10",
    "isMember ? 0.9 : 0.1",
    "1 / (1 + exp(-clamp(0.5 + 0.1 * value + (tier == 'gold' ? 1 : 0), -700, 700)))",
    "metrics.clicks / metrics.spent",
    "offer.name",
    "null",
];

/// A model over some of the fields, an attribute and a metric.
fn logistic(dice: &mut Dice) -> Logistic {
    let names = ["age", "customer.spent", "attributes.cart", "metrics.clicks", "value", "minimum"];
    let term = |dice: &mut Dice| {
        let is_category = dice.one_in(3);
        Term {
            field: if is_category { "tier" } else { *dice.pick(&names) }.to_owned(),
            coefficient: *dice.pick(&NUMBERS[..8]) / 100.0,
            equals: is_category.then(|| Literal::String((*dice.pick(&WORDS)).to_owned())),
            when_missing: dice.one_in(2).then_some(1.0),
        }
    };
    Logistic { intercept: -0.5, terms: dice.many(3, term) }
}

pub(super) fn flow(dice: &mut Dice) -> Flow {
    let wanted = if dice.one_in(2) {
        Vec::new()
    } else {
        dice.many(3, |dice| {
            let name = *dice.pick(&WANTED);
            respelled(dice, name)
        })
    };
    let weight = |dice: &mut Dice| dice.below(4) as f64 / 4.0;
    let weights = Weights {
        propensity: weight(dice),
        relevance: weight(dice),
        impact: weight(dice),
        emphasis: weight(dice),
        uplift: weight(dice),
    };
    let scored = |dice: &mut Dice| (*dice.pick(&SCORES)).to_owned();
    let method = match dice.below(5) {
        0 => ScoreMethod::Priority,
        1 => ScoreMethod::Formula(scored(dice)),
        2 => {
            let found = (!dice.one_in(4)).then(|| FoundModel {
                title: "model `M` (decision:3)".to_owned(),
                revision: 3,
                kind: ModelKind::Logistic(logistic(dice)),
            });
            ScoreMethod::Model(NamedModel { reference: "M".to_owned(), found })
        }
        _ => ScoreMethod::Propensity,
    };
    let mut steps: Vec<(&str, Step)> =
        vec![("inv", Inventory { categories: wanted }.into()), ("enr", Enrich::default().into())];
    if !dice.one_in(8) {
        steps.push(("qual", Qualify.into()));
    }
    if dice.one_in(3) {
        let rules = (0..dice.below(2) + 1).map(|_| rule(dice, 1)).collect();
        steps.push(("filter", Filter { rules }.into()));
    }
    if dice.one_in(3) {
        let placement =
            *dice.pick(&[PlacementMatch::Any, PlacementMatch::Exact, PlacementMatch::None]);
        let is_required = !dice.one_in(3);
        steps.push(("say", MatchCreatives { is_required, placement }.into()));
    }
    if !dice.one_in(4) {
        let value_e4 = (!dice.one_in(3)).then(|| *dice.pick(&[1, 100, 300]));
        let min_uplift = dice.one_in(2).then_some(MinUplift { value_e4 });
        steps.push(("score", Score { method, min_uplift }.into()));
        let is_profiled = dice.one_in(3);
        if is_profiled {
            let found = (!dice.one_in(4)).then_some(weights);
            steps.push(("opt", Optimize { reference: "winback".to_owned(), found }.into()));
        }
        let weights = (!is_profiled && !dice.one_in(4)).then_some(weights);
        let explores = dice.one_in(3);
        steps.push(("rank", Rank { weights, explores, learns_relevance: dice.one_in(3) }.into()));
    }
    steps.push(("out", Response.into()));
    let node = |(id, step): (&str, Step)| Node { id: id.to_owned(), step };
    Flow { nodes: steps.into_iter().map(node).collect(), ..Flow::default() }
}

/// Effect models of some categories, and what they say of a customer; sometimes none.
fn effects(dice: &mut Dice) -> (Arc<Effects>, Vec<Option<Uplift>>) {
    let mut models = Vec::new();
    let all = [
        ("model_all", "", false),
        ("model_home", "cat_home", false),
        ("model_rich", "", true),
        ("model_rich_home", "cat_home", true),
        ("model_shy", "", false),
    ];
    for (id, category_id, in_money) in all {
        if dice.one_in(2) {
            continue;
        }
        let is_shadow = id == "model_shy";
        let model = EffectModel::silent(id, category_id, in_money);
        models.push(Arc::new(EffectModel { is_shadow, ..model }));
    }
    let says = |dice: &mut Dice| {
        let effect = dice.below(9) as f64 / 100.0 - 0.04;
        (!dice.one_in(4)).then_some(Uplift {
            effect,
            interval: (effect - 0.01, effect + 0.01),
            helps: dice.below(100) as f64 / 100.0,
            baseline: 0.1,
            segment: Segment::Uncertain,
            model_revision: 9,
        })
    };
    let uplifts = models.iter().map(|_| says(dice)).collect();
    (Arc::new(Effects { revision: 9, models }), uplifts)
}

/// How customers responded, to some offers; sometimes nothing is known.
fn responses(dice: &mut Dice, compiled: &CompiledFlow) -> Option<Responses> {
    if dice.one_in(2) {
        return None;
    }
    let mut responses = Responses::default();
    for offer in &compiled.offers {
        if !dice.one_in(3) {
            let contacts = dice.below(100);
            let positives = dice.below(contacts + 1) as u64;
            let count = Count { contacts: contacts as u64, positives };
            let candidate = &offer.candidate;
            let category = category_key(candidate);
            let place = (candidate.offer_id.as_str(), &*category, "");
            responses.replace(place, Count::default(), count);
        }
    }
    Some(responses)
}

/// How the customer responds on the channel; sometimes it is not known.
fn engagement(dice: &mut Dice) -> Option<Engagement> {
    let count = |dice: &mut Dice| Count { contacts: 9, positives: dice.below(9) as u64 };
    dice.one_in(2).then(|| Engagement {
        on_channel: count(dice),
        customer: count(dice),
        ..Engagement::default()
    })
}

/// What a record keeps of the responses that a plan used.
fn recorded(plan: &Plan, compiled: &CompiledFlow, responses: &Responses) -> Responses {
    let offers = plan.learned.iter().map(|number| &*compiled.offers[*number as usize].candidate);
    let categories: BTreeSet<_> = offers.clone().map(|it| category_key(it).into_owned()).collect();
    let categories = categories.into_iter().map(|it| {
        let count = responses.of_category(&it);
        (it, count)
    });
    let offers = offers.map(|it| (it.offer_id.clone(), responses.of_offer(&it.offer_id)));
    Responses::of(responses.total(), categories, offers)
}

/// Everything that may differ, scores by their bits.
macro_rules! spelled {
    ($plan:expr) => {{
        let ranked = $plan.ranked.iter().map(|ranked| {
            format!(
                "{:?} {:x} {:?} {} {:?} {} {} {:?} {:?}",
                ranked.candidate,
                ranked.score.to_bits(),
                ranked.factors,
                ranked.propensity_source,
                ranked.uplift,
                ranked.gate_probability,
                ranked.is_mandatory,
                ranked.creative,
                ranked.computed
            )
        });
        let stages = $plan.stages.iter().map(|stage| format!("{stage:?}"));
        let refused = $plan.refused.iter().map(|refused| format!("{refused:?}"));
        stages.chain(ranked).chain(refused).collect::<Vec<_>>()
    }};
}

/// What is recorded of the responses is enough to make the same plan again.
fn replays(plan: &Plan, compiled: &CompiledFlow, facts: &Facts<'_>, exclude_offers: &[String]) {
    let Some(responses) = facts.responses else { return };
    let kept = recorded(plan, compiled, responses);
    let facts = Facts { responses: Some(&kept), ..*facts };
    let all = Wanted { exclude_offers, ranked_max: usize::MAX, refused_max: usize::MAX };
    let again = apply(compiled, &facts, &all, &mut Workspace::default());
    assert_eq!(spelled!(again), spelled!(plan), "{facts:?}");
}

/// Counts what a plan has of each kind.
fn meet(plan: &Plan, met: &mut BTreeMap<String, usize>) {
    let mut add = |kind: &str, count: usize| *met.entry(kind.to_owned()).or_insert(0) += count;
    for (reason, count) in &plan.refused_by_reason {
        add(reason.as_str(), *count);
    }
    add("ranked", plan.ranked_in_all);
    let mut many = |kind: &str, is_it: &dyn Fn(&Ranked) -> bool| {
        add(kind, plan.ranked.iter().filter(|ranked| is_it(ranked)).count());
    };
    many("uplift", &|ranked| ranked.uplift.is_some());
    many("explored", &|ranked| ranked.gate_probability < 1.0);
    many("learned", &|it| matches!(it.propensity_source, PropensitySource::Counted(_)));
    many("drawn", &|it| matches!(it.propensity_source, PropensitySource::Drawn(_)));
    // Offers whose category is found only when the space around its name is left out.
    many("spaced", &|it| it.category.trim() != it.category && !it.category_id.is_empty());
}

/// One catalog and flow, several customers; counts what was met.
fn check(seed: u64, workspace: &mut Workspace, met: &mut BTreeMap<String, usize>) {
    let dice = &mut Dice(seed);
    let (catalog, flow) = (catalog(dice), flow(dice));
    let (effects, uplifts) = effects(dice);
    let mut slow = OracleFlow::compile(flow.clone(), &catalog);
    slow.effects = effects.clone();
    let compiled = CompiledFlow::compile_with(flow, ("flow_f", "F", 1), &catalog, effects);
    for _ in 0..CUSTOMERS {
        let (record, attributes) = customer(dice);
        let moment = Moment::new(
            NOW.parse().unwrap(),
            *dice.pick(&[chrono_tz::UTC, chrono_tz::Europe::Paris]),
        );
        let (metrics, surface) = (metrics(dice), surface(dice));
        let (record, attributes, metrics, surface) = (&record, &attributes, &metrics, &surface);
        let uplifts = &uplifts;
        let (moment, responses) = (&moment, responses(dice, &compiled));
        let (responses, customer_id) = (responses.as_ref(), &*format!("c{}", dice.below(20)));
        let drawn_by = (!dice.one_in(3)).then_some(seed);
        let (engagement, online) = (engagement(dice), online(dice));
        let facts = Facts {
            record,
            attributes,
            metrics,
            surface,
            moment,
            uplifts,
            responses,
            customer_id,
            flow_id: "flow_f",
            online,
            seed: drawn_by,
            engagement,
        };
        let excluded = dice.many(2, |dice| format!("off_{:02}", dice.below(16)));
        let expected = planned_slowly(&slow, &facts, &excluded);
        let all =
            Wanted { exclude_offers: &excluded, ranked_max: usize::MAX, refused_max: usize::MAX };
        let got = apply(&compiled, &facts, &all, workspace);
        assert_eq!(
            spelled!(got),
            spelled!(expected),
            "seed {seed}: {catalog:#?} {facts:?} {excluded:?}"
        );
        replays(&got, &compiled, &facts, &excluded);
        let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
        expected
            .refused
            .iter()
            .for_each(|refused| *counts.entry(refused.reason_code).or_insert(0) += 1);
        assert_eq!(got.refused_by_reason, counts, "seed {seed}");
        let few = Wanted { ranked_max: 2, refused_max: 1, ..all };
        let some = apply(&compiled, &facts, &few, workspace);
        assert_eq!(
            (some.ranked_in_all, &some.refused_by_reason),
            (expected.ranked.len(), &counts),
            "seed {seed}"
        );
        let first = |plan: &Plan| {
            plan.ranked.iter().take(2).map(|ranked| ranked.offer_id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            (first(&some), some.ranked.len()),
            (first(&got), got.ranked.len().min(2)),
            "seed {seed}"
        );
        assert_eq!(
            some.refused,
            got.refused.iter().take(1).cloned().collect::<Vec<_>>(),
            "seed {seed}"
        );
        let Workspace { record: taken_in, scratch } = &mut *workspace;
        compiled.take_in(facts.record, taken_in);
        let subject = Customer { facts: &facts, record: taken_in };
        let mut evaluate = || compiled.evaluate(&subject, &excluded, 2, scratch);
        assert_eq!(evaluate(), evaluate(), "the record is taken in once, seed {seed}");
        meet(&got, met);
    }
    assert_eq!(compiled.fields_read, slow.fields_read(), "seed {seed}");
}

#[test]
fn a_compiled_flow_decides_what_the_oracle_decides() {
    let (mut workspace, mut met) = (Workspace::default(), BTreeMap::new());
    for seed in 0..CASES {
        check(seed, &mut workspace, &mut met);
    }
    println!("{met:?}");
    // A comparison of nothings would prove nothing.
    for reason in [
        "ranked",
        "spaced",
        "uplift",
        "learned",
        "not_worth_it",
        "not_qualified",
        "rule_invalid",
        "excluded",
        "not_ranked",
    ] {
        assert!(met.get(reason).is_some_and(|count| *count as u64 > CASES / 10), "{met:?}");
    }
    assert!(met["explored"] as u64 > CASES / 500, "{met:?}");
}

#[test]
fn what_other_flows_left_in_a_workspace_changes_no_plan() {
    let mut shared = Workspace::default();
    for seed in 0..CASES / 10 {
        let dice = &mut Dice(seed);
        let (catalog, flow) = (catalog(dice), flow(dice));
        let compiled = CompiledFlow::compile(flow, "flow_f", "F", 1, &catalog);
        let (record, attributes) = customer(dice);
        let moment = Moment::new(NOW.parse().unwrap(), chrono_tz::UTC);
        let facts = Facts::of_record(&record, &attributes, &moment);
        let all = Wanted { exclude_offers: &[], ranked_max: usize::MAX, refused_max: usize::MAX };
        let plan = |workspace: &mut Workspace| apply(&compiled, &facts, &all, workspace);
        let (used, fresh) = (plan(&mut shared), plan(&mut Workspace::default()));
        assert_eq!(spelled!(used), spelled!(fresh), "seed {seed}");
    }
}

/// An online model with the features of a customer.
fn online(dice: &mut Dice) -> Option<OnlineScorer> {
    dice.one_in(3).then(|| OnlineScorer {
        version: 3,
        shift: *dice.pick(&[-0.4, 0.0, 1.5]),
        slope: *dice.pick(&[-0.5, 0.25]),
        is_used: !dice.one_in(3),
    })
}
