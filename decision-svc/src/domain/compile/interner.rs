//! Programs and tables that the offers of a flow share. Equal ones are kept once.

use std::{collections::HashMap, hash::Hash, rc::Rc};

use formula::{
    Cause, Formula, OutputType, Type, Value,
    program::{Constants, FormulaProgram, Record, Register, RuleProgram, Why, Word},
    rule::{CompiledRule, Literal, Operator, Rule},
};

use super::{
    Field, Shown, Source,
    directory::{CategoryIndex, Directory},
};
use crate::domain::scalar::Scalar;

/// Programs and tables under construction.
pub(super) struct Interner<'a> {
    pub directory: &'a Directory<'a>,
    /// By the number of a register of the record.
    pub fields: Vec<Field>,
    /// By any other register.
    pub sources: Vec<Source>,
    pub constants: Constants,
    pub rules: Vec<RuleProgram>,
    pub affinities: Interned<Box<[u32]>>,
    pub shown: Interned<Box<[Shown]>>,
    /// Inputs of scores.
    pub score_inputs: Interned<Box<[Register]>>,
    /// Computed fields of categories, for offers that add nothing of their own to them.
    pub ready: HashMap<CategoryIndex, Rc<Ready>>,
    inputs: HashMap<String, Vec<(InputKind, Register)>>,
    offer_values: HashMap<(String, String), Register>,
    names: HashMap<String, Result<Rc<[String]>, String>>,
    formulas: HashMap<FormulaKey, Result<(Register, Type), String>>,
    compiled_rules: HashMap<Vec<u8>, Result<u32, String>>,
}

/// Text, what it is converted to and the registers of its names: what is equal in all three is
/// computed once.
type FormulaKey = (String, Option<OutputType>, Vec<Register>);

/// A computed field of a category, compiled.
#[derive(Clone, Debug)]
pub(super) struct CategoryField {
    pub category: CategoryIndex,
    pub name: String,
    pub register: Register,
    pub of_type: Type,
}

/// The computed fields of a category, the same for every offer without a custom field of these
/// names.
#[derive(Debug)]
pub(super) struct Ready {
    pub steps: Result<Vec<CategoryField>, String>,
    pub names: Vec<String>,
}

/// How an input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InputKind {
    Record(Type),
    Attribute(Type),
    Presence,
    Metric,
}

/// Values numbered in order of their first appearance.
#[derive(Debug)]
pub(super) struct Interned<T> {
    pub all: Vec<T>,
    known: HashMap<T, u32>,
}

/// The number of the empty list.
pub(crate) const EMPTY: u32 = 0;

impl<T: Clone + Eq + Hash> Interned<Box<[T]>> {
    /// With the empty list.
    pub fn lists() -> Self {
        let mut lists = Self::new();
        lists.number(Box::default());
        lists
    }
}

impl<T: Clone + Eq + Hash> Interned<T> {
    /// An empty table.
    pub fn new() -> Self {
        Self { all: Vec::new(), known: HashMap::new() }
    }

    /// The number of a value.
    pub fn number(&mut self, value: T) -> u32 {
        if let Some(known) = self.known.get(&value) {
            return *known;
        }
        let number = self.all.len() as u32;
        self.all.push(value.clone());
        self.known.insert(value, number);
        number
    }
}

/// One condition's register: its field, whether only presence matters, and the register.
pub(super) type Resolved<'r> = (&'r str, bool, Register);

fn is_presence(op: Operator) -> bool {
    matches!(op, Operator::Exists | Operator::NotExists)
}

fn no_room() -> String {
    "the flow's rules and formulas contain too much text".to_owned()
}

impl<'a> Interner<'a> {
    /// Nothing yet.
    pub fn new(directory: &'a Directory<'a>) -> Self {
        Self {
            directory,
            fields: Vec::new(),
            sources: Vec::new(),
            constants: Constants::default(),
            rules: Vec::new(),
            affinities: Interned::lists(),
            shown: Interned::new(),
            score_inputs: Interned::new(),
            ready: HashMap::new(),
            inputs: HashMap::new(),
            offer_values: HashMap::new(),
            names: HashMap::new(),
            formulas: HashMap::new(),
            compiled_rules: HashMap::new(),
        }
    }

