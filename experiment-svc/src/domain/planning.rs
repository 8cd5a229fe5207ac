//! How large an experiment must be: two-sided at 5 % with 80 % power, by the normal formula with
//! the split.

use super::{
    measure::{Metric, Scale},
    share,
};

/// Customers that are computed for an effect of this many percent, unless another is asked for.
pub const EFFECT_PERCENT: f64 = 10.0;
/// The quantiles of the normal distribution at 97.5 % and at 80 %, added: an effect of so many
/// standard errors is found with 80 % power.
const STANDARD_ERRORS: f64 = 1.959_963_984_540_054 + 0.841_621_233_572_914_3;

/// What customers do without the experiment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Base {
    /// Mean per customer, above 0.
    pub mean: f64,
    /// Variance per customer, above 0.
    pub variance: f64,
}

/// What a number of customers can show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    /// Customers of both arms.
    pub customers: u64,
    /// Those held out.
    pub held_out: u64,
    /// The smallest difference that is found with 80 % power.
    pub detectable: f64,
    /// The same in percent of the mean.
    pub detectable_percent: f64,
    /// The effect that was asked for, in percent of the mean.
    pub effect_percent: f64,
    /// Customers of both arms who find it.
    pub needed: u64,
    /// Those held out among them.
    pub held_out_needed: u64,
}

/// What `customers` can show when a share of them is held out; none when an arm would be empty.
pub fn size(base: Base, basis_points: u32, customers: u64, effect_percent: f64) -> Option<Size> {
    if basis_points == 0 || basis_points >= share::WHOLE {
        return None;
    }
    let held_out = f64::from(basis_points) / f64::from(share::WHOLE);
    // Variance of a difference of means, times the customers.
    let spread = base.variance * (1.0 / held_out + 1.0 / (1.0 - held_out));
    let detectable = STANDARD_ERRORS * (spread / customers as f64).sqrt();
    let effect = base.mean * effect_percent / 100.0;
    let errors = STANDARD_ERRORS / effect;
    let needed = errors * errors * spread;
    // Saturates far beyond any number of customers.
    let needed = needed.ceil() as u64;
    let share_of = |n: u64| {
        n / u64::from(share::WHOLE) * u64::from(basis_points)
            + n % u64::from(share::WHOLE) * u64::from(basis_points) / u64::from(share::WHOLE)
    };
    Some(Size {
        customers,
        held_out: share_of(customers),
        detectable,
        detectable_percent: 100.0 * detectable / base.mean,
        effect_percent,
        needed,
        held_out_needed: share_of(needed),
    })
}

/// The size in words: of everyone assigned, or of the share who qualifies.
pub fn words(
    metric: &Metric,
    basis_points: u32,
    size: &Size,
    qualifying: Option<f64>,
) -> [String; 2] {
    let split = format!(
        "{}/{}",
        trimmed(share::percent(share::WHOLE - basis_points)),
        trimmed(share::percent(basis_points))
    );
    let who = match qualifying {
        None => format!("{} customers at {split}", grouped(size.customers)),
        Some(percent) => format!(
            "the {} % who qualify, {} customers at {split},",
            trimmed(percent),
            grouped(size.customers)
        ),
    };
    let (what, percent) = (spoken(metric), shown(size.detectable_percent));
    [
        format!("{who} detect +{percent} % {what} or more with 80 % power"),
        needed(what, size, qualifying.is_some()),
    ]
}

fn needed(what: String, size: &Size, all_qualify: bool) -> String {
    let percent = trimmed(size.effect_percent);
    if size.needed > NEEDED_MAX {
        let max = grouped(NEEDED_MAX);
        return format!("+{percent} % {what} needs more than {max} customers");
    }
    let (needed, held_out) = (grouped(size.needed), grouped(size.held_out_needed));
    let who = if all_qualify { ", who all qualify" } else { "" };
    format!("+{percent} % {what} needs {needed} customers, {held_out} of them held out{who}")
}

/// What a plan rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ground {
    /// Numbers of the caller.
    Given,
    /// Customers with an arm in an experiment.
    Assigned {
        /// How many were read.
        customers: u64,
        /// True when there may be more of them.
        is_full: bool,
    },
}

impl Ground {
    /// The ground in words; none where the caller knows it.
    pub fn words(self) -> Option<String> {
        match self {
            Self::Given => None,
            Self::Assigned { customers, is_full } => Some(format!(
                "it rests on what {} customers with an arm in an experiment did in the last 90 \
                 days{}",
                grouped(customers),
                if is_full { ", the first by their ids" } else { "" }
            )),
        }
    }

