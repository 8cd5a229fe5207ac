//! Resolves the names of one offer's rules and formulas.

use std::rc::Rc;

use formula::{
    Type,
    program::Register,
    rule::{Literal, Operator, Rule},
};

use super::{
    CHAIN_MAX, Program, Shown,
    directory::CategoryIndex,
    interner::{CategoryField, InputKind, Interner, Ready, Resolved},
};
use crate::domain::{scalar::Scalar, score::Input, snapshot::Offer};

struct Builder<'s, 'a> {
    interner: &'s mut Interner<'a>,
    offer: &'s Offer,
    own: Option<CategoryIndex>,
    steps: Vec<CategoryField>,
    /// Computed fields being resolved, to spell out a cycle.
    open: Vec<(CategoryIndex, String)>,
    /// Names that are not among the offer's fields.
    absent: Vec<String>,
    /// Something was found among the offer's fields.
    is_particular: bool,
}

/// What a flow evaluates for every offer.
#[derive(Clone, Copy)]
pub(super) struct Demands<'f> {
    /// The flow's own rules.
    pub filters: &'f [Rule],
    /// What its score reads.
    pub inputs: &'f [Input],
}

/// The program of an offer whose active category is `own`.
pub(super) fn program(
    interner: &mut Interner<'_>,
    offer: &Offer,
    own: Option<CategoryIndex>,
    demands: Demands<'_>,
) -> Result<Program, String> {
    let (steps, open) = (Vec::new(), Vec::new());
    let mut builder =
        Builder { interner, offer, own, steps, open, absent: Vec::new(), is_particular: false };
    builder.own_steps()?;
    let mut rules = Vec::with_capacity(offer.rules.len());
    for rule in &offer.rules {
        rules.push(builder.rule(rule)?);
    }
    let mut filters = Vec::with_capacity(demands.filters.len());
    for rule in demands.filters {
        filters.push(builder.rule(rule).map_err(|why| format!("filter: {why}"))?);
    }
    let mut affinities = Vec::with_capacity(offer.affinities.len());
    for (field, value) in &offer.affinities {
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
        affinities.push(builder.rule(&rule)?);
    }
    let mut inputs = Vec::with_capacity(demands.inputs.len());
    for input in demands.inputs {
        inputs.push(builder.input(input).map_err(|why| format!("score: {why}"))?);
    }
    let steps = builder.steps.into_iter();
    let shown: Box<[Shown]> =
        steps.map(|step| Shown { name: step.name, register: step.register }).collect();
    let affinities = interner.affinities.number(affinities.into());
    let shown = interner.shown.number(shown);
    let inputs = interner.score_inputs.number(inputs.into());
    Ok(Program {
        rules: rules.into(),
        filters: filters.into(),
        affinities,
        shown,
        inputs,
        effect: None,
        group: None,
    })
}

/// The register of what rules and formulas call `name`, when it is about the customer alone.
pub(super) fn customers(interner: &mut Interner<'_>, name: &str) -> Result<Register, String> {
    let (offer, steps, open) = (&Offer::default(), Vec::new(), Vec::new());
    let (absent, own) = (Vec::new(), None);
    let mut builder = Builder { interner, offer, own, steps, open, absent, is_particular: false };
    let (register, _) = builder.resolve(name, None, Type::Any)?;
    if builder.is_particular {
        return Err(format!("`{name}` depends on the offer"));
    }
    Ok(register)
}

