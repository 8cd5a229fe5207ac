//! Segments of the customers before any decision, counted from the file with the thresholds of the
//! campaign.

use anyhow::Context as _;
use chrono::{DateTime, NaiveTime, Utc};
use serde::Deserialize;

use super::{
    customer::{Customer, EMAIL, Pounds},
    load,
};

/// Days since the last purchase of a lapsed customer. The rules of the offers use the same range.
pub const LAPSED_DAYS: std::ops::RangeInclusive<i64> = 90..=365;
/// Least purchases and revenue of a recoverable customer, as in the formula `isRecoverable`.
const RECOVERABLE_PURCHASES: u32 = 3;
const RECOVERABLE_REVENUE: Pounds = Pounds(50_00);

/// The segment of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Bought within 90 days.
    Active,
    /// Last purchase 90 to 365 days ago, and enough purchases to be worth an offer.
    Recoverable,
    /// Last purchase 90 to 365 days ago, but too few purchases.
    Lapsed,
    /// Last purchase more than 365 days ago.
    Lost,
    /// Only returns.
    NeverBought,
}

impl Segment {
    /// The segment of a customer at `now`.
    pub fn of(customer: &Customer, now: DateTime<Utc>) -> Self {
        let has_bought_enough =
            customer.purchases >= RECOVERABLE_PURCHASES && customer.revenue >= RECOVERABLE_REVENUE;
        match customer.silent_days(now) {
            None => Self::NeverBought,
            Some(days) if days < *LAPSED_DAYS.start() => Self::Active,
            Some(days) if days > *LAPSED_DAYS.end() => Self::Lost,
            Some(_) if has_bought_enough => Self::Recoverable,
            Some(_) => Self::Lapsed,
        }
    }
}

/// Number of customers per segment and fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All customers.
    pub customers: usize,
    /// Bought within 90 days.
    pub active: usize,
    /// Last purchase 90 to 365 days ago, recoverable or not.
    pub lapsed: usize,
    /// Lapsed customers who are worth an offer.
    pub recoverable: usize,
    /// Last purchase more than 365 days ago.
    pub lost: usize,
    /// Only returns.
    pub never_bought: usize,
    /// No consent to the preferred channel: declined or never asked.
    pub without_consent: usize,
    /// The preferred channel is in quiet hours now.
    pub in_their_night: usize,
    /// The country is not a place.
    pub without_zone: usize,
}

impl Counts {
    /// Counts `customers` at `now`.
    pub fn of(customers: &[Customer], now: DateTime<Utc>) -> anyhow::Result<Self> {
        let (email, sms) =
            (QuietHours::of(load::CHANNEL_EMAIL)?, QuietHours::of(load::CHANNEL_SMS)?);
        let mut counts = Self { customers: customers.len(), ..Self::default() };
        for customer in customers {
            let segment = Segment::of(customer, now);
            counts.active += usize::from(segment == Segment::Active);
            counts.lapsed += usize::from(matches!(segment, Segment::Lapsed | Segment::Recoverable));
            counts.recoverable += usize::from(segment == Segment::Recoverable);
            counts.lost += usize::from(segment == Segment::Lost);
            counts.never_bought += usize::from(segment == Segment::NeverBought);
            counts.without_consent += usize::from(customer.consent() != Some(true));
            counts.without_zone += usize::from(customer.zone.is_none());
            let quiet = if customer.channel == EMAIL { &email } else { &sms };
            let local = customer.zone.map(|zone| now.with_timezone(&zone).time());
            counts.in_their_night += usize::from(local.is_some_and(|time| quiet.holds(time)));
        }
        Ok(counts)
    }
}

/// The quiet window of a channel as the example configures it.
#[derive(Debug)]
struct QuietHours {
    start: NaiveTime,
    end: NaiveTime,
}

#[derive(Deserialize)]
struct Channel {
    config: ChannelConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelConfig {
    quiet_hours_start: String,
    quiet_hours_end: String,
}

impl QuietHours {
    fn of(channel: &str) -> anyhow::Result<Self> {
        let config =
            serde_json::from_str::<Channel>(channel).context("a channel of the example")?.config;
        let time = |text: &str| {
            NaiveTime::parse_from_str(text, "%H:%M").with_context(|| format!("time `{text}`"))
        };
        Ok(Self { start: time(&config.quiet_hours_start)?, end: time(&config.quiet_hours_end)? })
    }

    /// True within [start, end); the window may cross midnight.
    fn holds(&self, local: NaiveTime) -> bool {
        if self.start < self.end {
            self.start <= local && local < self.end
        } else {
            self.start <= local || local < self.end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::customer::{customers, tests::at};

    #[test]
    fn the_boundaries_of_lapsed_belong_to_it() {
        let now = at("2026-11-25T10:00:00Z");
        let someone = customers(now).unwrap().remove(0);
        let check = |days: i64, purchases: u32, pence: i64, expected: Segment| {
            let last_purchase = Some((now - chrono::TimeDelta::days(days)).date_naive());
            let customer =
                Customer { last_purchase, purchases, revenue: Pounds(pence), ..someone.clone() };
            assert_eq!(
                Segment::of(&customer, now),
                expected,
                "{days} days, {purchases} purchases, {pence} pence"
            );
        };
        check(89, 9, 90_000, Segment::Active);
        check(90, 3, 50_00, Segment::Recoverable);
        check(365, 3, 50_00, Segment::Recoverable);
        check(366, 9, 90_000, Segment::Lost);
        check(200, 2, 50_00, Segment::Lapsed);
        check(200, 3, 49_99, Segment::Lapsed);
    }

    #[test]
    fn the_segments_share_out_all_customers() {
        let now = at("2026-11-25T10:00:00Z");
        let counts = Counts::of(&customers(now).unwrap(), now).unwrap();
        assert_eq!(
            (counts.customers, counts.active, counts.lapsed, counts.lost, counts.never_bought),
            (4_372, 2_875, 1_389, 74, 34)
        );
        assert_eq!((counts.recoverable, counts.without_zone), (287, 5));
    }

    /// At ten in London it is five in Toronto and New York; by three in the morning nearly everyone
    /// sleeps.
    #[test]
    fn hardly_anyone_is_in_their_night_at_ten_in_london_and_nearly_everyone_at_three() {
        let night =
            |now: &str| Counts::of(&customers(at(now)).unwrap(), at(now)).unwrap().in_their_night;
        assert!((1..40).contains(&night("2026-11-25T10:00:00Z")));
        assert!(night("2026-11-25T03:00:00Z") > 4_300);
    }

    #[test]
    fn a_window_across_midnight_is_half_open() {
        let quiet = QuietHours::of(load::CHANNEL_EMAIL).unwrap();
        let check = |time: &str, expected: bool| {
            assert_eq!(quiet.holds(time.parse().unwrap()), expected, "{time}")
        };
        check("20:59:59", false);
        check("21:00:00", true);
        check("07:59:59", true);
        check("08:00:00", false);
    }
}
