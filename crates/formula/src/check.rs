//! The type check of a formula: gives every node a type, or the fault with its position.

use crate::{
    FormulaError, Type, Value,
    ast::{Kind, Node, Operator},
    calendar,
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
                (Some(Type::Any), Some(_)) | (Some(_), Some(Type::Any)) => Ok(Some(Type::Any)),
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
        Some(found) if found != wanted && found != Type::Any => Err(FormulaError::new(
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
    use Type::{Any, Boolean, Date, Number, String, Timestamp};
    let refuse = |message| Err(FormulaError::new(position, message));
    match (operator, types) {
        (Operator::Add, (Some(Date), Some(Number)) | (Some(Number), Some(Date)))
        | (Operator::Subtract, (Some(Date), Some(Number))) => return Ok(Some(Date)),
        // What is known of one side does not say what the other is.
        (Operator::Add, (Some(Any), Some(Any | Number)) | (Some(Number), Some(Any)))
        | (Operator::Subtract, (Some(Any), Some(Any | Number)) | (Some(Date), Some(Any))) => {
            return Ok(Some(Any));
        }
        _ => {}
    }
    // Null fits any operand, and so does what has its type later: the other side decides what is
    // expected.
    let either = match types {
        (Some(Any), other) | (other, Some(Any)) => other.filter(|other| *other != Any),
        (Some(left), Some(right)) if left != right => {
            return refuse(unfit_operands(operator, left, right));
        }
        (left, right) => left.or(right),
    };
    match (operator, either) {
        (Operator::Or | Operator::And, None | Some(Boolean)) => Ok(Some(Boolean)),
        (Operator::Equal | Operator::NotEqual, _) => Ok(Some(Boolean)),
        (
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual,
            None | Some(Number | String | Date | Timestamp),
        ) => Ok(Some(Boolean)),
        (Operator::Add, Some(String)) => Ok(Some(String)),
        // A number of days beside what has its type later.
        (Operator::Add, Some(Date)) if types.0 != types.1 => Ok(Some(Date)),
        (Operator::Subtract, Some(Date | Timestamp)) => Ok(Some(Number)),
        (
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::Remainder,
            None | Some(Number),
        ) => Ok(Some(Number)),
        (_, Some(found)) => refuse(format!("`{}` cannot take a {found}", operator.symbol())),
    }
}

/// Why an operator cannot take values of these types.
pub(crate) fn unfit_operands(operator: Operator, left: Type, right: Type) -> std::string::String {
    let symbol = operator.symbol();
    match left == right {
        true => format!("`{symbol}` cannot take a {left}"),
        false => format!("`{symbol}` cannot take a {left} and a {right}"),
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
        let (is_read, form) = match function {
            Function::Date => (calendar::date(text).is_some(), calendar::DATE_FORM),
            _ => (calendar::timestamp(text).is_some(), calendar::TIMESTAMP_FORM),
        };
        if !is_read {
            return Err(FormulaError::new(
                *position,
                format!("`{text}` is not a {}: write {form}", function.name()),
            ));
        }
    }
    Ok(gives)
}
