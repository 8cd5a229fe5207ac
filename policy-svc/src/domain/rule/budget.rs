//! `budget`: a maximum of contacts, or of spend, over all customers.

use chrono::{DateTime, Utc};
use wire::amount::{self, PARTS};

use super::{
    finding::{Constant, Evaluation, Finding},
    ground::{Ground, Reads},
    kind::PolicyKind,
    window::{self, WINDOW_DAYS_MAX},
};
use crate::domain::{
    Faults,
    facts::Subject,
    refusal::ReasonCode,
    shared_use::{Limits, Used},
};

/// The kind's name.
pub const NAME: &str = "budget";

/// Most contacts a budget may allow.
pub const CONTACTS_MAX: i64 = 1_000_000_000;
/// Most spend a budget may allow, in the tenant's currency.
pub const SPEND_MAX: i64 = 1_000_000_000_000;

/// What all customers together may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(pub Limits);

impl Budget {
    /// Checks a budget; `max_spend` is a decimal number as text.
    pub fn parse(
        window_days: i32,
        max_contacts: Option<i64>,
        max_spend: Option<&str>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::new();
        let window = window::days("budget.window_days", window_days, WINDOW_DAYS_MAX, &mut faults);
        if max_contacts.is_none() && max_spend.is_none() {
            faults
                .push(("budget.max_contacts".to_owned(), "is required, or `max_spend`".to_owned()));
        }
        if let Some(most) = max_contacts.filter(|most| !(1..=CONTACTS_MAX).contains(most)) {
            faults.push((
                "budget.max_contacts".to_owned(),
                format!("is {most}; it must be 1 to {CONTACTS_MAX}"),
            ));
        }
        let spend_max = max_spend
            .map(|text| amount::parts(text, 1..=SPEND_MAX * PARTS))
            .transpose()
            .unwrap_or_else(|text| {
                faults.push(("budget.max_spend".to_owned(), text));
                None
            });
        if faults.is_empty() {
            Ok(Self(Limits { window, contacts_max: max_contacts, spend_max }))
        } else {
            Err(faults)
        }
    }
}

impl PolicyKind for Budget {
    fn name(&self) -> &'static str {
        NAME
    }

    fn reads(&self) -> Reads<'_> {
        Reads { shared_use: Some(&self.0), ..Reads::default() }
    }

    /// While a slot is held the budget is not evaluated again: the slot is counted.
    fn open<'a>(&'a self, ground: Ground<'a>) -> Box<dyn Evaluation + 'a> {
        if ground.is_slot_held {
            return Box::new(Constant(Finding::default()));
        }
        match ground.used {
            Some(used) => Box::new(Spending { limits: &self.0, used: used.clone() }),
            None => Box::new(Constant(Finding::refused(
                ReasonCode::PolicyUnavailable,
                "its use so far is unknown",
            ))),
        }
    }
}

struct Spending<'a> {
    limits: &'a Limits,
    used: Used,
}

impl Spending<'_> {
    fn finding_for(&self, cost: i64) -> Finding {
        let (limits, used) = (self.limits, &self.used);
        let over = |used: i64, most: Option<i64>, more: i64| {
            most.map_or(0, |most| (used + more - most).max(0))
        };
        let contacts_over = over(used.contacts, limits.contacts_max, 1);
        let spend_over = over(used.spend, limits.spend_max, cost);
        let is_over = contacts_over > 0 || spend_over > 0;
        let of = |used: String, most: Option<String>| most.map(|most| format!("{used} of {most}"));
        let contacts = of(
            used.contacts.to_string(),
            limits.contacts_max.map(|most| format!("{most} contacts")),
        );
        let spend = of(
            amount::text(used.spend),
            limits.spend_max.map(|most| format!("{} spend", amount::text(most))),
        );
        let both: Vec<_> = contacts.into_iter().chain(spend).collect();
        let text = format!("{} in last {} over all customers", both.join(", "), limits.window);
        let count = |count: i64| usize::try_from(count).unwrap_or_default();
        Finding {
            refusal: is_over.then(|| (ReasonCode::BudgetExhausted, text.clone())),
            passed: Some(format!("passed ({text})")),
            counted: count(used.contacts - used.reserved),
            reserved: count(used.reserved),
            limit: limits.contacts_max.map(count).unwrap_or_default(),
            window_seconds: limits.window.length().num_seconds(),
            next_allowed_at: is_over.then(|| self.room_at(contacts_over, spend_over)).flatten(),
        }
    }

    /// When enough have left, if those known to leave are enough; live reservations are taken to
    /// lapse.
    fn room_at(&self, contacts_over: i64, spend_over: i64) -> Option<DateTime<Utc>> {
        let (mut contacts, mut spend) = (0, 0);
        for (at, cost) in &self.used.leaving {
            contacts += 1;
            spend += cost;
            if contacts >= contacts_over && spend >= spend_over {
                return Some(*at);
            }
        }
        None
    }
}

