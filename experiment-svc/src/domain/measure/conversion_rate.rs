//! `conversion_rate`: the share of customers with a conversion.

use super::{Metric, MetricKind, Scale, Sum};

const NAME: &str = "conversion_rate";
/// Key of the system's outcome type.
const CONVERSION: &str = "conversion";

pub(super) const KIND: MetricKind = MetricKind { form: NAME, parse };

fn parse(name: &str) -> Option<Metric> {
    (name == NAME).then(|| Metric {
        name: NAME.to_owned(),
        sums: vec![Sum::Outcomes { key: CONVERSION.to_owned() }],
        figure: |sums| i128::from(sums.iter().any(|conversions| *conversions > 0)),
        units: 1.0,
        scale: Scale::Rate,
        events: "customers with a conversion",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_converts_once_however_often() {
        let metric = parse(NAME).unwrap();
        assert_eq!([0, 1, 7].map(|conversions| (metric.figure)(&[conversions])), [0, 1, 1]);
    }
}
