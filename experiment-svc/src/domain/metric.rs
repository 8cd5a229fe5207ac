//! What an experiment is judged by.

use super::analysis::Behavior;

/// A figure per customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Customers with a conversion.
    ConversionRate,
    /// Sum of the values of a customer's positive outcomes.
    RevenuePerCustomer,
}

/// Characters of a wrong name that its fault repeats.
const SHOWN_MAX: usize = 60;
const KNOWN: &str = "conversion_rate and revenue_per_customer";
/// Words with which metrics begin that a later version computes.
const LATER: [&str; 3] = ["outcome:", "count:", "rate:"];

impl Metric {
    /// The metric of this name; a fault says which there are.
    pub fn parse(name: &str) -> Result<Self, String> {
        let shown: String = name.chars().take(SHOWN_MAX).collect();
        match name {
            "conversion_rate" => Ok(Self::ConversionRate),
            "revenue_per_customer" => Ok(Self::RevenuePerCustomer),
            later if LATER.iter().any(|word| later.starts_with(word)) => {
                Err(format!("`{shown}` is not yet supported; supported are {KNOWN}"))
            }
            _ => Err(format!("`{shown}` is not a metric; known are {KNOWN}")),
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ConversionRate => "conversion_rate",
            Self::RevenuePerCustomer => "revenue_per_customer",
        }
    }

    /// One customer's figure as a whole number of [`Self::units`].
    pub fn value(self, behavior: &Behavior) -> i128 {
        match self {
            Self::ConversionRate => i128::from(behavior.has_converted),
            Self::RevenuePerCustomer => behavior.revenue_e4,
        }
    }

    /// How many of these whole numbers make 1.
    pub fn units(self) -> f64 {
        match self {
            Self::ConversionRate => 1.0,
            Self::RevenuePerCustomer => 10_000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_that_is_not_known_is_refused_with_those_that_are() {
        for name in ["conversion_rate", "revenue_per_customer"] {
            assert_eq!(Metric::parse(name).map(Metric::name), Ok(name));
        }
        let check =
            |name: &str, expected: &str| assert_eq!(Metric::parse(name).unwrap_err(), expected);
        let known = "conversion_rate and revenue_per_customer";
        check("revenue", &format!("`revenue` is not a metric; known are {known}"));
        check("Conversion_Rate", &format!("`Conversion_Rate` is not a metric; known are {known}"));
        check(
            &"x".repeat(9_999),
            &format!("`{}` is not a metric; known are {known}", "x".repeat(60)),
        );
        check(
            "outcome:click",
            &format!("`outcome:click` is not yet supported; supported are {known}"),
        );
        check(
            "rate:click/impression",
            &format!("`rate:click/impression` is not yet supported; supported are {known}"),
        );
    }
}
