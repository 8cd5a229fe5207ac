//! The type check of a formula: gives every node a type, or the fault with its position.

use chrono::{DateTime, NaiveDate};

use crate::{
    FormulaError, Type, Value,
    ast::{Kind, Node, Operator},
    function::Function,
    value::MaybeType,
};

/// The type of a node, given the types of the names.
pub(crate) fn check(node: &Node, names: &[Type]) -> Result<MaybeType, FormulaError> {
    match &node.kind {
        Kind::Null => Ok(None),
        Kind::Literal(value) => Ok(value.type_of()),
        Kind::Name(index) => Ok(names.get(*index).copied()),
        Kind::Negate(operand) => {
            need(operand, check(operand, names)?, Type::Number, "-")?;
            Ok(Some(Type::Number))
        }
        Kind::Not(operand) => {
            need(operand, check(operand, names)?, Type::Boolean, "!")?;
            Ok(Some(Type::Boolean))
        }
        Kind::Conditional(condition, then, otherwise) => {
            need(condition, check(condition, names)?, Type::Boolean, "?:")?;
            let (then, other) = (check(then, names)?, check(otherwise, names)?);
            match (then, other) {
                (Some(then), Some(other)) if then != other => Err(FormulaError::new(
                    otherwise.position,
                    format!("both branches of `?:` must have one type: a {then} and a {other}"),
                )),
                _ => Ok(then.or(other)),
            }
        }
        Kind::Binary(operator, left, right) => {
            let types = (check(left, names)?, check(right, names)?);
            binary(node.position, *operator, types)
        }
        Kind::Call(function, arguments) => call(node.position, *function, arguments, names),
    }
}

fn need(node: &Node, found: MaybeType, wanted: Type, operator: &str) -> Result<(), FormulaError> {
    match found {
        Some(found) if found != wanted => Err(FormulaError::new(
            node.position,
            format!("`{operator}` needs a {wanted}, not a {found}"),
        )),
        _ => Ok(()),
    }
}

fn binary(
    position: usize,
    operator: Operator,
    types: (MaybeType, MaybeType),
) -> Result<MaybeType, FormulaError> {
    use Type::{Boolean, Date, Number, String, Timestamp};
    let symbol = operator.symbol();
    // Null fits any operand: the other side decides what is expected.
    let either = match types {
        (Some(left), Some(right)) if left != right => {
            let message = format!("`{symbol}` cannot take a {left} and a {right}");
            return Err(FormulaError::new(position, message));
        }
        (left, right) => left.or(right),
    };
    let refuse =
        |found: Type| Err(FormulaError::new(position, format!("`{symbol}` cannot take a {found}")));
    match (operator, either) {
        (Operator::Or | Operator::And, None | Some(Boolean)) => Ok(Some(Boolean)),
        (Operator::Equal | Operator::NotEqual, _) => Ok(Some(Boolean)),
        (
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual,
            None | Some(Number | String | Date | Timestamp),
        ) => Ok(Some(Boolean)),
        (Operator::Add, Some(String)) => Ok(Some(String)),
        (Operator::Subtract, Some(Date | Timestamp)) => Ok(Some(Number)),
        (
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder,
            None | Some(Number),
        ) => Ok(Some(Number)),
        (_, Some(found)) => refuse(found),
    }
}

fn call(
    position: usize,
    function: Function,
    arguments: &[Node],
    names: &[Type],
) -> Result<MaybeType, FormulaError> {
    let mut types = Vec::with_capacity(arguments.len());
    for argument in arguments {
        types.push(check(argument, names)?);
    }
    let gives = function.check(&types).map_err(|(index, message)| {
        FormulaError::new(
            arguments.get(index).map_or(position, |argument| argument.position),
            message,
        )
    })?;
    if let (
        Function::Date | Function::Timestamp,
        [Node { kind: Kind::Literal(Value::String(text)), position }],
    ) = (function, arguments)
    {
        let is_read = match function {
            Function::Date => NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok(),
            _ => DateTime::parse_from_rfc3339(text).is_ok(),
        };
        if !is_read {
            let form =
                if function == Function::Date { "YYYY-MM-DD" } else { "RFC 3339 with an offset" };
            return Err(FormulaError::new(
                *position,
                format!("`{text}` is not a {}: write {form}", function.name()),
            ));
        }
    }
    Ok(gives)
}
