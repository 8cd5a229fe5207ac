//! The rank score PRIE-U: the weighted geometric mean (P^Wp · R^Wr · I^Wi · E^We · U^Wu)^(1/ΣW) of
//! propensity, relevance, impact, emphasis and uplift.

use crate::domain::snapshot::Offer;

/// Factors below this count as this, so that no single one decides alone.
pub const FACTOR_MIN: f64 = 0.01;
/// Relevance without affinities.
pub const RELEVANCE_PRIOR: f64 = 0.5;

/// Weights of the factors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Propensity.
    pub propensity: f64,
    /// Relevance.
    pub relevance: f64,
    /// Impact.
    pub impact: f64,
    /// Emphasis.
    pub emphasis: f64,
    /// Uplift; without an estimate of it, it is left out and the other weights count for more.
    pub uplift: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { propensity: 0.4, relevance: 0.2, impact: 0.3, emphasis: 0.1, uplift: 0.0 }
    }
}

/// The factors of one offer for one customer, each in [0.01, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Propensity.
    pub propensity: f64,
    /// Relevance.
    pub relevance: f64,
    /// Impact.
    pub impact: f64,
    /// Emphasis.
    pub emphasis: f64,
    /// Uplift; none without a model.
    pub uplift: Option<f64>,
}

/// What an offer says about its own rank.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worth {
    /// 0 to 100.
    pub business_value: f64,
    /// Percent, 0 to 100; left out it counts as 0.
    pub margin: Option<f64>,
    /// 0 to 100; also decides ties.
    pub priority: f64,
}

impl Worth {
    /// What the offer says.
    pub fn of(offer: &Offer) -> Self {
        Self {
            business_value: offer.business_value,
            margin: offer.margin,
            priority: offer.priority,
        }
    }
}

impl Factors {
    /// The factors from a propensity, a relevance and what the offer says about itself.
    pub fn of(worth: &Worth, propensity: f64, relevance: f64) -> Self {
        // Written so that 30 and 50 % give 0.225, not the double below it.
        let margin = 100.0 + worth.margin.unwrap_or_default();
        Self {
            propensity: clamped(propensity),
            relevance: clamped(relevance),
            impact: clamped(worth.business_value * margin / 20_000.0),
            emphasis: clamped(worth.priority / 100.0),
            uplift: None,
        }
    }

    /// The same with the probability that contact helps, where a model estimates it.
    pub fn with_uplift(self, helps: Option<f64>) -> Self {
        Self { uplift: helps.map(clamped), ..self }
    }

    /// The rank score in [0.01, 1]; none when it is not a number.
    pub fn score(&self, weights: &Weights) -> Option<f64> {
        let weighted = [
            (self.propensity, weights.propensity),
            (self.relevance, weights.relevance),
            (self.impact, weights.impact),
            (self.emphasis, weights.emphasis),
            (self.uplift.unwrap_or(1.0), if self.uplift.is_some() { weights.uplift } else { 0.0 }),
        ];
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        let log_sum: f64 =
            weighted.iter().map(|(factor, weight)| weight * libm::log(*factor)).sum();
        let score = libm::exp(log_sum / total);
        (total > 0.0 && score.is_finite()).then(|| clamped(score))
    }
}

/// An offer in a ranking.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its score.
    pub score: f64,
    /// Its priority, for ties.
    pub priority: f64,
    /// Its index among the offers, which are numbered in the order of their ids.
    pub offer: u32,
}

impl Place {
    /// The better one is less: by score, then by priority, then by the lower id.
    pub fn order(&self, other: &Self) -> std::cmp::Ordering {
        let by_worth =
            other.score.total_cmp(&self.score).then(other.priority.total_cmp(&self.priority));
        by_worth.then(self.offer.cmp(&other.offer))
    }
}

