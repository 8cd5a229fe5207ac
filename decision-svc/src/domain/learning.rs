//! What is learned from the decisions of a flow.

use crate::domain::score::OnlinePropensity;

/// Most features of a flow.
pub const FEATURES_MAX: usize = 200;
/// Longest name of a feature, in bytes.
const NAME_MAX: usize = 200;
/// Longest window, in days.
pub const WINDOW_DAYS_MAX: u32 = 365;
/// Longest key of an outcome type, in bytes.
const KEY_MAX: usize = 63;
/// The field that holds the customer's time zone where the channel names none.
pub const TIMEZONE: &str = "timezone";

/// What a flow says about learning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learning {
    /// Names of features; when empty, what the flow reads.
    pub features: Vec<String>,
    /// Key of the outcome type that counts.
    pub outcome: String,
    /// For how many days after an exposure it counts.
    pub window_days: u32,
    /// For how many days after a contact a response counts for its propensity.
    pub propensity_window_days: u32,
    /// Every so many days effects are learned again; never when 0.
    pub retrain_days: i32,
    /// Whether an online model of propensity is learned, and used.
    pub online_propensity: OnlinePropensity,
}

impl Default for Learning {
    fn default() -> Self {
        Self {
            features: Vec::new(),
            outcome: "conversion".to_owned(),
            window_days: 30,
            propensity_window_days: 3,
            retrain_days: 0,
            online_propensity: OnlinePropensity::Off,
        }
    }
}

impl Learning {
    /// What is wrong with it whatever the catalog says: (path within it, message).
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let count = self.features.len();
        if count > FEATURES_MAX {
            let message = format!("has {count}, which exceeds the maximum {FEATURES_MAX}");
            faults.push(("features".to_owned(), message));
        }
        for (index, name) in self.features.iter().enumerate().take(FEATURES_MAX) {
            let is_twice = self.features.iter().take(index).any(|other| own(other) == own(name));
            let twice = is_twice.then(|| format!("`{name}` is named twice"));
            let message = name_fault(name).or(twice);
            faults.extend(message.map(|message| (format!("features[{index}]"), message)));
        }
        if !is_key(&self.outcome) {
            let message = "must be the key of an outcome type, [a-z][a-z0-9_]{0,62}";
            faults.push(("outcome".to_owned(), message.to_owned()));
        }
        let windows = [
            ("window_days", self.window_days),
            ("propensity_window_days", self.propensity_window_days),
        ];
        for (field, days) in windows {
            if !(1..=WINDOW_DAYS_MAX).contains(&days) {
                let message = format!("is {days}; it must be 1 to {WINDOW_DAYS_MAX}");
                faults.push((field.to_owned(), message));
            }
        }
        if !(0..=WINDOW_DAYS_MAX as i32).contains(&self.retrain_days) {
            let days = self.retrain_days;
            let message = format!("is {days}; it must be 1 to {WINDOW_DAYS_MAX}, or 0 for never");
            faults.push(("retrain_days".to_owned(), message));
        }
        faults
    }
}

/// The name of a field of the record without its prefix, such as `customer.`.
pub fn own(name: &str) -> &str {
    name.strip_prefix("customer.").unwrap_or(name)
}

fn name_fault(name: &str) -> Option<String> {
    if name.trim() != name || name.is_empty() || name.len() > NAME_MAX {
        return Some(format!("must be a name of 1 to {NAME_MAX} bytes without space around it"));
    }
    let why = match own(name) {
        "customerId" => "it is the customer's id",
        TIMEZONE => "it is the customer's time zone",
        own if own.starts_with("attributes.") => {
            "attributes belong to a request: a feature is a field of the record, a computed field \
             or `metrics.<key>`"
        }
        own if own.starts_with("offer.") => "it belongs to the offer, not to the customer",
        _ => return None,
    };
    Some(format!("`{name}` cannot be a feature: {why}"))
}

fn is_key(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && text.len() <= KEY_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(learning: &Learning) -> Vec<String> {
        let faults = learning.faults().into_iter();
        faults.map(|(path, message)| format!("{path} {message}")).collect()
    }

    #[test]
    fn id_and_time_zone_are_refused_by_name() {
        let named = |names: &[&str]| Learning {
            features: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Learning::default()
        };
        assert_eq!(faults(&named(&["age", "metrics.clicks", "tier"])), [""; 0]);
        assert_eq!(
            faults(&named(&[
                "customerId",
                "customer.timezone",
                "offer.margin",
                "age",
                "customer.age"
            ])),
            [
                "features[0] `customerId` cannot be a feature: it is the customer's id",
                "features[1] `customer.timezone` cannot be a feature: it is the customer's time \
                 zone",
                "features[2] `offer.margin` cannot be a feature: it belongs to the offer, not to \
                 the customer",
                "features[4] `customer.age` is named twice",
            ]
        );
        assert_eq!(faults(&named(&[" "])).len(), 1);
        assert_eq!(faults(&named(&["attributes.cart"])).len(), 1);
    }

    #[test]
    fn two_hundred_features_and_a_year_are_the_most() {
        let names = |count: usize| (0..count).map(|n| format!("f{n}")).collect();
        let at_most =
            Learning { features: names(FEATURES_MAX), window_days: 365, ..Learning::default() };
        assert_eq!(faults(&at_most), [""; 0]);
        let paths_of_all =
            ["features", "outcome", "window_days", "propensity_window_days", "retrain_days"];
        let beyond = Learning {
            features: names(FEATURES_MAX + 1),
            outcome: "Sale".to_owned(),
            window_days: 366,
            propensity_window_days: 0,
            retrain_days: -1,
            ..Learning::default()
        };
        let paths: Vec<_> = beyond.faults().into_iter().map(|(path, _)| path).collect();
        assert_eq!(paths, paths_of_all);
    }
}