    fn add(&mut self, source: Source) -> Register {
        self.sources.push(source);
        (self.sources.len() - 1) as Register
    }

    /// The register of the input that rules and formulas call `name`; `key` is its name in the
    /// record or among the attributes.
    pub fn input(&mut self, name: &str, key: &str, kind: InputKind) -> Register {
        let known =
            self.inputs.get(name).and_then(|all| all.iter().find(|(other, _)| *other == kind));
        if let Some((_, register)) = known {
            return *register;
        }
        let (named, key) = (name.to_owned(), key.to_owned());
        let register = match kind {
            InputKind::Record(declared) => {
                self.fields.push(Field { name: named, key, declared });
                Record::register(self.fields.len() - 1)
            }
            InputKind::Attribute(declared) => {
                self.add(Source::Attribute { name: named, key, declared })
            }
            InputKind::Presence => self.add(Source::Presence { name: named, key }),
            InputKind::Metric => self.add(Source::Metric { key }),
        };
        self.inputs.entry(name.to_owned()).or_default().push((kind, register));
        register
    }

    /// The register of a value of the offer; none is a missing one.
    pub fn offer_value(
        &mut self,
        name: &str,
        value: Option<&Scalar>,
        declared: Type,
    ) -> Result<Register, String> {
        let key = (name.to_owned(), format!("{value:?}"));
        if let Some(register) = self.offer_values.get(&key) {
            return Ok(*register);
        }
        let missing = || Value::Null(Cause::missing(name));
        let typed = value.map_or_else(missing, |value| value.typed(name, declared));
        let register = self.sources.len() as Register;
        let (value, cause) = match &typed {
            Value::Null(cause) => (Word::null(Why::Register(register)), cause.to_string()),
            value => (self.constants.datum(value).ok_or_else(no_room)?.into(), String::new()),
        };
        self.add(Source::Constant { value, cause });
        self.offer_values.insert(key, register);
        Ok(register)
    }

    /// The names a formula refers to.
    pub fn names(&mut self, source: &str) -> Result<Rc<[String]>, String> {
        if let Some(known) = self.names.get(source) {
            return known.clone();
        }
        let names = Formula::names(source).map(Rc::from).map_err(|error| error.to_string());
        self.names.insert(source.to_owned(), names.clone());
        names
    }

    /// The register of a formula, given those of its names.
    pub fn formula(
        &mut self,
        source: &str,
        output: Option<OutputType>,
        used: &[(String, Register, Type)],
    ) -> Result<(Register, Type), String> {
        let registers: Vec<Register> = used.iter().map(|(_, register, _)| *register).collect();
        let key = (source.to_owned(), output, registers);
        if let Some(known) = self.formulas.get(&key) {
            return known.clone();
        }
        let made = self.new_formula(source, output, used, &key.2);
        self.formulas.insert(key, made.clone());
        made
    }

    fn new_formula(
        &mut self,
        source: &str,
        output: Option<OutputType>,
        used: &[(String, Register, Type)],
        registers: &[Register],
    ) -> Result<(Register, Type), String> {
        let type_of = |name: &str| {
            used.iter().find(|(used, _, _)| used == name).map(|(_, _, of_type)| *of_type)
        };
        let formula = Formula::compile(source, &type_of).map_err(|error| error.to_string())?;
        let program =
            FormulaProgram::new(&formula, registers, &mut self.constants).ok_or_else(no_room)?;
        let mut needs = Vec::new();
        for register in
            program.reads().iter().filter(|register| Record::field(**register).is_none())
        {
            if let Some(Source::Computed { needs: theirs, .. }) =
                self.sources.get(*register as usize)
            {
                needs.extend_from_slice(theirs);
            }
            needs.push(*register);
        }
        // INVARIANT: a formula is numbered after all it needs, so ascending numbers are an order of
        // dependence.
        needs.sort_unstable();
        needs.dedup();
        let of_type = output
            .map(|output| output.value_type())
            .or(formula.result_type())
            .unwrap_or(Type::Number);
        let is_of_type = |output: &OutputType| match output {
            OutputType::Integer => program.is_whole(),
            other => Some(other.value_type()) == formula.result_type(),
        };
        let output = output.filter(|output| !is_of_type(output));
        let register = self.add(Source::Computed { program, output, needs: needs.into() });
        Ok((register, of_type))
    }

