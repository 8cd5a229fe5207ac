//! What a customer was like before the arm: it narrows the intervals of figures after it.

use std::fmt;

/// How a covariate from the customer's own revenue begins.
const REVENUE_BEFORE: &str = "revenue_before:";
/// Longest look back, in days.
pub const DAYS_MAX: u32 = 365;
/// Longest name of an imported covariate, in characters.
pub const NAME_MAX: usize = 64;

/// A figure of each customer from before the assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Covariate {
    /// The customer's revenue in so many days before the assignment.
    RevenueBefore {
        /// 1 to [`DAYS_MAX`].
        days: u32,
    },
    /// A number imported with the arm, by its name.
    Imported(String),
}

impl Covariate {
    /// The covariate of this text; a fault says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(days) = text.strip_prefix(REVENUE_BEFORE) {
            return match days.parse::<u32>() {
                Ok(days @ 1..=DAYS_MAX) if !text.contains('+') => Ok(Self::RevenueBefore { days }),
                _ => Err(format!("must be `{REVENUE_BEFORE}<days>` with 1 to {DAYS_MAX} days")),
            };
        }
        name_fault(text).map_or_else(|| Ok(Self::Imported(text.to_owned())), Err)
    }

    /// How many days before the assignment it looks back; 0 for an imported one.
    pub fn days(&self) -> u32 {
        match self {
            Self::RevenueBefore { days } => *days,
            Self::Imported(_) => 0,
        }
    }
}

impl fmt::Display for Covariate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RevenueBefore { days } => write!(formatter, "{REVENUE_BEFORE}{days}"),
            Self::Imported(name) => formatter.write_str(name),
        }
    }
}

/// What is wrong with the name of an imported covariate.
pub fn name_fault(name: &str) -> Option<String> {
    let length = name.chars().count();
    if length == 0 || length > NAME_MAX {
        return Some(format!("has {length} characters; a name has 1 to {NAME_MAX}"));
    }
    name.chars().any(char::is_control).then(|| "must not contain control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_covariate_is_a_look_back_or_the_name_of_an_imported_one() {
        for (text, expected) in [
            ("revenue_before:1", Covariate::RevenueBefore { days: 1 }),
            ("revenue_before:365", Covariate::RevenueBefore { days: 365 }),
            ("history", Covariate::Imported("history".to_owned())),
        ] {
            let parsed = Covariate::parse(text);
            assert_eq!(parsed.as_ref(), Ok(&expected));
            assert_eq!(expected.to_string(), text);
        }
    }

    #[test]
    fn a_wrong_look_back_or_name_is_refused() {
        for wrong in
            ["revenue_before:0", "revenue_before:366", "revenue_before:", "revenue_before:+7"]
        {
            let fault = Covariate::parse(wrong).unwrap_err();
            assert_eq!(fault, "must be `revenue_before:<days>` with 1 to 365 days", "{wrong}");
        }
        assert!(Covariate::parse(&"x".repeat(65)).is_err() && Covariate::parse("a\n").is_err());
    }
}
