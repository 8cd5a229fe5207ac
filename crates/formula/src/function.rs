//! The functions of the language: their names, argument types and result types.

use crate::{Type, nearest, value::MaybeType};

macro_rules! functions {
    ($($variant:ident $name:literal),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Function { $($variant),* }

        impl Function {
            const NAMES: &[(&str, Function)] = &[$(($name, Function::$variant)),*];
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

/// What an argument may be.
#[derive(Clone, Copy)]
enum Takes {
    Only(Type),
    /// A date or a timestamp.
    Calendar,
}

impl Takes {
    fn accepts(self, found: MaybeType) -> bool {
        match (self, found) {
            (_, None) => true,
            (Self::Only(wanted), Some(found)) => wanted == found,
            (Self::Calendar, Some(found)) => matches!(found, Type::Date | Type::Timestamp),
        }
    }

    fn named(self) -> String {
        match self {
            Self::Only(wanted) => format!("a {wanted}"),
            Self::Calendar => "a date or a timestamp".to_owned(),
        }
    }
}

impl Function {
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// Names the function that was likely meant.
    pub fn hint(name: &str) -> String {
        let near = nearest(name, Self::NAMES.iter().map(|(known, _)| *known));
        near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
    }

    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// The result's type, or the index of the argument at fault (the count when there are too few)
    /// and why.
    pub fn check(self, arguments: &[MaybeType]) -> Result<MaybeType, (usize, String)> {
        use Takes::{Calendar, Only};
        let number = Only(Type::Number);
        let text = Only(Type::String);
        match self {
            Self::Today => self.fixed(arguments, &[], Type::Date),
            Self::Now => self.fixed(arguments, &[], Type::Timestamp),
            Self::Min | Self::Max => self.many(arguments, number, Type::Number),
            Self::Round if arguments.len() == 2 => {
                self.fixed(arguments, &[number, number], Type::Number)
            }
            Self::Round
            | Self::Floor
            | Self::Ceil
            | Self::Abs
            | Self::Sqrt
            | Self::Log
            | Self::Log10
            | Self::Exp => self.fixed(arguments, &[number], Type::Number),
            Self::Pow => self.fixed(arguments, &[number, number], Type::Number),
            Self::Clamp => self.fixed(arguments, &[number, number, number], Type::Number),
            Self::Coalesce => self.alike(arguments, 1),
            Self::In => self.alike(arguments, 2).map(|_| Some(Type::Boolean)),
            Self::Concat => self.many(arguments, text, Type::String),
            Self::Lower | Self::Upper | Self::Trim => self.fixed(arguments, &[text], Type::String),
            Self::Length => self.fixed(arguments, &[text], Type::Number),
            Self::Contains | Self::StartsWith | Self::EndsWith => {
                self.fixed(arguments, &[text, text], Type::Boolean)
            }
            Self::Date => self.fixed(arguments, &[text], Type::Date),
            Self::Timestamp => self.fixed(arguments, &[text], Type::Timestamp),
            Self::DaysBetween => {
                self.fixed(arguments, &[Only(Type::Date), Only(Type::Date)], Type::Number)
            }
            Self::Year | Self::Month | Self::Day | Self::Weekday => {
                self.fixed(arguments, &[Calendar], Type::Number)
            }
        }
    }

    fn fixed(
        self,
        found: &[MaybeType],
        takes: &[Takes],
        gives: Type,
    ) -> Result<MaybeType, (usize, String)> {
        if found.len() != takes.len() {
            let message =
                format!("`{}` takes {} arguments, not {}", self.name(), takes.len(), found.len());
            return Err((takes.len().min(found.len()), message));
        }
        for (index, (takes, found)) in takes.iter().zip(found).enumerate() {
            self.fits(index, *takes, *found)?;
        }
        Ok(Some(gives))
    }

    fn many(
        self,
        found: &[MaybeType],
        takes: Takes,
        gives: Type,
    ) -> Result<MaybeType, (usize, String)> {
        if found.is_empty() {
            return Err((0, format!("`{}` takes at least 1 argument", self.name())));
        }
        for (index, found) in found.iter().enumerate() {
            self.fits(index, takes, *found)?;
        }
        Ok(Some(gives))
    }

    fn fits(self, index: usize, takes: Takes, found: MaybeType) -> Result<(), (usize, String)> {
        if takes.accepts(found) {
            return Ok(());
        }
        let found = found.map_or_else(|| "null".to_owned(), |found| found.to_string());
        let wanted = takes.named();
        Err((
            index,
            format!("argument {} of `{}` must be {wanted}, not a {found}", index + 1, self.name()),
        ))
    }

    /// All arguments of one type; at least so many.
    fn alike(self, found: &[MaybeType], least: usize) -> Result<MaybeType, (usize, String)> {
        if found.len() < least {
            return Err((
                found.len(),
                format!("`{}` takes at least {least} arguments", self.name()),
            ));
        }
        let mut first = None;
        for (index, found) in found.iter().enumerate() {
            match (first, found) {
                (None, found) => first = *found,
                (Some(wanted), Some(found)) if wanted != *found => {
                    let name = self.name();
                    return Err((
                        index,
                        format!(
                            "arguments of `{name}` must have one type: a {wanted} and a {found}"
                        ),
                    ));
                }
                _ => {}
            }
        }
        Ok(first)
    }
}
