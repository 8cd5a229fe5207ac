//! A formula that was parsed and type-checked: the public type for one expression.

use crate::{
    FormulaError, Moment, Type, Value, ast::Node, check::check, evaluate::evaluate, parser::parse,
    value::MaybeType,
};

/// A formula that was parsed and type-checked; evaluating it cannot fail. Linear in its parts.
#[derive(Clone, Debug)]
pub struct Formula {
    pub(crate) root: Node,
    references: Vec<String>,
    result_type: MaybeType,
}

impl Formula {
    /// Compiles `source`; `type_of` tells the type of a name as written (`customer.x` or `x`), none
    /// for an unknown one.
    pub fn compile(
        source: &str,
        type_of: &dyn Fn(&str) -> Option<Type>,
    ) -> Result<Self, FormulaError> {
        let parsed = parse(source).map_err(|error| error.about(source))?;
        let mut types = Vec::with_capacity(parsed.names.len());
        for (name, position) in parsed.names.iter().zip(&parsed.positions) {
            let unknown =
                || FormulaError::new(*position, format!("unknown name `{name}`")).about(source);
            types.push(type_of(name).ok_or_else(unknown)?);
        }
        let result_type = check(&parsed.root, &types).map_err(|error| error.about(source))?;
        Ok(Self { root: parsed.root, references: parsed.names, result_type })
    }

    /// The names a source refers to, in order of first use; parses only.
    pub fn names(source: &str) -> Result<Vec<String>, FormulaError> {
        parse(source).map(|parsed| parsed.names).map_err(|error| error.about(source))
    }

    /// The names it refers to, in order of first use.
    pub fn references(&self) -> &[String] {
        &self.references
    }

    /// The type of its result; none when it is always null.
    pub fn result_type(&self) -> Option<Type> {
        self.result_type
    }

    /// The result at a moment; null with its first cause when it cannot be computed.
    pub fn evaluate(&self, value_of: &dyn Fn(&str) -> Value, moment: &Moment) -> Value {
        evaluate(&self.root, &self.references, value_of, moment)
    }
}
