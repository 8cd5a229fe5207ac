//! The oracle's compiler: resolves names and compiles formulas and rules, offer by offer.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use formula::{
    Cause, Formula, OutputType, Type, Value,
    rule::{CompiledRule, Literal, Operator, Rule, Trace, Verdict},
};

use crate::domain::{
    candidate::Candidate,
    compile::CHAIN_MAX,
    creative::{self, ReadyCreative},
    effect::Effects,
    facts::Facts,
    flow::Flow,
    metric::Metric,
    scalar::{Fields, Scalar},
    score::Input,
    snapshot::{Catalog, Category, Offer, folded, is_named},
    step::MatchCreatives,
};

/// A flow with the offers it considers.
#[derive(Debug)]
pub struct OracleFlow {
    /// The steps.
    pub flow: Flow,
    /// Active offers before the inventory chose.
    pub offers_in_all: usize,
    /// Active offers of the inventory, by id.
    pub offers: Vec<OracleOffer>,
    /// The models that say what contact changes.
    pub effects: Arc<Effects>,
}

/// An offer ready to be judged.
#[derive(Debug)]
pub struct OracleOffer {
    /// What the answer says about it.
    pub candidate: Candidate,
    /// What it may say.
    pub creatives: Vec<Arc<ReadyCreative>>,
    /// What to evaluate; or why its rules cannot be.
    pub program: Result<OracleProgram, String>,
}

/// Computed fields and rules of one offer.
#[derive(Debug, Default)]
pub struct OracleProgram {
    steps: Vec<ComputedStep>,
    /// All must be true.
    pub rules: Vec<OracleRule>,
    /// The flow's own; all must be true.
    pub filters: Vec<OracleRule>,
    /// The share that is true is the relevance.
    pub affinities: Vec<OracleRule>,
    inputs: Vec<(Formula, Origins)>,
}

/// A rule and where its names get their values.
#[derive(Debug)]
pub struct OracleRule {
    rule: CompiledRule,
    sources: Origins,
}

#[derive(Debug)]
struct ComputedStep {
    category_id: String,
    name: String,
    formula: Formula,
    output: Option<OutputType>,
    sources: Origins,
}

type Origins = BTreeMap<String, Origin>;

/// Where a name gets its value.
#[derive(Clone, Debug)]
enum Origin {
    Record(String, Type),
    Attribute(String, Type),
    /// An attribute of which only the presence matters.
    Presence(String),
    Metric(String),
    /// None is a value that the offer leaves out.
    Offer(Option<Scalar>, Type),
    Step(usize),
}

impl OracleFlow {
    /// Compiles `flow` for a catalog.
    pub fn compile(flow: Flow, catalog: &Catalog) -> Self {
        let wanted = flow.categories();
        let is_wanted = |offer: &&Arc<Offer>| {
            let reference = offer.category_reference();
            let stored = catalog.category(reference);
            wanted.is_empty()
                || wanted.iter().any(|wanted| match stored {
                    Some(stored) => is_named(wanted, &stored.id, &stored.name),
                    None => folded(wanted) == folded(reference),
                })
        };
        let is_lending = |category: &&Category| {
            category.is_active
                && (wanted.is_empty()
                    || wanted.iter().any(|name| is_named(name, &category.id, &category.name)))
        };
        let categories: Vec<&Category> = catalog.categories.values().filter(is_lending).collect();
        let empty = BTreeMap::new();
        let fields = catalog.schema(flow.schema()).map_or(&empty, |schema| &schema.fields);
        let active = || catalog.offers.values().filter(|offer| offer.is_active);
        let mut creatives = match flow.settings::<MatchCreatives>() {
            Some(_) => creative::ready(catalog),
            None => BTreeMap::new(),
        };
        let offers = active()
            .filter(is_wanted)
            .map(|offer| {
                let own = catalog.category(offer.category_reference());
                let own = own.filter(|category| category.is_active);
                let (metrics, steps, open) = (&catalog.metrics, Vec::new(), Vec::new());
                let program =
                    Builder { offer, own, categories: &categories, fields, metrics, steps, open };
                let bound = offer.category_id.as_str();
                let category_id = own.map_or(bound, |category| category.id.as_str());
                OracleOffer {
                    candidate: Candidate::new(offer, category_id),
                    creatives: creatives.remove(offer.id.as_str()).unwrap_or_default(),
                    program: program.build(&flow),
                }
            })
            .collect();
        Self { flow, offers_in_all: active().count(), offers, effects: Arc::default() }
    }

