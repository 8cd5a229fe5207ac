//! The example's file read a second time, by its README and by nothing of the demo's code.

use chrono::NaiveDate;
use sha2::{Digest as _, Sha256};

/// One customer of the file.
pub struct Customer {
    pub days_silent: Option<i64>,
    pub is_recoverable: bool,
    pub consents: bool,
}

/// The customers on `today`, when the file's last day was yesterday.
pub fn customers(today: NaiveDate) -> Vec<Customer> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/winback/customers.csv");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().skip(1).map(|line| customer(line, today)).collect()
}

fn customer(line: &str, today: NaiveDate) -> Customer {
    let [id, last_purchase, purchases, revenue, ..] = line.split(',').collect::<Vec<_>>()[..]
    else {
        panic!("{line}")
    };
    let yesterday = today.pred_opt().unwrap();
    let file_end: NaiveDate = "2026-11-29".parse().unwrap();
    let days_silent = (!last_purchase.is_empty()).then(|| {
        (today - (last_purchase.parse::<NaiveDate>().unwrap() + (yesterday - file_end))).num_days()
    });
    let was_real =
        purchases.parse::<u32>().unwrap() >= 3 && revenue.parse::<f64>().unwrap() >= 50.0;
    let consents = match draw("channel", id) {
        0..8_000 => draw("consentEmail", id) < 8_000,
        _ => draw("consentSMS", id) < 6_000,
    };
    let is_lapsed = days_silent.is_some_and(|days| (90..=365).contains(&days));
    Customer { days_silent, is_recoverable: is_lapsed && was_real, consents }
}

fn draw(fact: &str, id: &str) -> u128 {
    let hash = Sha256::digest([fact.as_bytes(), &[0], id.as_bytes()].concat());
    let first: [u8; 8] = hash[..8].try_into().unwrap();
    u128::from(u64::from_be_bytes(first)) * 10_000 / (1 << 64)
}
