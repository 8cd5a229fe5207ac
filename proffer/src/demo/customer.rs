//! The customers of the file. Facts that the file lacks are derived from the customer id.

use std::fmt;

use anyhow::Context as _;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::{Europe::London, Tz};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The file; `examples/winback/README.md` describes its origin.
pub(super) const FILE: &str = include_str!("../../../examples/winback/customers.csv");
/// The last day in the dates of the file. The demo shifts it to yesterday.
const LAST_DAY: NaiveDate = match NaiveDate::from_ymd_opt(2026, 11, 29) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Shares of the derived facts, in units of 1/10,000.
const CATEGORIES: [(&str, u64); 3] = [("apparel", 3_500), ("electronics", 2_500), ("home", 4_000)];
const CHANNELS: [(&str, u64); 2] = [(EMAIL, 8_000), (SMS, 2_000)];
const CONSENTS_EMAIL: [(Option<bool>, u64); 3] =
    [(Some(true), 8_000), (Some(false), 1_200), (None, 800)];
const CONSENTS_SMS: [(Option<bool>, u64); 3] =
    [(Some(true), 6_000), (Some(false), 2_500), (None, 1_500)];

/// The e-mail channel of the campaign.
pub const EMAIL: &str = "email";
/// The SMS channel of the campaign.
pub const SMS: &str = "sms";

/// One customer of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// The id in the file.
    pub id: String,
    /// Shifted so that the last day of the file is yesterday; `None` for customers with returns
    /// only.
    pub last_purchase: Option<NaiveDate>,
    /// Number of purchases.
    pub purchases: u32,
    /// Amount of all purchases less returns.
    pub revenue: Pounds,
    /// Country name as in the file.
    pub country: String,
    /// Time zone of the country; `None` when the country is not a place.
    pub zone: Option<Tz>,
    /// The category, derived from the id.
    pub category: &'static str,
    /// The preferred channel, derived from the id.
    pub channel: &'static str,
    /// Consent to e-mail, derived from the id; `None` when the customer was never asked.
    pub consent_email: Option<bool>,
    /// Consent to SMS, derived from the id; `None` when the customer was never asked.
    pub consent_sms: Option<bool>,
}

impl Customer {
    /// Consent to the preferred channel.
    pub fn consent(&self) -> Option<bool> {
        if self.channel == EMAIL { self.consent_email } else { self.consent_sms }
    }

    /// Whole days since the last purchase, on the customer's own calendar.
    pub fn silent_days(&self, now: DateTime<Utc>) -> Option<i64> {
        let today = now.with_timezone(&self.zone.unwrap_or(Tz::UTC)).date_naive();
        self.last_purchase.map(|day| (today - day).num_days())
    }

    /// Mean amount of a purchase, at least zero.
    pub fn mean_purchase(&self) -> Pounds {
        Pounds((self.revenue.0 / i64::from(self.purchases.max(1))).max(0))
    }
}

/// An exact amount of money in pence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pounds(pub i64);

impl Pounds {
    /// Parses an amount with exactly two decimals, such as `-4287.63`.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let digits = text.replace('.', "");
        anyhow::ensure!(text.len() == digits.len() + 1, "amount `{text}`: expected two decimals");
        Ok(Self(digits.parse().with_context(|| format!("amount `{text}` is not a number"))?))
    }
}

impl fmt::Display for Pounds {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let pence = self.0.unsigned_abs();
        write!(out, "{sign}{}.{:02}", pence / 100, pence % 100)
    }
}

/// A line of the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    customer_id: String,
    last_purchase_date: Option<String>,
    lifetime_purchases: u32,
    lifetime_revenue: String,
    timezone: Option<String>,
    country_name: String,
}

/// The customers at `now`, in the order of the file.
pub fn customers(now: DateTime<Utc>) -> anyhow::Result<Vec<Customer>> {
    let shift = shift(now);
    let mut reader = csv::Reader::from_reader(FILE.as_bytes());
    reader.deserialize().map(|line| customer(line?, shift)).collect()
}

/// The shifted last day of the file: yesterday in London.
pub fn last_day(now: DateTime<Utc>) -> NaiveDate {
    now.with_timezone(&London).date_naive() - Days::new(1)
}

fn shift(now: DateTime<Utc>) -> TimeDelta {
    last_day(now) - LAST_DAY
}

fn customer(line: Line, shift: TimeDelta) -> anyhow::Result<Customer> {
    let id = line.customer_id;
    let last_purchase = line.last_purchase_date.map(|day| day.parse::<NaiveDate>());
    let zone = line.timezone.map(|zone| zone.parse::<Tz>()).transpose();
    Ok(Customer {
        last_purchase: last_purchase.transpose()?.map(|day| day + shift),
        purchases: line.lifetime_purchases,
        revenue: Pounds::parse(&line.lifetime_revenue)?,
        zone: zone.context("a time zone of the file")?,
        country: line.country_name,
        category: derived("category", &id, &CATEGORIES),
        channel: derived("channel", &id, &CHANNELS),
        consent_email: derived("consentEmail", &id, &CONSENTS_EMAIL),
        consent_sms: derived("consentSMS", &id, &CONSENTS_SMS),
        id,
    })
}