    /// What is said when nothing can be planned by it; `base` is what was found.
    pub fn unknown(self, base: Option<Base>, customers: u64) -> String {
        let why = match (self, base) {
            (Self::Assigned { customers: 0, .. }, _) => {
                "no customer has an arm in an experiment yet".to_owned()
            }
            (Self::Assigned { customers, .. }, Some(base)) if base.mean > 0.0 => {
                format!("all {} customers with an arm did the same", grouped(customers))
            }
            (Self::Assigned { customers, .. }, _) => format!(
                "no outcome of the last 90 days is known of {} customers with an arm",
                grouped(customers)
            ),
            (Self::Given, _) => "the mean that was given shows nothing".to_owned(),
        };
        format!(
            "{why}, so it is open what {} customers can show; `POST /api/v1/experiments:plan` \
             takes a mean",
            grouped(customers)
        )
    }
}

/// Largest mean that is planned with, and one over the smallest.
const MEAN_MAX: f64 = 1e9;
/// Largest variance, and one over the smallest.
const VARIANCE_MAX: f64 = 1e18;
/// The variance of a rate follows from it; one that is given may differ by this share of it, as
/// that of a small sample does.
const VARIANCE_TOLERANCE: f64 = 0.01;
/// More customers than these are said to be more.
const NEEDED_MAX: u64 = 1_000_000_000;

impl Base {
    /// What a caller says of a metric; a fault names the field. The variance of a rate may be left
    /// out.
    pub fn given(
        metric: &Metric,
        mean: f64,
        variance: Option<f64>,
    ) -> Result<Self, (&'static str, String)> {
        let is_within = |value: f64, max: f64| value >= 1.0 / max && value <= max;
        let bounded = |field, value: f64, max: f64| match is_within(value, max) {
            true => Ok(value),
            false => Err((field, format!("is {value}; it must be {:e} to {max:e}", 1.0 / max))),
        };
        let mean = bounded("mean", mean, MEAN_MAX)?;
        let implied = implied_variance(metric, mean);
        if implied.is_some() && mean >= 1.0 {
            return Err(("mean", format!("is {mean}; a rate lies between 0 and 1")));
        }
        let Some(variance) = variance.or(implied) else {
            return Err(("variance", format!("is required with a mean of `{}`", metric.name)));
        };
        let is_implied = |implied: f64| (variance - implied).abs() <= VARIANCE_TOLERANCE * implied;
        if let Some(implied) = implied.filter(|implied| !is_implied(*implied)) {
            let message = format!(
                "is {variance}; that of a rate follows from its mean, {implied}: leave it out"
            );
            return Err(("variance", message));
        }
        Ok(Self { mean, variance: bounded("variance", variance, VARIANCE_MAX)? })
    }
}

/// A variance that follows from the mean; none when it does not.
pub fn implied_variance(metric: &Metric, mean: f64) -> Option<f64> {
    (metric.scale == Scale::Rate).then_some(mean * (1.0 - mean))
}

fn spoken(metric: &Metric) -> String {
    match metric.name.as_str() {
        "revenue_per_customer" => "revenue".to_owned(),
        "conversion_rate" => "conversion".to_owned(),
        name => format!("`{name}`"),
    }
}

/// A percentage as people say it: whole above 10.
fn shown(percent: f64) -> String {
    if percent >= 10.0 { format!("{percent:.0}") } else { format!("{percent:.1}") }
}

