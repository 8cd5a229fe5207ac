//! `conversion_rate`: the share of customers with a conversion.

use super::{CONVERSION, Guard, Metric, MetricKind, Scale, Sum};

const NAME: &str = "conversion_rate";

pub(super) const KIND: MetricKind = MetricKind { form: NAME, parse };

fn parse(name: &str) -> Option<Result<Metric, String>> {
    (name == NAME).then(|| {
        Ok(Metric {
            name: NAME.to_owned(),
            sums: vec![Sum::Outcomes { key: CONVERSION.to_owned() }],
            figure: |sums| i128::from(sums.iter().any(|conversions| *conversions > 0)),
            units: 1.0,
            scale: Scale::Rate,
            guard: Guard::Events,
            events: "customers with a conversion",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_converts_once_however_often() {
        let metric = parse(NAME).unwrap().unwrap();
        assert_eq!([0, 1, 7].map(|conversions| metric.figure_of(&[conversions])), [0, 1, 1]);
    }
}
