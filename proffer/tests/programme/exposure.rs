//! Exposure is the same function of customer and time in both arms.

use futures::future::join_all;

use super::{
    caller::{Plan, Run},
    world::World,
};

const CUSTOMERS: usize = 80;

async fn run(seed: u64, holdout: u32) -> Run {
    let plan = Plan::of(seed, CUSTOMERS, 3);
    let world = World::open(holdout, &plan.customers, None).await;
    plan.play(&world).await
}

/// Each customer is run under either arm, and is exposed at the same instant with the same offer.
async fn check(seed: u64) -> Run {
    let (treated, held_out) = tokio::join!(run(seed, 0), run(seed, 100));
    assert_eq!(treated.exposures, held_out.exposures, "seed {seed}");
    assert_eq!(treated.reasons, held_out.reasons, "seed {seed}");
    treated
}

#[tokio::test(flavor = "multi_thread")]
async fn each_customer_under_either_arm_has_the_same_first_exposure() {
    let runs = join_all([1, 2, 3, 4].map(check)).await;
    let runs: Vec<_> = runs.into_iter().chain(join_all([5, 6, 7, 8].map(check)).await).collect();
    // The runs could have noticed: exposures came of every way to ask and after every refusal.
    let sum = |of: fn(&Run) -> usize| runs.iter().map(of).sum::<usize>();
    assert!(sum(|run| run.exposures.len()) > 80, "{runs:?}");
    assert!(sum(|run| run.after_answer) > 20, "{runs:?}");
    assert!(sum(|run| run.in_batch) > 20, "{runs:?}");
    for reason in ["quiet_hours", "time_window", "frequency_cap", "consent_withdrawn"] {
        let met = runs.iter().any(|run| run.reasons.contains_key(reason));
        assert!(met, "no answer was {reason}: {runs:?}");
    }
}
