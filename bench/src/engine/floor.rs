//! The floor: code written by hand for exactly this campaign. It has typed columns and typed
//! customers, no text, no null, no allocation, and one loop.

use std::hint::black_box;

use decision_svc::domain::{
    rank::{Factors, RELEVANCE_PRIOR, Worth},
    score::PROPENSITY_PRIOR,
};

use super::{
    BEST, Best,
    workload::{WEIGHTS, Workload},
};

/// The offers as typed columns.
pub struct Floor {
    today: i32,
    category: Vec<u16>,
    days_min: Vec<i32>,
    days_max: Vec<i32>,
    is_recoverable: Vec<bool>,
    /// Logarithms of the rank factors.
    propensity: Vec<f64>,
    relevance: Vec<f64>,
    impact: Vec<f64>,
    emphasis: Vec<f64>,
    priority: Vec<f64>,
    customers: Vec<Row>,
}

/// A customer as typed values.
struct Row {
    category: u16,
    last_purchase: i32,
    purchases: i64,
    revenue: f64,
}

/// The best three offers, each as score and number.
pub type Top = [(f64, u32); BEST];

const NO_OFFER: (f64, u32) = (f64::NEG_INFINITY, u32::MAX);

impl Floor {
    /// Builds the columns.
    pub fn new(workload: &Workload) -> Self {
        let offers = &workload.offers;
        let day = |date: chrono::NaiveDate| chrono::Datelike::num_days_from_ce(&date);
        let factors: Vec<Factors> = offers
            .iter()
            .map(|offer| {
                let worth = Worth {
                    business_value: offer.business_value,
                    margin: Some(offer.margin),
                    priority: offer.priority,
                };
                Factors::of(&worth, PROPENSITY_PRIOR, RELEVANCE_PRIOR)
            })
            .collect();
        let logs = |of: &dyn Fn(&Factors) -> f64| {
            factors.iter().map(|factors| libm::log(of(factors))).collect()
        };
        let row = |customer: &super::workload::Customer| Row {
            category: customer.category as u16,
            last_purchase: day(customer.last_purchase),
            purchases: customer.purchases,
            revenue: customer.revenue,
        };
        Self {
            today: day(workload.today),
            category: offers.iter().map(|offer| offer.category as u16).collect(),
            days_min: offers.iter().map(|offer| offer.days_min).collect(),
            days_max: offers.iter().map(|offer| offer.days_max).collect(),
            is_recoverable: vec![true; offers.len()],
            propensity: logs(&|factors| factors.propensity),
            relevance: logs(&|factors| factors.relevance),
            impact: logs(&|factors| factors.impact),
            emphasis: logs(&|factors| factors.emphasis),
            priority: offers.iter().map(|offer| offer.priority).collect(),
            customers: workload.customers.iter().map(row).collect(),
        }
    }

    /// The best offers for a customer.
    #[inline(never)]
    pub fn top(&self, customer: usize) -> Top {
        let customer = &self.customers[customer];
        let days = self.today - customer.last_purchase;
        let is_recoverable = customer.purchases >= 3 && customer.revenue >= 50.0;
        let mut top = [NO_OFFER; BEST];
        let count = self.category.len();
        let (days_min, days_max) = (&self.days_min[..count], &self.days_max[..count]);
        let recoverable = &self.is_recoverable[..count];
        for offer in 0..count {
            if self.category[offer] == customer.category
                && days >= days_min[offer]
                && days <= days_max[offer]
                && recoverable[offer] == is_recoverable
            {
                self.place(offer, self.score(offer), &mut top);
            }
        }
        top
    }

    /// The logarithm of the score up to a positive factor, which gives the same order as the score.
    pub fn score(&self, offer: usize) -> f64 {
        WEIGHTS.propensity * self.propensity[offer]
            + WEIGHTS.relevance * self.relevance[offer]
            + WEIGHTS.impact * self.impact[offer]
            + WEIGHTS.emphasis * self.emphasis[offer]
    }

    /// Inserts an offer into the best. An offer of equal score and priority goes behind the earlier
    /// one.
    pub fn place(&self, offer: usize, score: f64, top: &mut Top) {
        let is_before = |other: (f64, u32)| {
            score > other.0
                || score == other.0 && self.priority[offer] > self.priority[other.1 as usize]
        };
        if top[BEST - 1].1 != u32::MAX && !is_before(top[BEST - 1]) {
            return;
        }
        let mut at = BEST - 1;
        while at > 0 && (top[at - 1].1 == u32::MAX || is_before(top[at - 1])) {
            top[at] = top[at - 1];
            at -= 1;
        }
        top[at] = (score, offer as u32);
    }

    /// One evaluation.
    pub fn run(&self, customer: usize) {
        black_box(self.top(black_box(customer)));
    }

    /// Numbers of the best offers.
    pub fn best(&self, customer: usize) -> Best {
        best_of(&self.top(customer))
    }
}

/// Numbers of the best offers.
pub fn best_of(top: &Top) -> Best {
    top.iter().map(|(_, offer)| *offer).filter(|offer| *offer != u32::MAX).collect()
}