impl Weights {
    /// What is wrong with the weights.
    pub fn fault(&self) -> Option<String> {
        let all = [self.propensity, self.relevance, self.impact, self.emphasis, self.uplift];
        if all.iter().any(|weight| !weight.is_finite() || *weight < 0.0 || *weight > 1000.0) {
            return Some("each weight must be 0 to 1000".to_owned());
        }
        // Without an uplift model U is left out: the others must carry the rank.
        let carried: f64 = all.iter().take(4).sum();
        (carried <= 0.0).then(|| "at least one of Wp, Wr, Wi, We must be greater than 0".to_owned())
    }
}

fn clamped(factor: f64) -> f64 {
    if factor.is_nan() { factor } else { factor.clamp(FACTOR_MIN, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: f64 = 0.5;

    fn worth(business_value: f64, margin: Option<f64>, priority: f64) -> Worth {
        Worth { business_value, margin, priority }
    }

    /// The seed's Apparel offer under the seed's weights, worked by hand: U is left out and the
    /// weights renormalize.
    #[test]
    fn the_seeds_apparel_offer_scores_as_worked_by_hand() {
        let factors = Factors::of(&worth(30.0, Some(50.0), 70.0), HALF, RELEVANCE_PRIOR);
        assert_eq!(factors.impact, 0.225);
        let weights = Weights {
            propensity: 0.30,
            relevance: 0.20,
            impact: 0.20,
            emphasis: 0.05,
            uplift: 0.25,
        };
        let by_hand = libm::pow(
            libm::pow(0.5, 0.30)
                * libm::pow(0.5, 0.20)
                * libm::pow(0.225, 0.20)
                * libm::pow(0.7, 0.05),
            1.0 / 0.75,
        );
        assert!((factors.score(&weights).unwrap() - by_hand).abs() < 1e-12);
    }

    #[test]
    fn a_value_or_margin_left_out_never_beats_a_written_one() {
        let impact = |value, margin| Factors::of(&worth(value, margin, 50.0), HALF, HALF).impact;
        assert_eq!(impact(60.0, None), impact(60.0, Some(0.0)));
        assert_eq!(impact(60.0, None), 0.3);
        for margin in [None, Some(0.0), Some(100.0)] {
            assert_eq!(impact(0.0, margin), FACTOR_MIN);
        }
    }

    /// With an estimate of U every weight counts, and U counts no more than the others.
    #[test]
    fn an_uplift_takes_part_with_its_weight() {
        let factors = Factors::of(&worth(30.0, Some(50.0), 70.0), HALF, RELEVANCE_PRIOR);
        let weights = Weights { uplift: 0.5, ..Weights::default() };
        let score = |helps: f64| factors.with_uplift(Some(helps)).score(&weights).unwrap();
        assert!(score(0.9) > score(0.5) && score(0.5) > score(0.1));
        assert_eq!(factors.with_uplift(Some(-1.0)).uplift, Some(FACTOR_MIN));
        let without = factors.score(&weights).unwrap();
        assert!((score(without) - without).abs() < 1e-12, "the weighted mean of itself");
    }

    #[test]
    fn no_factor_falls_below_its_floor() {
        let factors = Factors::of(&worth(0.0, Some(0.0), 0.0), 0.0, 0.0);
        assert!((factors.score(&Weights::default()).unwrap() - FACTOR_MIN).abs() < 1e-12);
        let best = Factors::of(&worth(100.0, Some(100.0), 100.0), 1.0, 1.0);
        assert_eq!(best.score(&Weights::default()), Some(1.0));
    }

    #[test]
    fn weights_must_carry_the_rank() {
        assert_eq!(Weights::default().fault(), None);
        assert!(Weights { propensity: f64::NAN, ..Weights::default() }.fault().is_some());
        let uplift_only =
            Weights { propensity: 0.0, relevance: 0.0, impact: 0.0, emphasis: 0.0, uplift: 1.0 };
        assert!(uplift_only.fault().is_some());
    }

    #[test]
    fn what_is_not_a_number_never_ranks() {
        let factors = Factors::of(&worth(50.0, None, 50.0), f64::NAN, 0.5);
        assert_eq!(factors.score(&Weights::default()), None);
    }
}