impl Evaluation for Spending<'_> {
    fn finding(&mut self, subject: &Subject) -> Option<Finding> {
        Some(self.finding_for(subject.cost))
    }

    fn reserve(&mut self, subject: &Subject, _: DateTime<Utc>) {
        self.used.contacts += 1;
        self.used.reserved += 1;
        self.used.spend += subject.cost;
    }

    fn overall(&self) -> Finding {
        self.finding_for(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        window_days: i32,
        max_contacts: Option<i64>,
        max_spend: Option<&str>,
        expected: &[&str],
    ) {
        let faults = Budget::parse(window_days, max_contacts, max_spend).map(|_| Faults::new());
        let faults = faults.unwrap_or_else(|faults| faults);
        let texts: Vec<_> =
            faults.into_iter().map(|(path, text)| format!("{path} {text}")).collect();
        assert_eq!(texts, expected, "{window_days} {max_contacts:?} {max_spend:?}");
    }

    #[test]
    fn a_window_and_one_of_two_limits_are_needed() {
        check(30, Some(1), None, &[]);
        check(365, Some(1_000_000_000), Some("1000000000000"), &[]);
        check(1, None, Some("0.0001"), &[]);
        check(
            0,
            None,
            None,
            &[
                "budget.window_days is 0; it must be 1 to 365",
                "budget.max_contacts is required, or `max_spend`",
            ],
        );
        check(
            366,
            Some(0),
            Some("0"),
            &[
                "budget.window_days is 366; it must be 1 to 365",
                "budget.max_contacts is 0; it must be 1 to 1000000000",
                "budget.max_spend is 0; it must be 0.0001 to 1000000000000",
            ],
        );
        check(
            1,
            Some(1_000_000_001),
            Some("1000000000000.0001"),
            &[
                "budget.max_contacts is 1000000001; it must be 1 to 1000000000",
                "budget.max_spend is 1000000000000.0001; it must be 0.0001 to 1000000000000",
            ],
        );
        check(
            1,
            None,
            Some("1.00001"),
            &["budget.max_spend is 1.00001; it may have at most 4 decimals"],
        );
        check(1, None, Some("much"), &["budget.max_spend `much` is not a decimal number"]);
    }

    fn found(budget: Budget, used: Used, cost: i64) -> (Option<String>, Option<i64>) {
        let found = Spending { limits: &budget.0, used }.finding_for(cost);
        (found.refusal.map(|(_, text)| text), found.next_allowed_at.map(|at| at.timestamp()))
    }

    #[test]
    fn the_last_contact_and_the_last_penny_may_be_spent_and_no_more() {
        let budget = Budget::parse(7, Some(3), Some("1.5")).unwrap();
        let at = |second: i64| DateTime::from_timestamp(second, 0).unwrap();
        let leaving = vec![(at(10), 4_000), (at(20), 5_000)];
        let used = |contacts: i64, spend: i64| Used {
            contacts,
            reserved: 1,
            spend,
            leaving: leaving.clone(),
        };
        assert_eq!(found(budget, used(2, 9_000), 6_000), (None, None));
        let text = |text: &str| Some(format!("{text} in last 7d over all customers"));
        let two = text("2 of 3 contacts, 0.9 of 1.5 spend");
        assert_eq!(found(budget, used(2, 9_000), 6_001), (two.clone(), Some(10)));
        assert_eq!(found(budget, used(2, 9_000), 12_000), (two.clone(), Some(20)));
        assert_eq!(found(budget, used(2, 9_000), 20_000), (two, None));
        assert_eq!(
            found(budget, used(3, 0), 0),
            (text("3 of 3 contacts, 0 of 1.5 spend"), Some(10))
        );
    }
}