/// The value for `id`, where each value has its share of 10,000.
fn derived<T: Copy + Default>(fact: &str, id: &str, shares: &[(T, u64)]) -> T {
    let mut left = draw(fact, id);
    for (value, share) in shares {
        if left < *share {
            return *value;
        }
        left -= share;
    }
    T::default()
}

/// A number below 10,000 that depends only on `fact` and `id`. It comes from the first eight bytes
/// of SHA-256(fact, 0, id).
pub fn draw(fact: &str, id: &str) -> u64 {
    let hash = Sha256::new().chain_update(fact).chain_update([0]).chain_update(id).finalize();
    let first = hash.first_chunk::<8>().copied().unwrap_or_default();
    ((u128::from(u64::from_be_bytes(first)) * 10_000) >> 64) as u64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An instant from text.
    pub(crate) fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    #[test]
    fn the_last_day_of_the_file_is_yesterday_in_london() {
        let check = |now: &str, id: &str, expected: &str| {
            let customers = customers(at(now)).unwrap();
            let customer = customers.iter().find(|customer| customer.id == id).unwrap();
            assert_eq!(customer.last_purchase.unwrap().to_string(), expected, "{id} at {now}");
        };
        // 12518 bought on the last day of the file, 2026-11-29; 12347 two days before.
        check("2026-11-25T10:00:00Z", "12518", "2026-11-24");
        check("2026-11-25T10:00:00Z", "12347", "2026-11-22");
        // Half past eleven at night in UTC is the next day in London's summer.
        check("2026-07-01T23:30:00Z", "12518", "2026-07-01");
    }

    #[test]
    fn nobody_bought_after_yesterday_and_somebody_did_then() {
        let now = at("2026-11-25T10:00:00Z");
        let customers = customers(now).unwrap();
        assert_eq!(
            customers.iter().filter_map(|customer| customer.last_purchase).max(),
            Some(last_day(now))
        );
        assert_eq!(
            customers.iter().filter_map(|customer| customer.silent_days(now)).min(),
            Some(1)
        );
    }

    #[test]
    fn every_country_has_a_zone_unless_it_names_no_place() {
        let customers = customers(at("2026-11-25T10:00:00Z")).unwrap();
        let mut without: Vec<_> =
            customers.iter().filter(|c| c.zone.is_none()).map(|c| c.country.as_str()).collect();
        without.dedup();
        without.sort_unstable();
        without.dedup();
        assert_eq!(without, ["European Community", "Unspecified"]);
    }

    #[test]
    fn derived_facts_depend_on_the_id_alone() {
        let (winter, summer) = (at("2026-01-02T10:00:00Z"), at("2026-07-02T09:00:00Z"));
        let derived = |now| -> Vec<_> {
            let all = customers(now).unwrap().into_iter();
            all.map(|c| (c.id, c.category, c.channel, c.consent_email, c.consent_sms)).collect()
        };
        assert_eq!(derived(winter), derived(summer));
    }

    /// The README names the shares; within 2.5 points is within four standard deviations for 4,372
    /// customers.
    #[test]
    fn derived_facts_hold_their_shares() {
        let customers = customers(at("2026-11-25T10:00:00Z")).unwrap();
        let check = |expected: u64, holds: &dyn Fn(&Customer) -> bool| {
            let share =
                customers.iter().filter(|customer| holds(customer)).count() as u64 * 10_000 / 4_372;
            assert!(share.abs_diff(expected) < 250, "{share} instead of {expected}");
        };
        for (category, share) in CATEGORIES {
            check(share, &|customer| customer.category == category);
        }
        for (channel, share) in CHANNELS {
            check(share, &|customer| customer.channel == channel);
        }
        for (consent, share) in CONSENTS_EMAIL {
            check(share, &|customer| customer.consent_email == consent);
        }
        for (consent, share) in CONSENTS_SMS {
            check(share, &|customer| customer.consent_sms == consent);
        }
    }

    #[test]
    fn amounts_are_exact() {
        for text in ["4310.00", "-4287.63", "-0.05", "279489.02", "0.00"] {
            assert_eq!(Pounds::parse(text).unwrap().to_string(), text);
        }
        assert!(Pounds::parse("4310").is_err());
        assert!(Pounds::parse("x.00").is_err());
    }

    #[test]
    fn the_revenue_of_all_customers_is_the_sum_the_source_states() {
        let customers = customers(at("2026-11-25T10:00:00Z")).unwrap();
        assert_eq!(customers.len(), 4_372);
        let total: i64 = customers.iter().map(|customer| customer.revenue.0).sum();
        assert_eq!(Pounds(total).to_string(), "8300065.81");
    }
}
