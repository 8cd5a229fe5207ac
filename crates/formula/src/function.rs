//! The functions of the language: their names, argument types and result types.

use crate::{Type, nearest, value::MaybeType};

macro_rules! functions {
    ($($variant:ident $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function { $($variant),* }

        impl Function {
            pub(crate) const NAMES: &[(&str, Function)] = &[$(($name, Function::$variant)),*];
        }
    };
}

functions! {
    Today "today", Now "now",
    Min "min", Max "max", Round "round", Floor "floor", Ceil "ceil", Abs "abs", Sqrt "sqrt",
    Pow "pow", Log "log", Log10 "log10", Exp "exp", Clamp "clamp",
    Coalesce "coalesce", Concat "concat", Lower "lower", Upper "upper", Trim "trim",
    Length "length", Contains "contains", StartsWith "starts_with", EndsWith "ends_with", In "in",
    Date "date", Timestamp "timestamp", DaysBetween "days_between",
    Year "year", Month "month", Day "day", Weekday "weekday",
}

/// The names of all functions.
pub fn functions() -> impl Iterator<Item = &'static str> {
    Function::NAMES.iter().map(|(name, _)| *name)
}

/// Functions of other languages and what means the same here.
const FOREIGN: [(&str, &str); 12] = [
    ("if", "condition ? a : b"),
    ("iff", "condition ? a : b"),
    ("iif", "condition ? a : b"),
    ("not", "!x"),
    ("and", "a && b"),
    ("or", "a || b"),
    ("ifnull", "coalesce(x, y)"),
    ("isnull", "x == null"),
    ("len", "length(x)"),
    ("substring", "contains(x, part)"),
    ("days_since", "days_between(x, today())"),
    ("mod", "a % b"),
];

/// What an argument may be.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    Only(Type),
    /// A date or a timestamp.
    Calendar,
    /// Any value, as text.
    Anything,
    /// What the other arguments are.
    Alike,
}

impl Takes {
    /// Whether a value of this type may be an argument; none is null, which fits everywhere.
    pub fn accepts(self, found: MaybeType) -> bool {
        match (self, found) {
            (_, None | Some(Type::Any)) => true,
            (Self::Only(wanted), Some(found)) => wanted == found,
            (Self::Calendar, Some(found)) => matches!(found, Type::Date | Type::Timestamp),
            (Self::Anything | Self::Alike, _) => true,
        }
    }

    fn named(self) -> String {
        match self {
            Self::Only(wanted) => format!("a {wanted}"),
            Self::Calendar => "a date or a timestamp".to_owned(),
            Self::Anything | Self::Alike => "a value".to_owned(),
        }
    }
}

/// The arguments of a function.
enum Signature {
    /// So many, each of its own kind.
    Fixed(&'static [Takes]),
    /// At least so many of one kind.
    Many(usize, Takes),
}

impl Function {
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// What is wrong with a call of an unknown function: what was likely meant, and what is known.
    pub fn unknown(name: &str) -> String {
        let foreign = FOREIGN.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        let near = || nearest(name, functions()).map(|near| format!("did you mean `{near}`?"));
        let hint = foreign.map(|(_, meant)| format!("write `{meant}`")).or_else(near);
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        let known: Vec<_> = functions().collect();
        format!("unknown function `{name}`{hint}; known are {}", known.join(", "))
    }

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    fn signature(self, count: usize) -> Signature {
        use Signature::{Fixed, Many};
        use Takes::{Alike, Anything, Calendar, Only};
        const NUMBER: Takes = Only(Type::Number);
        const TEXT: Takes = Only(Type::String);
        match self {
            Self::Today | Self::Now => Fixed(&[]),
            Self::Min | Self::Max => Many(1, NUMBER),
            Self::Round if count == 2 => Fixed(&[NUMBER, NUMBER]),
            Self::Round
            | Self::Floor
            | Self::Ceil
            | Self::Abs
            | Self::Sqrt
            | Self::Log
            | Self::Log10
            | Self::Exp => Fixed(&[NUMBER]),
            Self::Pow => Fixed(&[NUMBER, NUMBER]),
            Self::Clamp => Fixed(&[NUMBER, NUMBER, NUMBER]),
            Self::Coalesce => Many(1, Alike),
            Self::In => Many(2, Alike),
            Self::Concat => Many(1, Anything),
            Self::Lower | Self::Upper | Self::Trim | Self::Length => Fixed(&[TEXT]),
            Self::Contains | Self::StartsWith | Self::EndsWith => Fixed(&[TEXT, TEXT]),
            Self::Date | Self::Timestamp => Fixed(&[TEXT]),
            Self::DaysBetween => Fixed(&[Only(Type::Date), Only(Type::Date)]),
            Self::Year | Self::Month | Self::Day | Self::Weekday => Fixed(&[Calendar]),
        }
    }

