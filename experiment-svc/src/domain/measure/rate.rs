//! `rate:<a>/<b>`: outcomes of type a per outcome of type b, for example sales per visit.
//!
//! Customers are drawn, not visits, so the error comes from the customers: each has a numerator and
//! a denominator, and the arms compare the ratio of their totals.

use super::{Guard, Metric, MetricKind, Scale, Sum, key, shown};

const BEGINNING: &str = "rate:";

/// The system's types that answer a recommendation: all but `conversion`.
const FOLLOW_CONTACT: [&str; 9] = [
    "impression",
    "click",
    "not_interested",
    "opt_out",
    "defer",
    "dismiss",
    "share",
    "save",
    "complaint",
];

pub(super) const KIND: MetricKind = MetricKind { form: "rate:<a>/<b>", parse };

fn parse(name: &str) -> Option<Result<Metric, String>> {
    name.strip_prefix(BEGINNING).map(|keys| metric(name, keys))
}

fn metric(name: &str, keys: &str) -> Result<Metric, String> {
    let Some((counted, base)) = keys.split_once('/') else {
        let shown = shown(name);
        return Err(format!("`{shown}` lacks its second key; write it as `rate:conversion/visit`"));
    };
    let (counted, base) = (key(name, counted)?, key(name, base)?);
    if FOLLOW_CONTACT.contains(&base.as_str()) {
        return Err(format!(
            "`{name}` divides by `{base}`, which follows a contact: held-out customers have none, \
             so there is nothing to compare with; use `outcome:{counted}` or `count:{counted}`, or \
             divide by what customers do by themselves, for example `rate:{counted}/visit`"
        ));
    }
    Ok(Metric {
        name: name.to_owned(),
        sums: vec![Sum::Outcomes { key: counted }, Sum::Outcomes { key: base }],
        figure: |sums| sums.first().copied().unwrap_or_default(),
        units: 1.0,
        scale: Scale::Ratio,
        guard: Guard::ManyEvents,
        events: "customers with the counted outcome",
    })
}
