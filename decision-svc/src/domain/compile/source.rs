//! Where registers get their values.

use formula::{
    OutputType, Type,
    program::{Constants, Datum, FormulaProgram, Memory, Register, Why, Word},
};

use crate::domain::compile::Facts;

/// Where a register gets its value.
#[derive(Debug)]
pub(crate) enum Source {
    /// A field of the customer's record, under the name it is asked by.
    Record { name: String, field: String, declared: Type },
    /// An attribute of the request.
    Attribute { name: String, key: String, declared: Type },
    /// An attribute of which only the presence matters.
    Presence { name: String, key: String },
    /// A behavioral metric, by its key.
    Metric { key: String },
    /// What an offer says about itself; told when it is null.
    Constant { value: Word, told: String },
    /// A formula, after all the registers it needs to be filled first: not those of the record.
    Computed { program: FormulaProgram, output: Option<OutputType>, needs: Box<[Register]> },
}

/// Which register a field of the customer's record goes to.
#[derive(Debug)]
pub(crate) struct Field {
    pub name: String,
    pub register: Register,
    pub declared: Type,
}

/// Spells out causes of null.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    pub sources: &'a [Source],
    pub facts: &'a Facts<'a>,
}

impl Source {
    /// The record field it reads.
    pub fn record_field(&self) -> Option<&str> {
        match self {
            Self::Record { field, .. } => Some(field),
            _ => None,
        }
    }

    /// The metric it reads.
    pub fn metric_key(&self) -> Option<&str> {
        match self {
            Self::Metric { key } => Some(key),
            _ => None,
        }
    }

    /// True for what the customer or the request says.
    pub fn is_input(&self) -> bool {
        matches!(self, Self::Record { .. } | Self::Attribute { .. })
    }

    /// The value of a constant, or of what the request or a metric says; null for what comes from elsewhere.
    pub fn read(&self, register: Register, facts: &Facts<'_>, constants: &Constants, memory: &mut Memory) -> Word {
        let missing = Word::null(Why::Register(register));
        match self {
            Self::Attribute { key, declared, .. } => {
                let value = facts.attributes.get(key);
                value.map_or(missing, |value| value.word(*declared, register, constants, memory))
            }
            Self::Presence { key, .. } => facts.attributes.get(key).map_or(missing, |_| Word::boolean(true)),
            Self::Metric { key } => facts.metrics.get(key).map_or(missing, |value| Datum::Number(*value).into()),
            Self::Constant { value, .. } => *value,
            Self::Record { .. } | Self::Computed { .. } => missing,
        }
    }
}

/// The record fields that are read, in the order in which a record has them.
pub(super) fn fields(sources: &[Source]) -> Vec<Field> {
    let field = |(register, source): (Register, &Source)| match source {
        Source::Record { field, declared, .. } => Some(Field { name: field.clone(), register, declared: *declared }),
        _ => None,
    };
    let mut fields: Vec<Field> = (0..).zip(sources).filter_map(field).collect();
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    fields
}

impl Told<'_> {
    /// The cause in words.
    pub fn told(&self, why: Why) -> String {
        let Why::Register(register) = why else { return why.to_string() };
        match self.sources.get(register as usize) {
            Some(Source::Record { name, field, declared }) => match self.facts.record.contains_key(field) {
                true => format!("{name} is not a {declared}"),
                false => format!("missing customer.{field}"),
            },
            Some(Source::Attribute { name, key, declared }) if self.facts.attributes.contains_key(key) => {
                format!("{name} is not a {declared}")
            }
            Some(Source::Attribute { name, .. } | Source::Presence { name, .. }) => format!("missing {name}"),
            Some(Source::Metric { key }) => format!("missing metrics.{key}"),
            Some(Source::Constant { told, .. }) => told.clone(),
            Some(Source::Computed { .. }) | None => why.to_string(),
        }
    }
}