    /// The number of a rule, given the registers and types of its fields.
    pub fn rule(
        &mut self,
        rule: &Rule,
        resolved: &[Resolved<'_>],
        types: &[(&str, Type)],
    ) -> Result<u32, String> {
        let mut key = Vec::with_capacity(64);
        spell(rule, resolved, &mut key);
        if let Some(known) = self.compiled_rules.get(&key) {
            return known.clone();
        }
        let made = self.new_rule(rule, resolved, types);
        self.compiled_rules.insert(key, made.clone());
        made
    }

    fn new_rule(
        &mut self,
        rule: &Rule,
        resolved: &[Resolved<'_>],
        types: &[(&str, Type)],
    ) -> Result<u32, String> {
        let type_of = |name: &str| {
            types.iter().find(|(field, _)| *field == name).map(|(_, of_type)| *of_type)
        };
        let compiled = CompiledRule::compile(rule, &type_of).map_err(|faults| {
            let all: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
            all.join("; ")
        })?;
        let register_of = |field: &str, op: Operator| register_of(resolved, field, op);
        let program =
            RuleProgram::new(&compiled, &mut self.constants, &register_of).ok_or_else(no_room)?;
        self.rules.push(program);
        Ok((self.rules.len() - 1) as u32)
    }
}

/// The register of a condition: the one for presence only when there is one, else the typed one.
fn register_of(resolved: &[Resolved<'_>], field: &str, op: Operator) -> Option<Register> {
    let found =
        |presence: bool| resolved.iter().find(|(name, is, _)| *name == field && *is == presence);
    let found = if is_presence(op) { found(true).or_else(|| found(false)) } else { found(false) };
    found.map(|(_, _, register)| *register)
}

/// Writes a key of a rule: two rules have the same key when they are equal and read the same
/// registers, and only then.
fn spell(rule: &Rule, resolved: &[Resolved<'_>], key: &mut Vec<u8>) {
    let text = |text: &str, key: &mut Vec<u8>| {
        key.extend((text.len() as u32).to_le_bytes());
        key.extend(text.as_bytes());
    };
    match rule {
        Rule::Condition { field, op, value } => {
            key.push(b'c');
            text(field, key);
            key.extend(register_of(resolved, field, *op).unwrap_or(Register::MAX).to_le_bytes());
            text(op.symbol(), key);
            spell_literal(value, key);
        }
        Rule::All(rules) | Rule::Any(rules) => {
            key.push(if matches!(rule, Rule::All(_)) { b'a' } else { b'o' });
            key.extend((rules.len() as u32).to_le_bytes());
            rules.iter().for_each(|rule| spell(rule, resolved, key));
        }
        Rule::Not(rule) => {
            key.push(b'n');
            spell(rule, resolved, key);
        }
    }
}

fn spell_literal(literal: &Literal, key: &mut Vec<u8>) {
    match literal {
        Literal::String(text) => {
            key.push(b's');
            key.extend((text.len() as u32).to_le_bytes());
            key.extend(text.as_bytes());
        }
        Literal::Number(number) => {
            key.push(b'd');
            key.extend(number.to_bits().to_le_bytes());
        }
        Literal::Exact(exact) => {
            let text = exact.to_string();
            key.push(b'e');
            key.extend((text.len() as u32).to_le_bytes());
            key.extend(text.as_bytes());
        }
        Literal::Boolean(is) => key.extend([b'b', u8::from(*is)]),
        Literal::List(items) => {
            key.push(b'l');
            key.extend((items.len() as u32).to_le_bytes());
            items.iter().for_each(|item| spell_literal(item, key));
        }
        Literal::None => key.push(b'0'),
    }
}
