//! Parses the message of a behavioral metric.

use proffer_proto::{catalog::v1 as proto, values::v1::ResourceStatus};

use crate::domain::behavioral_metric::{Aggregate, BehavioralMetric};

/// A metric as names are resolved to it.
pub fn behavioral_metric(found: &proto::BehavioralMetric) -> BehavioralMetric {
    BehavioralMetric {
        key: found.key.clone(),
        is_active: matches!(found.status(), ResourceStatus::Active | ResourceStatus::Unspecified),
        outcome: found.outcome.clone(),
        aggregate: aggregate(found.aggregate),
        window_days: found.window_days,
    }
}

fn aggregate(number: i32) -> Option<Aggregate> {
    Some(match proto::MetricAggregate::try_from(number).ok()? {
        proto::MetricAggregate::Unspecified => return None,
        proto::MetricAggregate::Count => Aggregate::Count,
        proto::MetricAggregate::Sum => Aggregate::Sum,
        proto::MetricAggregate::Last => Aggregate::Last,
    })
}
