//! `count:<key>`: how many outcomes of this type a customer has.

use super::{Guard, Metric, MetricKind, Scale, Sum, key};

const BEGINNING: &str = "count:";

pub(super) const KIND: MetricKind = MetricKind { form: "count:<key>", parse };

fn parse(name: &str) -> Option<Result<Metric, String>> {
    let key = key(name, name.strip_prefix(BEGINNING)?);
    Some(key.map(|key| Metric {
        name: name.to_owned(),
        sums: vec![Sum::Outcomes { key }],
        figure: |sums| sums.iter().sum(),
        units: 1.0,
        scale: Scale::Amount,
        guard: Guard::ManyEvents,
        events: "customers with this outcome",
    }))
}
