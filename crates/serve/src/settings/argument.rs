//! What an argument of `clap` says about the setting it is.

use std::any::TypeId;

use clap::{Arg, ArgAction};

/// An argument that takes no value: it is there or not.
pub fn is_switch(argument: &Arg) -> bool {
    matches!(
        argument.get_action(),
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Help | ArgAction::Version
    )
}

/// A setting whose value is hidden from help must not be in messages either.
pub fn is_secret(argument: &Arg) -> bool {
    argument.is_hide_env_values_set()
}

/// The environment variable of a setting.
pub fn variable_of(argument: &Arg) -> Option<String> {
    Some(argument.get_env()?.to_string_lossy().into_owned())
}

/// What the values of a setting are in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number without quotes.
    Number,
    /// A number without quotes.
    Decimal,
    /// Text in quotes.
    Text,
    /// A list of texts.
    Texts,
}

/// The kind of a setting.
pub fn kind_of(argument: &Arg) -> Kind {
    let is = |id: TypeId| argument.get_value_parser().type_id() == id;
    let is_number = is(TypeId::of::<u16>())
        || is(TypeId::of::<u32>())
        || is(TypeId::of::<u64>())
        || is(TypeId::of::<usize>())
        || is(TypeId::of::<i64>());
    match argument.get_action() {
        ArgAction::Append => Kind::Texts,
        _ if is_switch(argument) || is(TypeId::of::<bool>()) => Kind::Boolean,
        _ if is_number => Kind::Number,
        _ if is(TypeId::of::<f64>()) => Kind::Decimal,
        _ => Kind::Text,
    }
}
