//! How each headline figure was obtained, in words.

use super::{method, srm, strata::Strata};
use crate::domain::measure::Metric;

/// Names of the methods, by what they gave.
pub fn methods(metric: &Metric, strata: &Strata) -> Vec<(&'static str, String)> {
    let headline = method::methods(metric.scale);
    let mut methods = vec![
        ("population", POPULATION.to_owned()),
        ("test", headline.test.description.to_owned()),
        ("interval", headline.interval.description.to_owned()),
        ("lift", "Fieller, normal quantile; no bounded interval for g of 1 or more".to_owned()),
        ("total", "difference times the customers in treatment".to_owned()),
        ("srm", format!("{SAMPLE_RATIO}; alarm below {}", srm::ALARM)),
        ("ghost", GHOST.to_owned()),
    ];
    let (comparable, seen) = (strata.comparable().len(), strata.len());
    if seen > 1 {
        let left_out = match seen - comparable {
            0 => String::new(),
            rest => format!("; {rest} left out: an arm has fewer than two customers"),
        };
        let message = format!(
            "each split compared by itself, {comparable} combined by their customers{left_out}"
        );
        methods.push(("splits", message));
    }
    methods
}

const POPULATION: &str =
    "intention to treat: everyone assigned, all their outcomes from the assignment to the end";
const SAMPLE_RATIO: &str = "chi-square against the configured split, per split, summed";
const GHOST: &str =
    "customers that received, or would have received, an offer, from the first one on";