    /// Record fields that rules and formulas read.
    pub fn fields_read(&self) -> BTreeSet<String> {
        let programs = self.offers.iter().filter_map(|offer| offer.program.as_ref().ok());
        programs.flat_map(|program| program.fields_read().map(str::to_owned)).collect()
    }
}

impl OracleProgram {
    /// The computed fields' values, in order of dependence.
    pub fn compute(&self, facts: &Facts<'_>) -> Vec<Value> {
        let mut values = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let value = step
                .formula
                .evaluate(&|name| value_of(&step.sources, name, facts, &values), facts.moment);
            values.push(match step.output {
                Some(output) => output.coerce(value),
                None => value,
            });
        }
        values
    }

    /// What the flow's score reads.
    pub fn inputs(&self, facts: &Facts<'_>, computed: &[Value]) -> Vec<Value> {
        let value = |(formula, sources): &(Formula, Origins)| {
            formula.evaluate(&|name| value_of(sources, name, facts, computed), facts.moment)
        };
        self.inputs.iter().map(value).collect()
    }

    /// The computed values by field name.
    pub fn shown(&self, computed: &[Value]) -> Fields {
        let named = self.steps.iter().zip(computed);
        named.filter_map(|(step, value)| Some((step.name.clone(), Scalar::shown(value)?))).collect()
    }

    /// Record fields that rules and formulas read.
    pub fn fields_read(&self) -> impl Iterator<Item = &str> {
        self.sources().filter_map(|source| match source {
            Origin::Record(field, _) => Some(field.as_str()),
            _ => None,
        })
    }

    /// Keys of the metrics that rules and formulas read.
    pub fn metrics_read(&self) -> impl Iterator<Item = &str> {
        self.sources().filter_map(|source| match source {
            Origin::Metric(key) => Some(key.as_str()),
            _ => None,
        })
    }

    fn sources(&self) -> impl Iterator<Item = &Origin> {
        let rules = self
            .rules
            .iter()
            .chain(&self.filters)
            .chain(&self.affinities)
            .map(|rule| &rule.sources);
        let inputs = self.inputs.iter().map(|(_, sources)| sources);
        let all = self.steps.iter().map(|step| &step.sources).chain(rules).chain(inputs);
        all.flat_map(|sources| sources.values())
    }
}

impl OracleRule {
    /// Whether it is true, given the computed values.
    pub fn evaluate(&self, facts: &Facts<'_>, computed: &[Value]) -> Verdict {
        self.rule.evaluate(&|name, op| self.value(name, op, facts, computed))
    }

    /// What each part of it comes to, given the computed values.
    pub fn trace(&self, facts: &Facts<'_>, computed: &[Value]) -> Trace {
        self.rule.trace(&|name, op| self.value(name, op, facts, computed))
    }

    fn value(&self, name: &str, op: Operator, facts: &Facts<'_>, computed: &[Value]) -> Value {
        let presence = presence(name);
        let is_presence = matches!(op, Operator::Exists | Operator::NotExists);
        match self.sources.get(&presence).filter(|_| is_presence) {
            Some(Origin::Presence(key)) if !facts.attributes.contains_key(key) => {
                Value::Null(Cause::missing(name))
            }
            Some(_) => Value::Boolean(true),
            None => value_of(&self.sources, name, facts, computed),
        }
    }
}

/// The key of a name of which only the presence matters. No name has a space.
fn presence(name: &str) -> String {
    format!("presence of {name}")
}

