//! Parses what a flow says about learning.

use proffer_proto::decision::v1 as proto;

use super::Faults;
use crate::domain::{learning::Learning, score::OnlinePropensity};

/// Its place in a flow.
const PATH: &str = "config.learning";
/// The place of the setting of the online model.
pub const ONLINE_PATH: &str = "config.learning.online_propensity";

/// What is learned from the decisions of a flow; the defaults for what is left out.
pub fn parse(found: Option<&proto::LearningSettings>, faults: &mut Faults) -> Learning {
    let Some(found) = found else { return Learning::default() };
    let mut settled = found.clone();
    settle(&mut settled);
    // What is below 1 is a fault like 0.
    let days = |days: i32| u32::try_from(days).unwrap_or_default();
    let online = match proto::OnlinePropensity::try_from(settled.online_propensity) {
        Ok(proto::OnlinePropensity::Unspecified) => OnlinePropensity::Off,
        Ok(proto::OnlinePropensity::Shadow) => OnlinePropensity::Shadow,
        Ok(proto::OnlinePropensity::Active) => OnlinePropensity::Active,
        Err(_) => {
            let message = "must be `shadow` or `active`, or left out";
            faults.push((ONLINE_PATH.to_owned(), message.to_owned()));
            OnlinePropensity::Off
        }
    };
    let learning = Learning {
        window_days: days(settled.window_days),
        propensity_window_days: days(settled.propensity_window_days),
        retrain_days: settled.retrain_days,
        features: settled.features,
        outcome: settled.outcome,
        online_propensity: online,
    };
    let found = learning.faults().into_iter();
    faults.extend(found.map(|(path, message)| (format!("{PATH}.{path}"), message)));
    learning
}

/// Writes the defaults where something is left out.
pub fn settle(found: &mut proto::LearningSettings) {
    let defaults = Learning::default();
    let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
    if found.outcome.is_empty() {
        found.outcome = defaults.outcome;
    }
    if found.window_days == 0 {
        found.window_days = days(defaults.window_days);
    }
    if found.propensity_window_days == 0 {
        found.propensity_window_days = days(defaults.propensity_window_days);
    }
}

/// The path of a feature.
pub fn path_of(index: usize) -> String {
    format!("{PATH}.features[{index}]")
}
