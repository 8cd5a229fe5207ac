//! `revenue_per_customer`: the sum of the values of a customer's positive outcomes, less every
//! negative value.

use super::{Guard, Metric, MetricKind, Scale, Sum};

const NAME: &str = "revenue_per_customer";
/// Values have at most four decimals.
const UNITS: f64 = 10_000.0;

pub(super) const KIND: MetricKind = MetricKind { form: NAME, parse };

fn parse(name: &str) -> Option<Result<Metric, String>> {
    (name == NAME).then(|| {
        Ok(Metric {
            name: NAME.to_owned(),
            sums: vec![Sum::Revenue],
            figure: |sums| sums.iter().sum(),
            units: UNITS,
            scale: Scale::Amount,
            guard: Guard::Buyers,
            events: "buyers",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revenue_keeps_four_decimals_and_its_sign() {
        let metric = parse(NAME).unwrap().unwrap();
        assert_eq!([-1, 0, 12_345].map(|value_e4| metric.figure_of(&[value_e4])), [-1, 0, 12_345]);
    }
}