fn value_of(sources: &Origins, name: &str, facts: &Facts<'_>, computed: &[Value]) -> Value {
    let missing = || Value::Null(Cause::missing(name));
    match sources.get(name) {
        Some(Origin::Record(field, declared)) => match facts.record.get(field) {
            Some(value) => value.typed(name, *declared),
            None => Value::Null(Cause::missing(&format!("customer.{field}"))),
        },
        Some(Origin::Attribute(key, declared)) => {
            facts.attributes.get(key).map_or_else(missing, |value| value.typed(name, *declared))
        }
        Some(Origin::Presence(key)) => {
            facts.attributes.get(key).map_or_else(missing, |_| Value::Boolean(true))
        }
        Some(Origin::Metric(key)) => {
            facts.metrics.get(key).map_or_else(missing, |value| Value::Number(*value))
        }
        Some(Origin::Offer(Some(value), declared)) => value.typed(name, *declared),
        Some(Origin::Step(index)) => computed.get(*index).cloned().unwrap_or_else(missing),
        Some(Origin::Offer(None, _)) | None => missing(),
    }
}

struct Builder<'a> {
    offer: &'a Offer,
    own: Option<&'a Category>,
    categories: &'a [&'a Category],
    fields: &'a BTreeMap<String, Type>,
    metrics: &'a BTreeMap<String, Metric>,
    steps: Vec<ComputedStep>,
    /// Computed fields being resolved, to spell out a cycle.
    open: Vec<(String, String)>,
}

