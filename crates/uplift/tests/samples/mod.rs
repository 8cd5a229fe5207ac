//! What several tests need: seeded numbers and Hillstrom's customers.

#![allow(dead_code, clippy::unwrap_used, clippy::indexing_slicing)]

use std::{io::Read as _, path::Path};

use uplift::{Encoding, Field, Kind, Value, fit::Row};

/// SplitMix64: seeded, the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }

    pub fn is(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }
}

/// Outcomes of Hillstrom's customers.
#[derive(Clone, Copy)]
pub enum Target {
    Visit,
    Conversion,
    Spend,
}

const FEATURES: [(&str, Kind); 7] = [
    ("recency", Kind::Number),
    ("history", Kind::Number),
    ("mens", Kind::Boolean),
    ("womens", Kind::Boolean),
    ("newbie", Kind::Boolean),
    ("zip_code", Kind::Category),
    ("channel", Kind::Category),
];

/// One of Hillstrom's customers who got this e-mail or none.
struct Customer {
    is_treated: bool,
    features: Vec<Option<Value>>,
    visit: bool,
    conversion: bool,
    spend: f64,
}

fn customers(email: &str) -> Vec<Customer> {
    let path = "../../experiment-svc/tests/hillstrom/hillstrom.csv.gz";
    let packed = std::fs::File::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    let places = FEATURES.map(|(name, kind)| (at(name), kind));
    let [segment, visit, conversion, spend] = ["segment", "visit", "conversion", "spend"].map(at);
    let records = reader.records().map(Result::unwrap);
    let all = records.map(|record| Customer {
        is_treated: &record[segment] == email,
        features: places
            .iter()
            .map(|(place, kind)| {
                let text = &record[*place];
                Some(match kind {
                    Kind::Category => Value::Text(text.to_owned()),
                    _ => Value::Number(text.parse().unwrap()),
                })
                .filter(|_| &record[segment] == email || &record[segment] == "No E-Mail")
            })
            .collect(),
        visit: &record[visit] == "1",
        conversion: &record[conversion] == "1",
        spend: record[spend].parse().unwrap(),
    });
    all.filter(|customer| customer.features.iter().all(Option::is_some)).collect()
}

/// The customers of one e-mail and of none as training rows, in the order of the file; folds by
/// row index. `kept` chooses among them, from whether a customer is treated and how many of the
/// arm came before, and the treatment probability is that of its choice.
pub fn hillstrom(email: &str, target: Target, kept: impl Fn(bool, usize) -> bool) -> Vec<Row> {
    let mut before = [0; 2];
    let mut customers = customers(email);
    customers.retain(|customer| {
        let before = &mut before[usize::from(customer.is_treated)];
        *before += 1;
        kept(customer.is_treated, *before - 1)
    });
    let fields = FEATURES.map(|(name, kind)| Field { name: name.to_owned(), kind });
    let features: Vec<_> = customers.iter().map(|customer| customer.features.clone()).collect();
    let encoding = Encoding::fit(&fields, &features);
    let treated = customers.iter().filter(|customer| customer.is_treated).count() as f64;
    let share = treated / customers.len() as f64;
    let is_all = (share - 0.5).abs() < 0.01;
    let row = |(index, customer): (usize, &Customer)| Row {
        vector: encoding.apply(&customer.features),
        fold: index % 5,
        is_treated: customer.is_treated,
        probability: if is_all { 0.5 } else { share },
        selection: 1.0,
        is_positive: match target {
            Target::Visit => customer.visit,
            Target::Conversion => customer.conversion,
            Target::Spend => customer.spend > 0.0,
        },
        value: customer.spend,
    };
    customers.iter().enumerate().map(row).collect()
}
