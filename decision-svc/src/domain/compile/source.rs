//! The source of each register: record field, attribute, metric, constant or formula.

use formula::{
    OutputType, Type,
    program::{Constants, Datum, FormulaProgram, Memory, Record, Register, Why, Word},
};

use crate::domain::{compile::CompiledFlow, facts::Facts};

/// Where a register gets its value.
#[derive(Debug)]
pub(crate) enum Source {
    /// An attribute of the request.
    Attribute { name: String, key: String, declared: Type },
    /// An attribute of which only the presence matters.
    Presence { name: String, key: String },
    /// A behavioral metric, by its key.
    Metric { key: String },
    /// A value of the offer; `cause` says why it is null.
    Constant { value: Word, cause: String },
    /// A formula, after all the registers it needs, but for those of the record, which are filled
    /// before.
    Computed { program: FormulaProgram, output: Option<OutputType>, needs: Box<[Register]> },
}

/// A field of the customer's record, under the name that rules and formulas use. Its number is that
/// of its register.
#[derive(Debug)]
pub(crate) struct Field {
    pub name: String,
    pub key: String,
    pub declared: Type,
}

/// Explains why a value is null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Causes<'a> {
    pub compiled: &'a CompiledFlow,
    pub facts: &'a Facts<'a>,
}

impl Source {
    /// True when a formula fills it.
    pub(super) fn is_computed(&self) -> bool {
        matches!(self, Self::Computed { .. })
    }

    /// The metric it reads.
    pub fn metric_key(&self) -> Option<&str> {
        match self {
            Self::Metric { key } => Some(key),
            _ => None,
        }
    }

    /// True for an attribute of the request.
    pub fn is_attribute(&self) -> bool {
        matches!(self, Self::Attribute { .. })
    }

    /// The value of a constant, an attribute or a metric; null for a computed register.
    pub fn read(
        &self,
        register: Register,
        facts: &Facts<'_>,
        constants: &Constants,
        memory: &mut Memory,
    ) -> Word {
        let missing = Word::null(Why::Register(register));
        match self {
            Self::Attribute { key, declared, .. } => {
                let value = facts.attributes.get(key);
                let keep = |text: &str| constants.known(text).unwrap_or_else(|| memory.text(text));
                value.map_or(missing, |value| value.word(*declared, register, keep))
            }
            Self::Presence { key, .. } => {
                facts.attributes.get(key).map_or(missing, |_| Word::boolean(true))
            }
            Self::Metric { key } => {
                facts.metrics.get(key).map_or(missing, |value| Datum::Number(*value).into())
            }
            Self::Constant { value, .. } => *value,
            Self::Computed { .. } => missing,
        }
    }
}

/// The numbers of the fields in the order in which a record has them.
pub(super) fn by_key(fields: &[Field]) -> Vec<usize> {
    let key = |field: &usize| fields.get(*field).map(|field| &field.key);
    let mut numbers: Vec<usize> = (0..fields.len()).collect();
    numbers.sort_by(|a, b| key(a).cmp(&key(b)));
    numbers
}

impl Causes<'_> {
    /// The cause as text.
    pub fn text(&self, why: Why) -> String {
        let Why::Register(register) = why else { return why.to_string() };
        if let Some(field) =
            Record::field(register).and_then(|field| self.compiled.fields.get(field))
        {
            let Field { name, key, declared } = field;
            return match self.facts.record.contains_key(key) {
                true => format!("{name} is not a {declared}"),
                false => format!("missing customer.{key}"),
            };
        }
        match self.compiled.sources.get(register as usize) {
            Some(Source::Attribute { name, key, declared })
                if self.facts.attributes.contains_key(key) =>
            {
                format!("{name} is not a {declared}")
            }
            Some(Source::Attribute { name, .. } | Source::Presence { name, .. }) => {
                format!("missing {name}")
            }
            Some(Source::Metric { key }) => format!("missing metrics.{key}"),
            Some(Source::Constant { cause, .. }) => cause.clone(),
            Some(Source::Computed { .. }) | None => why.to_string(),
        }
    }
}
