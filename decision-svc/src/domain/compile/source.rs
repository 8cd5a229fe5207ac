//! Where registers get their values.

use formula::{
    OutputType, Type,
    program::{Constants, Datum, FormulaProgram, Memory, Register, Why, Word},
};

use crate::domain::{compile::Facts, scalar::Scalar};

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
    /// A formula, after all the registers it needs.
    Computed { program: FormulaProgram, output: Option<OutputType>, needs: Box<[Register]> },
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

    /// The value of an input or constant; none for what is computed.
    pub fn read(
        &self,
        register: Register,
        facts: &Facts<'_>,
        constants: &Constants,
        memory: &mut Memory,
    ) -> Option<Word> {
        let missing = Word::null(Why::Register(register));
        let word = |value: &Scalar, declared, memory| value.word(declared, register, constants, memory);
        Some(match self {
            Self::Record { field, declared, .. } => {
                facts.record.get(field).map_or(missing, |value| word(value, *declared, memory))
            }
            Self::Attribute { key, declared, .. } => {
                facts.attributes.get(key).map_or(missing, |value| word(value, *declared, memory))
            }
            Self::Presence { key, .. } => facts.attributes.get(key).map_or(missing, |_| Word::boolean(true)),
            Self::Metric { key } => facts.metrics.get(key).map_or(missing, |value| Datum::Number(*value).into()),
            Self::Constant { value, .. } => *value,
            Self::Computed { .. } => return None,
        })
    }
}

/// The registers of record fields, in the order in which a record has them.
pub(super) fn by_field(sources: &[Source]) -> Vec<Register> {
    let field = |register: &Register| sources.get(*register as usize).and_then(Source::record_field);
    let mut registers: Vec<Register> =
        (0..).zip(sources).filter_map(|(register, source)| source.record_field().map(|_| register)).collect();
    registers.sort_by(|a, b| field(a).cmp(&field(b)));
    registers
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
