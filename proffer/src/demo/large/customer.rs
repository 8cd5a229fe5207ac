//! Simulated customers. All that is true of one follows from its number by SHA-256.

use crate::demo::customer::draw;

/// Most e-mails opened.
const OPENED_MAX: u64 = 9;
/// Most purchases.
const PURCHASES_MAX: u64 = 12;
/// Days since the last purchase, at least.
const DAYS_MIN: u64 = 90;
/// Days since the last purchase vary over so many.
const DAYS: u64 = 270;

/// A customer.
#[derive(Clone, Debug)]
pub struct Customer {
    /// `sim00001`.
    pub id: String,
    /// Of the last ten e-mails.
    pub emails_opened: u64,
    /// In all.
    pub purchases: u64,
    /// Since the last purchase.
    pub days: u64,
}

impl Customer {
    /// The customer of a number.
    pub fn new(number: u32) -> Self {
        let id = format!("sim{number:05}");
        let below = |fact: &str, many: u64| draw(fact, &id) * many / 10_000;
        Self {
            emails_opened: below("opened", OPENED_MAX + 1),
            purchases: 1 + below("purchases", PURCHASES_MAX),
            days: DAYS_MIN + below("days", DAYS),
            id,
        }
    }

    /// The probability that the customer buys within the window, contacted or not.
    pub fn buys(&self, is_contacted: bool) -> f64 {
        let alone =
            -2.0 + 0.12 * (self.purchases as f64 - 6.0) - 0.003 * (self.days as f64 - 225.0);
        // Who opens many e-mails is moved, and who opens none is put off.
        let moved = if is_contacted { 0.2 * (self.emails_opened as f64 - 3.0) } else { 0.0 };
        1.0 / (1.0 + libm::exp(-(alone + moved)))
    }

    /// What contact changes: the truth that is learned.
    pub fn effect(&self) -> f64 {
        self.buys(true) - self.buys(false)
    }

    /// Whether the customer buys. Contact changes the probability and not the draw.
    pub fn does_buy(&self, is_contacted: bool) -> bool {
        (draw("buys", &self.id) as f64) < 10_000.0 * self.buys(is_contacted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contact_moves_some_and_puts_others_off() {
        let customers: Vec<_> = (0..2_000).map(Customer::new).collect();
        let effects = || customers.iter().map(Customer::effect);
        assert!(effects().any(|effect| effect < -0.04) && effects().any(|effect| effect > 0.1));
        let bought =
            |contacted| customers.iter().filter(|it| it.does_buy(contacted)).count() as f64;
        let gained = (bought(true) - bought(false)) / 2_000.0;
        let truth = effects().sum::<f64>() / 2_000.0;
        assert!((gained - truth).abs() < 0.02, "{gained} {truth}");
    }
}