impl Builder<'_> {
    fn build(mut self, flow: &Flow) -> Result<OracleProgram, String> {
        if let Some(own) = self.own {
            for field in &own.computed_fields {
                self.step(own, &field.name)?;
            }
        }
        let mut rules = Vec::new();
        for rule in &self.offer.rules {
            rules.push(self.rule(rule)?);
        }
        let mut filters = Vec::new();
        for rule in flow.filters() {
            filters.push(self.rule(rule).map_err(|why| format!("filter: {why}"))?);
        }
        let mut affinities = Vec::new();
        for (field, value) in &self.offer.affinities {
            let value = match value {
                Scalar::String(text) => Literal::String(text.clone()),
                Scalar::Boolean(is) => Literal::Boolean(*is),
                other => match other.number() {
                    Some(number) => number.into(),
                    None => {
                        return Err(format!(
                            "affinity on `{field}` must be a text, a number or a boolean"
                        ));
                    }
                },
            };
            let rule = Rule::Condition { field: field.clone(), op: Operator::Eq, value };
            affinities.push(self.rule(&rule)?);
        }
        let mut inputs = Vec::new();
        for input in flow.score_method().inputs() {
            inputs.push(self.input(&input).map_err(|why| format!("score: {why}"))?);
        }
        Ok(OracleProgram { steps: self.steps, rules, filters, affinities, inputs })
    }

    fn input(&mut self, input: &Input) -> Result<(Formula, Origins), String> {
        let (formula, sources) =
            self.formula(&input.formula, self.own, &|name| input.type_of(name))?;
        match formula.result_type() {
            None | Some(Type::Number | Type::Any) => Ok((formula, sources)),
            Some(other) => Err(format!("the formula gives a {other}, not a number")),
        }
    }

    fn formula(
        &mut self,
        text: &str,
        home: Option<&Category>,
        used_as: &dyn Fn(&str) -> Type,
    ) -> Result<(Formula, Origins), String> {
        let mut sources = Origins::new();
        let mut types = BTreeMap::new();
        for used in Formula::names(text).map_err(|error| error.to_string())? {
            let (source, of_type) = self.resolve(&used, home, used_as(&used))?;
            types.insert(used.clone(), of_type);
            sources.insert(used, source);
        }
        let formula = Formula::compile(text, &|used| types.get(used).copied());
        Ok((formula.map_err(|error| error.to_string())?, sources))
    }

    fn rule(&mut self, rule: &Rule) -> Result<OracleRule, String> {
        let mut sources = Origins::new();
        let mut types = BTreeMap::new();
        let mut open = vec![rule];
        while let Some(rule) = open.pop() {
            match rule {
                Rule::Condition { field, op, value } => {
                    let (source, of_type) = self.resolve(field, self.own, value.compared_type())?;
                    match (op, source) {
                        (Operator::Exists | Operator::NotExists, Origin::Attribute(key, _)) => {
                            // Whatever the attribute's type is elsewhere.
                            types.entry(field.clone()).or_insert(of_type);
                            sources.insert(presence(field), Origin::Presence(key));
                        }
                        (_, source) => {
                            types.insert(field.clone(), of_type);
                            sources.insert(field.clone(), source);
                        }
                    }
                }
                Rule::All(rules) | Rule::Any(rules) => open.extend(rules),
                Rule::Not(rule) => open.push(rule),
            }
        }
        let compiled =
            CompiledRule::compile(rule, &|name| types.get(name).copied()).map_err(|faults| {
                let all: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
                all.join("; ")
            });
        Ok(OracleRule { rule: compiled?, sources })
    }

    /// Where `name` comes from, seen from the category `home`; an attribute has the type it is used
    /// with.
    fn resolve(
        &mut self,
        name: &str,
        home: Option<&Category>,
        used_as: Type,
    ) -> Result<(Origin, Type), String> {
        let unknown = || format!("`{name}` is not declared");
        if let Some(field) = name.strip_prefix("customer.") {
            let declared = *self.fields.get(field).ok_or_else(unknown)?;
            return Ok((Origin::Record(field.to_owned(), declared), declared));
        }
        if let Some(key) = name.strip_prefix("attributes.") {
            return Ok((Origin::Attribute(key.to_owned(), used_as), used_as));
        }
        if let Some(key) = name.strip_prefix("metrics.") {
            self.metrics.get(key).ok_or_else(unknown)?;
            return Ok((Origin::Metric(key.to_owned()), Type::Number));
        }
        if let Some(field) = name.strip_prefix("offer.") {
            return self.offer_field(field).ok_or_else(unknown);
        }
        let declares =
            |category: &Category| category.computed_fields.iter().any(|field| field.name == name);
        if let Some(home) = home.filter(|home| declares(home)) {
            return self.step(home, name);
        }
        if let Some(value) = self.offer.custom_fields.get(name) {
            let of_type = value.own_type().ok_or_else(|| format!("`{name}` is a list"))?;
            return Ok((Origin::Offer(Some(value.clone()), of_type), of_type));
        }
        if let Some(declared) = self.fields.get(name) {
            return Ok((Origin::Record(name.to_owned(), *declared), *declared));
        }
        let lenders: Vec<&Category> =
            self.categories.iter().copied().filter(|category| declares(category)).collect();
        let field = |category: &Category| {
            category.computed_fields.iter().find(|field| field.name == name).cloned()
        };
        match lenders.as_slice() {
            [] => Err(unknown()),
            [first, rest @ ..] if rest.iter().all(|other| field(other) == field(first)) => {
                self.step(first, name)
            }
            [first, ..] => Err(format!(
                "`{name}` is computed differently in `{}` and other categories",
                first.name
            )),
        }
    }

    fn offer_field(&self, field: &str) -> Option<(Origin, Type)> {
        let (value, of_type) = self.offer.field(field)?;
        Some((Origin::Offer(value, of_type), of_type))
    }

    /// The step that computes `name` of `category`, added after all it needs.
    fn step(&mut self, category: &Category, name: &str) -> Result<(Origin, Type), String> {
        let is_it = |step: &ComputedStep| step.category_id == category.id && step.name == name;
        if let Some(index) = self.steps.iter().position(is_it) {
            let of_type = self.steps.get(index).and_then(type_of_step).unwrap_or(Type::Number);
            return Ok((Origin::Step(index), of_type));
        }
        let key = (category.id.clone(), name.to_owned());
        if self.open.contains(&key) {
            let path: Vec<_> =
                self.open.iter().map(|(_, name)| name.as_str()).chain([name]).collect();
            return Err(format!("computed fields read each other: {}", path.join(" -> ")));
        }
        let field = category.computed_fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| format!("`{name}` is not declared"))?;
        if self.open.len() >= CHAIN_MAX {
            return Err(format!(
                "computed fields read each other in a chain longer than the maximum {CHAIN_MAX}"
            ));
        }
        self.open.push(key);
        let (formula, sources) = self.formula(&field.formula, Some(category), &|_| Type::Any)?;
        self.open.pop();
        let (category_id, name) = (category.id.clone(), name.to_owned());
        let step = ComputedStep { category_id, name, formula, output: field.output, sources };
        let of_type = type_of_step(&step).unwrap_or(Type::Number);
        self.steps.push(step);
        Ok((Origin::Step(self.steps.len() - 1), of_type))
    }
}

fn type_of_step(step: &ComputedStep) -> Option<Type> {
    step.output.map(|output| output.value_type()).or(step.formula.result_type())
}
