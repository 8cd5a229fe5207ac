//! What the read-out says of a programme whose effect is known.
//!
//! `PROFFER_TEST_RUNS=200` makes it the drill: so many seeds with an effect and without, 4,000
//! customers each. docs/experiments.md has what it found.

use chrono::{DateTime, TimeDelta, Utc};
use http::Method;
use serde_json::{Value, json};

use super::{
    caller::{Draw, Plan, Run},
    world::{World, start},
};

/// Customers of a run of the drill, of whom a tenth qualifies; and of a run of the test.
const CUSTOMERS: [usize; 2] = [4_000, 200];
/// One of so many qualifies.
const ONE_OF: u64 = 10;
const HOLDOUT: u32 = 30;
/// Contacts that the budget has for a hundred who qualify, so that it runs out.
const BUDGET_PERCENT: usize = 60;
/// Of a hundred customers so many buy without contact, and so many more because of it.
const BUY: u64 = 20;
const BUY_MORE: u64 = 25;
/// What a purchase is worth: this and less than twice this.
const VALUE: u64 = 40;

/// What a read-out said of a run.
#[derive(Clone, Debug)]
struct Found {
    truth: f64,
    total: f64,
    bounds: [f64; 2],
    /// Width of the interval of the total over everyone assigned.
    assigned_width: f64,
    /// p of the sample ratio over the matched.
    srm: f64,
}

/// Plays a programme, lets customers buy, and reads it out.
async fn found(seed: u64, customers: usize, buy_more: u64) -> Found {
    let plan = Plan::of(seed, customers, ONE_OF);
    let everybody: Vec<_> = plan.customers.iter().map(|(customer, _)| customer.clone()).collect();
    let budget = customers * BUDGET_PERCENT / 1_000;
    let world = World::open(HOLDOUT, &plan.customers, Some(budget)).await;
    let run = plan.play(&world).await;
    let end = start() + TimeDelta::days(30);
    world.set(end);
    let bought: Vec<_> =
        everybody.iter().flat_map(|customer| purchases(seed, customer, &run, buy_more)).collect();
    for outcomes in bought.chunks(500) {
        let answer = world.post("respond/batch", json!({"outcomes": outcomes})).await;
        assert_eq!(answer["accepted"], json!(outcomes.len()), "{answer}");
    }
    let results = read_out(&world, &world.experiment, end + TimeDelta::minutes(1)).await;
    let treated = run.exposures.keys().filter(|customer| !run.held_out.contains(*customer)).count();
    let matched = &results["ghostMatched"];
    assert_eq!(matched["arms"][0]["n"], json!(treated), "{matched}");
    assert_eq!(matched["arms"][1]["n"], json!(run.exposures.len() - treated), "{matched}");
    // Values are evenly spread over VALUE to 2 × VALUE − 1.
    let mean = (VALUE as f64 * 3.0 - 1.0) / 2.0;
    let ends = |total: &Value| [0, 1].map(|end| total["ci95"][end].as_f64().unwrap());
    let all = ends(&results["incrementalTotal"]);
    let total = &matched["incrementalTotal"];
    Found {
        truth: treated as f64 * mean * buy_more as f64 / 100.0,
        total: total["value"].as_f64().unwrap_or_else(|| panic!("seed {seed}: {matched}")),
        bounds: ends(total),
        assigned_width: all[1] - all[0],
        srm: matched["srm"]["p"].as_f64().unwrap(),
    }
}

/// What a customer buys: alike in both arms, but for a purchase after a contact.
fn purchases(seed: u64, customer: &str, run: &Run, buy_more: u64) -> Vec<Value> {
    let number: u64 = customer.trim_start_matches('c').parse().unwrap();
    let mut draw = Draw(seed.wrapping_mul(1_000_003).wrapping_add(number));
    let mut purchase = |share: u64, at: DateTime<Utc>, key: &str| {
        let (happens, value, hours) = (draw.next(100), draw.next(VALUE), draw.next(48));
        (happens < share).then(|| {
            let at = at + TimeDelta::hours(i64::try_from(hours).unwrap());
            json!({"customerId": customer, "outcome": "conversion", "value": VALUE + value,
                "occurredAt": at.to_rfc3339(), "idempotencyKey": format!("{key}-{customer}")})
        })
    };
    // After every first exposure, so that it counts in both read-outs.
    let own = purchase(BUY, start() + TimeDelta::days(25), "own");
    let contact = run.exposures.get(customer).filter(|_| !run.held_out.contains(customer));
    let share = if contact.is_some() { buy_more } else { 0 };
    let more = purchase(share, contact.map_or(start(), |(at, _)| *at), "more");
    own.into_iter().chain(more).collect()
}

/// The results of an experiment once everything is counted.
pub async fn read_out(world: &World, experiment: &str, now: DateTime<Utc>) -> Value {
    let path = format!("experiments/{experiment}/results?metric=revenue_per_customer");
    world.set(now);
    for _ in 0..3_000 {
        let results = world.call(Method::GET, &path, &json!(null)).await;
        let through = results["countedThrough"].as_str().unwrap_or_default();
        let through = DateTime::parse_from_rfc3339(through).ok();
        if through.is_some_and(|through| through >= now - TimeDelta::seconds(30)) {
            return results;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the outcomes were never counted");
}

/// So many runs, when this is a drill.
pub fn runs() -> Option<u64> {
    std::env::var("PROFFER_TEST_RUNS").ok().map(|runs| runs.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matched_total_is_that_of_the_customers_who_were_or_would_have_been_contacted() {
    let Some(runs) = runs() else {
        let found = found(1, CUSTOMERS[1], BUY_MORE).await;
        assert!(found.bounds[0] < found.total && found.total < found.bounds[1], "{found:?}");
        return;
    };
    let share = |count: u64| (count * runs) as f64 / 200.0;
    for buy_more in [BUY_MORE, 0] {
        let mut all = Vec::new();
        for seed in 1..=runs {
            all.push(found(seed, CUSTOMERS[0], buy_more).await);
        }
        let count = |is: &dyn Fn(&Found) -> bool| all.iter().filter(|it| is(it)).count() as f64;
        let errors: Vec<_> = all.iter().map(|it| it.total - it.truth).collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let variance = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>()
            / (errors.len() as f64 - 1.0);
        let monte_carlo = (variance / errors.len() as f64).sqrt();
        let mut widths: Vec<_> =
            all.iter().map(|it| (it.bounds[1] - it.bounds[0]) / it.assigned_width).collect();
        widths.sort_by(f64::total_cmp);
        let width = widths[widths.len() / 2];
        let covered = count(&|it| (it.bounds[0]..=it.bounds[1]).contains(&it.truth));
        let above = count(&|it| it.bounds[0] > 0.0);
        let (rare, rarer) = (count(&|it| it.srm < 0.05), count(&|it| it.srm < 0.001));
        println!(
            "{runs} seeds, +{buy_more} of 100 buy: covered {covered}, mean error {mean:.1} ± \
             {monte_carlo:.1}, median width by the assigned {width:.2}, lower bound above 0 \
             {above}, sample ratio p < .05 {rare}, < .001 {rarer}"
        );
        assert!(rare <= share(20).max(2.0) && rarer <= share(2).max(1.0));
        assert!(mean.abs() <= 3.0 * monte_carlo, "{mean} ± {monte_carlo}");
        assert!(covered >= share(181).floor() && width <= 0.5);
        assert!(buy_more > 0 || above <= share(12).max(1.0));
    }
}