    /// What the argument at this index may be, of so many.
    pub fn takes(self, index: usize, count: usize) -> Takes {
        match self.signature(count) {
            Signature::Fixed(takes) => takes.get(index).copied().unwrap_or(Takes::Anything),
            Signature::Many(_, takes) => takes,
        }
    }

    /// The result's type, or the index of the argument at fault (the count when there are too few)
    /// and why.
    pub fn check(self, arguments: &[MaybeType]) -> Result<MaybeType, (usize, String)> {
        let found = arguments.len();
        let (name, takes) = (self.name(), self.signature(found));
        let many = |count: usize| if count == 1 { "argument" } else { "arguments" };
        match takes {
            Signature::Fixed(takes) if takes.len() != found => {
                let count = takes.len();
                // The only function that takes one or two.
                let count =
                    if self == Self::Round { "1 or 2".to_owned() } else { count.to_string() };
                let word = many(takes.len() + usize::from(self == Self::Round));
                return Err((
                    takes.len().min(found),
                    format!("`{name}` takes {count} {word}, not {found}"),
                ));
            }
            Signature::Many(least, _) if found < least => {
                let word = many(least);
                return Err((found, format!("`{name}` takes at least {least} {word}")));
            }
            _ => {}
        }
        for (index, of_type) in arguments.iter().enumerate() {
            if let Some(of_type) = of_type.filter(|_| !self.takes(index, found).accepts(*of_type)) {
                return Err((index, self.misfit(index, found, of_type)));
            }
        }
        let one = self.one_type(arguments)?;
        Ok(match self {
            Self::Coalesce => one,
            _ => Some(self.gives()),
        })
    }

    /// Why a value of this type cannot be the argument at this index.
    pub fn misfit(self, index: usize, count: usize, found: Type) -> String {
        let wanted = self.takes(index, count).named();
        format!("argument {} of `{}` must be {wanted}, not a {found}", index + 1, self.name())
    }

    /// Why values of these types cannot be arguments together.
    pub fn mixed(self, one: Type, other: Type) -> String {
        format!("arguments of `{}` must have one type: a {one} and a {other}", self.name())
    }

    fn gives(self) -> Type {
        match self {
            Self::Today | Self::Date => Type::Date,
            Self::Now | Self::Timestamp => Type::Timestamp,
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::In => Type::Boolean,
            Self::Concat | Self::Lower | Self::Upper | Self::Trim => Type::String,
            Self::Coalesce => Type::Any,
            _ => Type::Number,
        }
    }

    /// The one type of arguments that must have one; none when all are null.
    fn one_type(self, found: &[MaybeType]) -> Result<MaybeType, (usize, String)> {
        if !matches!(self, Self::Coalesce | Self::In) {
            return Ok(None);
        }
        let (mut first, mut is_any) = (None, false);
        for (index, found) in found.iter().enumerate() {
            match (first, *found) {
                (_, None) => {}
                (_, Some(Type::Any)) => is_any = true,
                (None, found) => first = found,
                (Some(wanted), Some(found)) if wanted != found => {
                    return Err((index, self.mixed(wanted, found)));
                }
                _ => {}
            }
        }
        Ok(if is_any { Some(Type::Any) } else { first })
    }
}
