//! Thompson sampling: an offer is ranked by a propensity drawn from what is known of it. So one of
//! which little is known goes ahead now and then, and what it is worth is learned (Thompson 1933;
//! Chapelle and Li 2011).

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};
use rand_distr::{Beta, Distribution as _};
use sha2::{Digest as _, Sha256};

use super::STRENGTH;
use crate::domain::{
    lot::lot,
    rank::{FACTOR_MIN, Factors, Weights},
    responses::Evidence,
};

/// Draws by which the probability of an offer is estimated: its error is at most 0.016.
pub const DRAWS: usize = 1_000;
/// Draws of all offers together; beyond, each has fewer.
const DRAWS_IN_ALL: usize = 20_000;

/// What is known of the propensity of an offer, as a beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Posterior {
    /// Positive responses, those of the prior included; above 0.
    pub alpha: f64,
    /// Contacts without one; above 0.
    pub beta: f64,
}

/// An offer as it may come first.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What is known of its propensity.
    pub posterior: Posterior,
    /// Its factors; the propensity among them is not looked at.
    pub factors: Factors,
    /// Decides ties, before the order in which contenders are given.
    pub priority: f64,
}

impl Evidence {
    /// What is known of the offer's propensity. Its mean is [`Evidence::propensity`].
    pub fn posterior(&self) -> Posterior {
        let category = self.category_rate();
        let misses = self.offer.contacts.saturating_sub(self.offer.positives);
        Posterior {
            alpha: self.offer.positives as f64 + STRENGTH * category,
            beta: misses as f64 + STRENGTH * (1.0 - category),
        }
    }
}

/// The seed of a decision.
pub fn seed_of(decision_id: &str) -> u64 {
    lot(&[decision_id])
}

/// The propensity that a decision of this seed draws for an offer. It does not depend on which
/// other offers there are.
pub fn drawn(seed: u64, offer_id: &str, posterior: Posterior) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(offer_id.as_bytes());
    posterior.sample(&mut ChaCha8Rng::from_seed(hash.finalize().into()))
}

/// The probability with which the contender of this index comes first, by draws of this seed.
pub fn first_probability(
    seed: u64,
    contenders: &[Contender],
    chosen: usize,
    weights: &Weights,
) -> f64 {
    let (count, mut firsts) = (contenders.len().max(1), 0);
    let draws = (DRAWS_IN_ALL / count).clamp(1, DRAWS);
    // Another stream than that of the draws by which the offers were ranked.
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(1);
    // The logarithm of the score, but for a factor that all have in common and for U, which counts
    // where it is known.
    let fixed: Vec<(f64, f64)> = contenders.iter().map(|it| it.fixed(weights)).collect();
    for _ in 0..draws {
        let mut best: Option<(f64, f64, usize)> = None;
        for (index, (contender, (log, share))) in contenders.iter().zip(&fixed).enumerate() {
            let propensity = contender.posterior.sample(&mut random).clamp(FACTOR_MIN, 1.0);
            let found = (log + share * libm::log(propensity), contender.priority, index);
            if best.is_none_or(|best| (found.0, found.1) > (best.0, best.1)) {
                best = Some(found);
            }
        }
        firsts += usize::from(best.is_some_and(|(.., index)| index == chosen));
    }
    firsts as f64 / draws as f64
}

impl Contender {
    /// The logarithm of its score without the propensity, and the propensity's share of the weight.
    fn fixed(&self, weights: &Weights) -> (f64, f64) {
        let certain = Factors { propensity: 1.0, ..self.factors };
        let helps = if self.factors.uplift.is_some() { weights.uplift } else { 0.0 };
        let Weights { propensity, relevance, impact, emphasis, .. } = *weights;
        let total = propensity + relevance + impact + emphasis + helps;
        let share = if total > 0.0 { propensity / total } else { 0.0 };
        (certain.score(weights).map_or(f64::NEG_INFINITY, libm::log), share)
    }
}

impl Posterior {
    fn sample(&self, random: &mut ChaCha8Rng) -> f64 {
        let Self { alpha, beta } = *self;
        match Beta::new(alpha, beta) {
            Ok(distribution) => distribution.sample(random),
            // Never for a posterior: both are above 0.
            Err(_) => alpha / (alpha + beta),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{rank::Worth, responses::Count};

    fn evidence(positives: u64, contacts: u64) -> Evidence {
        let count = Count { contacts, positives };
        Evidence { offer: count, category: count, tenant: count }
    }

    fn contender(positives: u64, contacts: u64) -> Contender {
        let worth = Worth { business_value: 50.0, margin: None, priority: 50.0 };
        Contender {
            posterior: evidence(positives, contacts).posterior(),
            factors: Factors::of(&worth, 0.5, 0.5),
            priority: 50.0,
        }
    }

    #[test]
    fn draws_have_the_mean_and_spread_of_what_is_known() {
        for found in [evidence(0, 0), evidence(3, 40), evidence(300, 4_000)] {
            let posterior = found.posterior();
            let (a, b) = (posterior.alpha, posterior.beta);
            assert!((a / (a + b) - found.propensity()).abs() < 1e-12);
            let draws: Vec<f64> =
                (0..4_000_u32).map(|seed| drawn(u64::from(seed), "off", posterior)).collect();
            let mean = draws.iter().sum::<f64>() / 4_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 4_000.0;
            let expected = a * b / ((a + b).powi(2) * (a + b + 1.0));
            assert!((mean - found.propensity()).abs() < 4.0 * (expected / 4_000.0).sqrt());
            assert!((variance / expected - 1.0).abs() < 0.15, "{variance} {expected}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_and_other_offers_draw_other_numbers() {
        let posterior = evidence(3, 40).posterior();
        let seed = seed_of("dec_1");
        assert_eq!(drawn(seed, "a", posterior), drawn(seed, "a", posterior));
        assert_ne!(drawn(seed, "a", posterior), drawn(seed, "b", posterior));
        assert_ne!(drawn(seed, "a", posterior), drawn(seed_of("dec_2"), "a", posterior));
    }

    /// How often an offer is ranked first over many decisions is what each of them records.
    #[test]
    fn the_probability_is_how_often_an_offer_comes_first() {
        let weights = Weights::default();
        let contenders = [contender(3, 40), contender(5, 40), contender(0, 0)];
        let ids = ["a", "b", "c"];
        let mut firsts = [0.0; 3];
        for seed in 0..4_000 {
            let score = |(contender, id): (&Contender, &str)| {
                let propensity = drawn(seed, id, contender.posterior);
                let worth = Worth { business_value: 50.0, margin: None, priority: 50.0 };
                Factors::of(&worth, propensity, 0.5).score(&weights).unwrap()
            };
            let scores: Vec<f64> = contenders.iter().zip(ids).map(score).collect();
            let best = (0..3).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
            firsts[best] += 1.0 / 4_000.0;
        }
        let mut sum = 0.0;
        for (index, expected) in firsts.into_iter().enumerate() {
            let found = first_probability(7, &contenders, index, &weights);
            assert!((found - expected).abs() < 0.06, "{index}: {found} {expected}");
            sum += found;
        }
        assert!((sum - 1.0).abs() < 1e-9, "one comes first in each draw: {sum}");
    }

    #[test]
    fn without_a_weight_of_propensity_nothing_is_left_to_chance() {
        let weights = Weights { propensity: 0.0, ..Weights::default() };
        let contenders = [contender(0, 40), contender(20, 40)];
        assert_eq!(first_probability(1, &contenders, 0, &weights), 1.0);
        assert_eq!(first_probability(1, &contenders, 1, &weights), 0.0);
    }
}