impl<'a> Builder<'_, 'a> {
    /// Resolves all computed fields of the offer's own category.
    fn own_steps(&mut self) -> Result<(), String> {
        let Some(own) = self.own else { return Ok(()) };
        let is_as_others = |ready: &&Rc<Ready>| {
            !ready.names.iter().any(|name| self.offer.custom_fields.contains_key(name))
        };
        if let Some(ready) = self.interner.ready.get(&own).filter(is_as_others) {
            self.steps = ready.steps.clone()?;
            return Ok(());
        }
        let mut outcome = Ok(());
        for field in self.interner.directory.fields(own) {
            outcome = self.step(own, &field.name).map(drop);
            if outcome.is_err() {
                break;
            }
        }
        if !self.is_particular && !self.interner.ready.contains_key(&own) {
            let steps = outcome.clone().map(|()| self.steps.clone());
            self.interner
                .ready
                .insert(own, Rc::new(Ready { steps, names: std::mem::take(&mut self.absent) }));
        }
        outcome
    }

    /// The register of a number that the flow's score reads.
    fn input(&mut self, input: &Input) -> Result<Register, String> {
        let mut used = Vec::new();
        for name in self.interner.names(&input.formula)?.iter() {
            let (register, of_type) = self.resolve(name, self.own, input.type_of(name))?;
            used.push((name.clone(), register, of_type));
        }
        match self.interner.formula(&input.formula, None, &used)? {
            (register, Type::Number | Type::Any) => Ok(register),
            (_, other) => Err(format!("the formula gives a {other}, not a number")),
        }
    }

    fn rule(&mut self, rule: &Rule) -> Result<u32, String> {
        let mut resolved: Vec<Resolved<'_>> = Vec::new();
        let mut types: Vec<(&str, Type)> = Vec::new();
        let mut open = vec![rule];
        while let Some(rule) = open.pop() {
            match rule {
                Rule::Condition { field, op, value } => {
                    let is_presence = matches!(op, Operator::Exists | Operator::NotExists);
                    let known = types.iter_mut().find(|(name, _)| name == field);
                    if let (true, Some(key)) = (is_presence, field.strip_prefix("attributes.")) {
                        // Only presence matters: another condition on the attribute decides its
                        // type.
                        if known.is_none() {
                            types.push((field, Type::String));
                        }
                        resolved.push((
                            field,
                            true,
                            self.interner.input(field, key, InputKind::Presence),
                        ));
                        continue;
                    }
                    let (register, of_type) =
                        self.resolve(field, self.own, value.compared_type())?;
                    let known = types.iter_mut().find(|(name, _)| name == field);
                    match known {
                        Some((_, known)) => *known = of_type,
                        None => types.push((field, of_type)),
                    }
                    let before = resolved.iter_mut().find(|(name, is, _)| name == field && !*is);
                    match before {
                        Some((_, _, before)) => *before = register,
                        None => resolved.push((field, false, register)),
                    }
                }
                Rule::All(rules) | Rule::Any(rules) => open.extend(rules),
                Rule::Not(rule) => open.push(rule),
            }
        }
        self.interner.rule(rule, &resolved, &types)
    }

    /// Where `name` comes from, seen from the category `home`; an attribute has the type it is used
    /// with.
    fn resolve(
        &mut self,
        name: &str,
        home: Option<CategoryIndex>,
        used_as: Type,
    ) -> Result<(Register, Type), String> {
        let unknown = || format!("`{name}` is not declared");
        let directory = self.interner.directory;
        if let Some(field) = name.strip_prefix("customer.") {
            let declared = *directory.record.get(field).ok_or_else(unknown)?;
            return Ok((self.interner.input(name, field, InputKind::Record(declared)), declared));
        }
        if let Some(key) = name.strip_prefix("attributes.") {
            return Ok((self.interner.input(name, key, InputKind::Attribute(used_as)), used_as));
        }
        if let Some(key) = name.strip_prefix("metrics.") {
            let key = *directory.metrics.get(key).ok_or_else(unknown)?;
            return Ok((self.interner.input(name, key, InputKind::Metric), Type::Number));
        }
        if let Some(field) = name.strip_prefix("offer.") {
            self.is_particular = true;
            return self.offer_field(name, field).unwrap_or_else(|| Err(unknown()));
        }
        if let Some(home) = home.filter(|home| directory.field(*home, name).is_some()) {
            return self.step(home, name);
        }
        if let Some(value) = self.offer.custom_fields.get(name) {
            self.is_particular = true;
            let of_type = value.own_type().ok_or_else(|| format!("`{name}` is a list"))?;
            return Ok((self.interner.offer_value(name, Some(value), of_type)?, of_type));
        }
        self.absent.push(name.to_owned());
        if let Some(declared) = directory.record.get(name) {
            return Ok((self.interner.input(name, name, InputKind::Record(*declared)), *declared));
        }
        match directory.lent(name) {
            None => Err(unknown()),
            Some(lent) if lent.is_agreed => self.step(lent.from, name),
            Some(lent) => Err(format!(
                "`{name}` is computed differently in `{}` and other categories",
                directory.name(lent.from)
            )),
        }
    }

    fn offer_field(&mut self, name: &str, field: &str) -> Option<Result<(Register, Type), String>> {
        let (value, of_type) = self.offer.field(field)?;
        let register = self.interner.offer_value(name, value.as_ref(), of_type);
        Some(register.map(|register| (register, of_type)))
    }

    /// The computed field `name` of `category`, after all it needs.
    fn step(&mut self, category: CategoryIndex, name: &str) -> Result<(Register, Type), String> {
        if let Some(known) =
            self.steps.iter().find(|step| step.category == category && step.name == name)
        {
            return Ok((known.register, known.of_type));
        }
        if self.open.iter().any(|(open, field)| *open == category && field == name) {
            let path: Vec<_> =
                self.open.iter().map(|(_, name)| name.as_str()).chain([name]).collect();
            return Err(format!("computed fields read each other: {}", path.join(" -> ")));
        }
        let field = self.interner.directory.field(category, name);
        let field = field.ok_or_else(|| format!("`{name}` is not declared"))?;
        if self.open.len() >= CHAIN_MAX {
            return Err(format!(
                "computed fields read each other in a chain longer than the maximum {CHAIN_MAX}"
            ));
        }
        self.open.push((category, name.to_owned()));
        let mut used = Vec::new();
        for name in self.interner.names(&field.formula)?.iter() {
            let (register, of_type) = self.resolve(name, Some(category), Type::Any)?;
            used.push((name.clone(), register, of_type));
        }
        self.open.pop();
        let (register, of_type) = self.interner.formula(&field.formula, field.output, &used)?;
        self.steps.push(CategoryField { category, name: name.to_owned(), register, of_type });
        Ok((register, of_type))
    }
}
