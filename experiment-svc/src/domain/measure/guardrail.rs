//! Guardrails: metrics that must not get worse, whatever the primary metric gains.

use super::Metric;

/// Which change of a metric harms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// More of it, as of complaints.
    Up,
    /// Less of it, as of revenue.
    Down,
}

/// A metric and the change of it that harms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardrail {
    /// The metric.
    pub metric: Metric,
    /// The change that harms.
    pub harm: Harm,
}

impl Guardrail {
    /// The guardrails of an experiment that names none.
    pub const DEFAULT: [&str; 2] = ["outcome:opt_out", "outcome:complaint"];

    /// A metric, with ` up` or ` down` after it for the change that harms. Without either, more
    /// conversions and more revenue are good, and more of anything else harms.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, said) = if let Some(name) = text.strip_suffix(" up") {
            (name, Some(Harm::Up))
        } else if let Some(name) = text.strip_suffix(" down") {
            (name, Some(Harm::Down))
        } else {
            (text, None)
        };
        let metric = Metric::parse(name.trim_end())?;
        let is_good = matches!(
            metric.name.as_str(),
            "conversion_rate" | "revenue_per_customer" | "outcome:conversion" | "count:conversion"
        );
        let usual = if is_good { Harm::Down } else { Harm::Up };
        Ok(Self { metric, harm: said.unwrap_or(usual) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guardrail_says_which_change_harms_or_it_follows_from_the_metric() {
        let check = |text: &str, name: &str, harm: Harm| {
            let guardrail = Guardrail::parse(text).unwrap();
            assert_eq!((guardrail.metric.name.as_str(), guardrail.harm), (name, harm), "{text}");
        };
        check("outcome:opt_out", "outcome:opt_out", Harm::Up);
        check("revenue_per_customer", "revenue_per_customer", Harm::Down);
        check("conversion_rate", "conversion_rate", Harm::Down);
        check("outcome:visit down", "outcome:visit", Harm::Down);
        check(" count:returned  up ", "count:returned", Harm::Up);
        assert!(Guardrail::parse("outcome:visit sideways").unwrap_err().contains("where the key"));
        for default in Guardrail::DEFAULT {
            assert_eq!(Guardrail::parse(default).map(|guardrail| guardrail.harm), Ok(Harm::Up));
        }
    }
}
