//! `outcome:<key>`: the share of customers with an outcome of this type.

use super::{Guard, Metric, MetricKind, Scale, Sum, key};

const BEGINNING: &str = "outcome:";

pub(super) const KIND: MetricKind = MetricKind { form: "outcome:<key>", parse };

fn parse(name: &str) -> Option<Result<Metric, String>> {
    let key = key(name, name.strip_prefix(BEGINNING)?);
    Some(key.map(|key| Metric {
        name: name.to_owned(),
        sums: vec![Sum::Outcomes { key }],
        figure: |sums| i128::from(sums.iter().any(|outcomes| *outcomes > 0)),
        units: 1.0,
        scale: Scale::Rate,
        guard: Guard::Events,
        events: "customers with this outcome",
    }))
}