/// Without zeros behind the point.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of spend and conversions of Hillstrom's 21,306 customers without e-mail.
    const REVENUE: Base = Base { mean: 0.652_789_355_111_236_3, variance: 134.286_371_853_035_6 };
    const RATE: f64 = 0.005_726_086_548_390_125;

    fn metric(name: &str) -> Metric {
        Metric::parse(name).unwrap()
    }

    #[test]
    fn sixty_four_thousand_customers_at_85_15_detect_55_percent_revenue_and_41_percent_conversion()
    {
        let revenue = size(REVENUE, 1_500, 64_000, EFFECT_PERCENT).unwrap();
        assert!((revenue.detectable - 0.359_397_232_072_183_2).abs() < 1e-9, "{revenue:?}");
        assert_eq!((revenue.needed, revenue.held_out_needed), (1_939_918, 290_987));
        assert_eq!(revenue.held_out, 9_600);
        assert_eq!(
            words(&metric("revenue_per_customer"), 1_500, &revenue, None),
            [
                "64,000 customers at 85/15 detect +55 % revenue or more with 80 % power",
                "+10 % revenue needs 1,939,918 customers, 290,987 of them held out",
            ]
        );
        let rate = metric("conversion_rate");
        let base = Base { mean: RATE, variance: implied_variance(&rate, RATE).unwrap() };
        let conversion = size(base, 1_500, 64_000, EFFECT_PERCENT).unwrap();
        assert!((conversion.detectable_percent - 40.867_947_467_764_17).abs() < 1e-9);
        let said = words(&rate, 1_500, &conversion, None);
        assert!(said[0].contains("+41 % conversion"), "{said:?}");
    }

    #[test]
    fn the_share_that_qualifies_detects_less() {
        let few = size(REVENUE, 1_500, 6_400, 25.0).unwrap();
        let said = words(&metric("revenue_per_customer"), 1_500, &few, Some(10.0));
        let first = "the 10 % who qualify, 6,400 customers at 85/15, detect +174 % revenue or more \
                     with 80 % power";
        assert_eq!(said[0], first);
        assert!(said[1].ends_with("held out, who all qualify"), "{said:?}");
    }

    #[test]
    fn a_plan_says_what_it_rests_on_and_why_it_cannot_say_anything() {
        let of = |customers, is_full| Ground::Assigned { customers, is_full };
        let said = |ground: Ground, base| ground.unknown(base, 5_000);
        let base = |mean| Some(Base { mean, variance: 0.0 });
        let rests = "it rests on what 20,000 customers with an arm in an experiment did in the \
                     last 90 days";
        assert_eq!(of(20_000, false).words().unwrap(), rests);
        assert_eq!(of(20_000, true).words().unwrap(), format!("{rests}, the first by their ids"));
        assert!(said(of(0, false), None).starts_with("no customer has an arm"));
        assert!(said(of(9, false), base(0.0)).starts_with("no outcome of the last 90 days"));
        assert!(said(of(9, false), base(1.0)).starts_with("all 9 customers with an arm did the"));
    }

    #[test]
    fn an_empty_arm_shows_nothing() {
        assert_eq!(size(REVENUE, 0, 64_000, 10.0), None);
        assert_eq!(size(REVENUE, 10_000, 64_000, 10.0), None);
    }

    #[test]
    fn a_variance_follows_from_a_rate_only() {
        assert_eq!(implied_variance(&metric("conversion_rate"), 0.5), Some(0.25));
        assert_eq!(implied_variance(&metric("revenue_per_customer"), 0.5), None);
    }

    #[test]
    fn a_base_is_one_that_customers_can_have() {
        let of = |name: &str, mean, variance| Base::given(&metric(name), mean, variance);
        let field = |name: &str, mean, variance| of(name, mean, variance).unwrap_err().0;
        let (rate, amount) = ("conversion_rate", "revenue_per_customer");
        assert_eq!(of(rate, 0.2, None), Ok(Base { mean: 0.2, variance: 0.2 * 0.8 }));
        assert_eq!(of(rate, 0.2, Some(0.1601)), Ok(Base { mean: 0.2, variance: 0.1601 }));
        assert_eq!(of(amount, 5.0, Some(1.0)), Ok(Base { mean: 5.0, variance: 1.0 }));
        assert_eq!(field(rate, 5.0, Some(1.0)), "mean");
        assert_eq!(field(rate, 1.0, None), "mean");
        assert_eq!(field(rate, 0.2, Some(0.3)), "variance");
        assert_eq!(field(amount, 5.0, None), "variance");
        assert_eq!(field(amount, 1e-300, Some(1e300)), "mean");
        assert_eq!(field(amount, 1.0, Some(1e300)), "variance");
        assert_eq!(field(amount, f64::NAN, Some(1.0)), "mean");
    }

    #[test]
    fn the_figures_of_the_most_extreme_base_are_finite() {
        for (mean, variance, points) in [(1e-9, 1e18, 1), (1e9, 1e-18, 9_999), (1e-9, 1e-18, 1)] {
            let base = Base::given(&metric("revenue_per_customer"), mean, Some(variance)).unwrap();
            let size = size(base, points, 100, 1e-9).unwrap();
            assert!(size.detectable.is_finite() && size.detectable_percent.is_finite(), "{size:?}");
            let said = words(&metric("revenue_per_customer"), points, &size, None);
            if size.needed > NEEDED_MAX {
                assert!(said[1].ends_with("needs more than 1,000,000,000 customers"), "{said:?}");
            }
        }
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([85.0, 99.25, 0.5].map(trimmed), ["85", "99.25", "0.5"]);
        assert_eq!([9.94, 55.06].map(shown), ["9.9", "55"]);
    }
}
