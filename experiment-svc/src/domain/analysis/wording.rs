//! How each headline figure was obtained, in words.

use super::{
    Design, Effect, Population, SampleRatio, anytime, compared::comparable, method, srm,
    strata::Strata,
};
use crate::domain::measure::{Metric, Scale};

/// Names of the methods, by what they gave.
pub fn methods(
    design: &Design,
    metric: &Metric,
    strata: &Strata,
    population: Population,
    effect: Option<&Effect>,
    srm: &SampleRatio,
) -> Vec<(&'static str, String)> {
    let headline = method::methods(metric.scale);
    let mut methods = vec![
        ("population", self::population(design, population)),
        ("test", headline.test.description.to_owned()),
        ("interval", interval(&headline, effect)),
        ("lift", "Fieller, normal quantile; no bounded interval for g of 1 or more".to_owned()),
        ("srm", sample_ratio(srm)),
        (
            "anytime",
            format!(
                "{ANYTIME}, from {} {} in the smaller arm on",
                anytime::GUARDED_MIN,
                metric.events
            ),
        ),
        ("cuped", CUPED.to_owned()),
    ];
    match metric.scale {
        Scale::Rate => methods.push(("total", TOTAL.to_owned())),
        Scale::Amount => {
            methods.push(("total", TOTAL.to_owned()));
            methods.push(("winsorized", WINSORIZED.to_owned()));
        }
        Scale::Ratio => methods.push(("ratio", RATIO.to_owned())),
    }
    let (comparable, seen) = (comparable(metric, strata).len(), strata.len());
    if seen > 1 {
        let left_out = match seen - comparable {
            0 => String::new(),
            rest => format!("; {rest} left out: {NOT_COMPARED}"),
        };
        let message = format!(
            "each split compared by itself, {comparable} combined by their treated{left_out}; the \
             arms show all customers, so their means do not subtract to the difference"
        );
        methods.push(("splits", message));
    }
    methods
}

/// Who is counted, and which of their outcomes.
fn population(design: &Design, population: Population) -> String {
    let (who, since) = match population {
        Population::Assigned => (ASSIGNED, "the assignment"),
        Population::Matched => (MATCHED, "the first one"),
    };
    match design.outcome_window {
        None => format!("{who} from {since} to the end"),
        Some(window) => format!(
            "{who} in the {} days from {since} on; only customers whose days are over",
            window.num_days()
        ),
    }
}

/// The interval's methods; where several could give it, which one did.
fn interval(headline: &method::Methods, effect: Option<&Effect>) -> String {
    let given = effect.map(|effect| &effect.interval_methods[..]).unwrap_or_default();
    let described = |name: &&str| {
        headline
            .intervals
            .iter()
            .find(|method| method.name == *name)
            .map(|method| method.description)
    };
    let candidates: Vec<_> = headline.intervals.iter().map(|method| method.description).collect();
    let gave: Vec<_> = given.iter().filter_map(described).collect();
    match (candidates.len(), gave.is_empty()) {
        (1, _) => candidates.concat(),
        (_, true) => format!("the wider of: {}", candidates.join("; ")),
        _ => format!("{}; the wider of {}", gave.join(", by split "), WIDER),
    }
}

fn sample_ratio(srm: &SampleRatio) -> String {
    let exact = srm.splits.iter().any(|split| split.chi_square.is_none());
    let chi_square = srm.splits.iter().any(|split| split.chi_square.is_some());
    let test = match (exact, chi_square) {
        (true, true) => "exact binomial where an arm expects fewer than 10, else chi-square",
        (true, false) => "exact binomial: an arm expects fewer than 10",
        (false, _) => "chi-square",
    };
    format!(
        "{test}, against the configured split, per split; p is the smallest times the splits \
         tested; alarm below {}",
        srm::ALARM
    )
}

const WIDER: &str = "pooled t and Welch";
const NOT_COMPARED: &str =
    "an arm has fewer than two customers or nothing to divide by, or nobody varies";
const ASSIGNED: &str = "intention to treat: everyone assigned, all their outcomes";
const MATCHED: &str =
    "customers that received, or would have received, an offer, all their outcomes";
const TOTAL: &str = "treated times difference, summed over the splits";
const ANYTIME: &str =
    "asymptotic confidence sequence (Waudby-Smith et al.), pooled variance: holds at every look";
const CUPED: &str =
    "figure less theta times the covariate, theta pooled over both arms; lift over the raw mean";
const WINSORIZED: &str =
    "figures clamped to the value that 99.9 % of both arms, zeros included, do not exceed";
const RATIO: &str = "total by total, error by the delta method over customers";
