//! Metrics: one figure per customer, by which an experiment is judged.
//!
//! A metric is one file in this folder: its name, the sums over a customer's outcomes that it
//! needs, and how those sums become the figure. [`KINDS`] is the only list of them.

mod conversion_rate;
mod revenue_per_customer;

/// Every kind of metric; the first is the default.
const KINDS: [MetricKind; 2] = [conversion_rate::KIND, revenue_per_customer::KIND];
/// Beginnings of metric names that a later version computes.
const LATER: [&str; 3] = ["outcome:", "count:", "rate:"];
/// Characters of a wrong name that its fault repeats.
const SHOWN_MAX: usize = 60;

/// A figure per customer, and what the analysis needs to know about it.
#[derive(Clone, Debug)]
pub struct Metric {
    /// Its name, as callers write it.
    pub name: String,
    /// What is summed over a customer's outcomes.
    pub sums: Vec<Sum>,
    /// Makes one customer's figure of those sums, which come in the order of `sums`. The figure is
    /// a whole number of 1/`units`.
    pub figure: fn(&[i128]) -> i128,
    /// How many of these whole numbers make 1.
    pub units: f64,
    /// Which methods compare the arms.
    pub scale: Scale,
    /// Customers with a figure other than zero, in words.
    pub events: &'static str,
}

/// A sum over those outcomes of one customer that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// How many outcomes are of this type.
    Outcomes {
        /// Key of the outcome type.
        key: String,
    },
    /// The values of outcomes of positive classification, in 1/10,000.
    PositiveValues,
}

/// What kind of number a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// 0 or 1 per customer; the mean is a rate.
    Rate,
    /// Any number, often 0 for most customers and large for a few.
    Amount,
}

/// How one file of this folder takes part.
struct MetricKind {
    /// The name or the form of names, as faults list it.
    form: &'static str,
    /// Reads a name; none when it is not of this form.
    parse: fn(&str) -> Option<Metric>,
}

impl Metric {
    /// The metric of an experiment that names none.
    pub const DEFAULT: &str = conversion_rate::KIND.form;

    /// The metric of this name; a fault lists the known ones.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Some(metric) = KINDS.iter().find_map(|kind| (kind.parse)(name)) {
            return Ok(metric);
        }
        let shown: String = name.chars().take(SHOWN_MAX).collect();
        let known = KINDS.map(|kind| kind.form).join(" and ");
        Err(if LATER.iter().any(|beginning| name.starts_with(beginning)) {
            format!("`{shown}` is not yet supported; supported are {known}")
        } else {
            format!("`{shown}` is not a metric; known are {known}")
        })
    }
}

/// A name says everything about a metric.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Metric {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_its_own_form() {
        for MetricKind { form, .. } in KINDS {
            assert_eq!(Metric::parse(form).map(|metric| metric.name).as_deref(), Ok(form));
        }
        assert!(Metric::parse(Metric::DEFAULT).is_ok());
    }

    #[test]
    fn a_metric_that_is_not_known_is_refused_with_those_that_are() {
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
