//! `revenue_per_customer`: the sum of the values of a customer's positive outcomes.

use super::{Metric, MetricKind, Scale, Sum};

const NAME: &str = "revenue_per_customer";
/// Values have at most four decimals.
const UNITS: f64 = 10_000.0;

pub(super) const KIND: MetricKind = MetricKind { form: NAME, parse };

fn parse(name: &str) -> Option<Metric> {
    (name == NAME).then(|| Metric {
        name: NAME.to_owned(),
        sums: vec![Sum::PositiveValues],
        figure: |sums| sums.iter().sum(),
        units: UNITS,
        scale: Scale::Amount,
        events: "buyers",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revenue_keeps_four_decimals_and_its_sign() {
        let metric = parse(NAME).unwrap();
        assert_eq!([-1, 0, 12_345].map(|value_e4| (metric.figure)(&[value_e4])), [-1, 0, 12_345]);
    }
}
