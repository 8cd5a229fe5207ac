//! The evaluation of a flow in this process: compared with hand-written code, and with itself on a
//! larger catalog; and its allocations. The term is the CPU time of one thread.

pub mod allocation;
mod floor;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod workload;

use anyhow::ensure;
use cpu_time::ThreadTime;
use decision_svc::domain::scratch::Workspace;

use crate::ratio::{self, Goal, Term};
use floor::Floor;
use ours::Ours;
use workload::{CUSTOMERS, Shape, Workload};

/// Minimum CPU time of one term in one round, in seconds.
const ROUND_SECONDS: f64 = 0.05;
/// Number of best offers that both sides must find.
pub const BEST: usize = 3;

/// Numbers of the best offers, best first; fewer if fewer qualify.
pub type Best = Vec<u32>;

/// CPU time of one decision in ns, over whole rotations of the customers.
fn time(mut decide: impl FnMut(usize)) -> f64 {
    let mut decisions = 0;
    let started = ThreadTime::now();
    while started.elapsed().as_secs_f64() < ROUND_SECONDS {
        (0..CUSTOMERS).for_each(&mut decide);
        decisions += CUSTOMERS;
    }
    started.elapsed().as_secs_f64() * 1e9 / decisions as f64
}

/// Measures two terms in alternation, after one warm-up of both.
fn compare(
    rounds: usize,
    title: &str,
    (above_name, above): (&str, &mut dyn FnMut(usize)),
    (below_name, below): (&str, &mut dyn FnMut(usize)),
    goal: Goal,
) {
    let mut terms = [Term::new(above_name), Term::new(below_name), Term::new("the same again")];
    (0..CUSTOMERS).for_each(&mut *above);
    (0..CUSTOMERS).for_each(&mut *below);
    for _ in 0..rounds {
        terms[0].rounds.push(time(&mut *above));
        terms[1].rounds.push(time(&mut *below));
        terms[2].rounds.push(time(&mut *below));
    }
    ratio::print(title, &terms[0], &terms[1], &terms[2], goal);
}

/// Checks that both sides find the same best offers for every customer.
fn agree(
    name: &str,
    left: impl Fn(usize) -> Best,
    mut right: impl FnMut(usize) -> Best,
) -> anyhow::Result<()> {
    for customer in 0..CUSTOMERS {
        let (left, right) = (left(customer), right(customer));
        ensure!(left == right, "{name}: customer {customer} gets {left:?} and {right:?}");
    }
    Ok(())
}

fn over_floor(rounds: usize, shape: Shape, what: &str, goal: Goal) -> anyhow::Result<()> {
    for offers in [100, 1_000, 10_000] {
        let workload = Workload::new(offers, shape);
        let (floor, ours) = (Floor::new(&workload), Ours::new(&workload));
        let mut workspace = Workspace::default();
        agree(
            "the floor and the oracle",
            |customer| floor.best(customer),
            |customer| ours.by_oracle(customer),
        )?;
        agree(
            "the floor and ours",
            |customer| floor.best(customer),
            |customer| ours.best(customer),
        )?;
        compare(
            rounds,
            &format!("Evaluation over a hand-written floor, {what}, {offers} offers"),
            ("CPU of an evaluation, best three, ns", &mut |customer| {
                ours.evaluate(customer, &mut workspace)
            }),
            ("CPU of the floor, best three, ns", &mut |customer| floor.run(customer)),
            goal,
        );
    }
    Ok(())
}

fn growth(rounds: usize) -> anyhow::Result<()> {
    let (small, large) = (Workload::new(9, Shape::Sparse), Workload::new(9_999, Shape::Sparse));
    for workload in [&small, &large] {
        let (floor, ours) = (Floor::new(workload), Ours::new(workload));
        agree(
            "the floor and ours",
            |customer| floor.best(customer),
            |customer| ours.best(customer),
        )?;
    }
    let (small, large) = (Ours::new(&small), Ours::new(&large));
    let (mut few, mut many) = (Workspace::default(), Workspace::default());
    compare(
        rounds,
        "An evaluation with 3 candidates, among 9,999 offers over among 9",
        ("CPU of an evaluation, 9,999 offers, ns", &mut |customer| {
            large.evaluate(customer, &mut many)
        }),
        ("CPU of an evaluation, 9 offers, ns", &mut |customer| small.evaluate(customer, &mut few)),
        Goal::AtMost(1.25),
    );
    Ok(())
}

/// The rest of a decision's plan: up to 500 ranked offers with their texts and factors, without the
/// refusals.
fn whole_plan(rounds: usize) {
    for offers in [9, 1_000] {
        let ours = Ours::new(&Workload::new(offers, Shape::Shared));
        let (mut planned, mut workspace) = (Workspace::default(), Workspace::default());
        compare(
            rounds,
            &format!("The whole plan of a decision over its evaluation, dense, {offers} offers"),
            ("CPU of a plan, best 500, ns", &mut |customer| ours.plan(customer, &mut planned)),
            ("CPU of an evaluation, best three, ns", &mut |customer| {
                ours.evaluate(customer, &mut workspace)
            }),
            Goal::None,
        );
    }
}

fn allocations() -> anyhow::Result<()> {
    println!("Allocations of one evaluation after warm-up, dense and sparse, 9 and 10,000 offers");
    let mut most = 0;
    for (offers, shape) in [
        (9, Shape::Shared),
        (10_000, Shape::Shared),
        (10_000, Shape::Single),
        (9_999, Shape::Sparse),
    ] {
        let ours = Ours::new(&Workload::new(offers, shape));
        let mut workspace = Workspace::default();
        (0..CUSTOMERS).for_each(|customer| ours.evaluate(customer, &mut workspace));
        let count = |decide: &mut dyn FnMut(usize)| {
            let before = allocation::count();
            (0..CUSTOMERS).for_each(decide);
            allocation::count() - before
        };
        let (evaluated, again) = (
            count(&mut |customer| ours.evaluate(customer, &mut workspace)),
            count(&mut |customer| ours.evaluate(customer, &mut workspace)),
        );
        let oracle =
            if offers == 9 { count(&mut |customer| drop(ours.by_oracle(customer))) } else { 0 };
        most = most.max(evaluated).max(again);
        println!(
            "  {offers:>6} offers, {shape:?}: {evaluated}, then {again} in {CUSTOMERS} decisions"
        );
        if oracle > 0 {
            println!("  {offers:>6} offers, {shape:?}, tree-walking oracle: {oracle}");
        }
    }
    println!("  most {most}   goal 0: {}", if most == 0 { "met" } else { "missed" });
    ensure!(allocation::count() > 0, "the allocations are not counted");
    Ok(())
}

fn compiling() {
    println!("Compiling a flow of 10,000 offers");
    for shape in [Shape::Shared, Shape::Single, Shape::Sparse] {
        let workload = Workload::new(10_000, shape);
        let started = ThreadTime::now();
        drop(Ours::new(&workload));
        println!(
            "  {shape:?}, with the oracle's own: {:.1} ms",
            started.elapsed().as_secs_f64() * 1e3
        );
        let started = ThreadTime::now();
        drop(workload.compile());
        println!("  {shape:?}: {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    }
}

/// Runs the rounds and prints the report.
pub fn run(rounds: usize) -> anyhow::Result<()> {
    over_floor(rounds, Shape::Shared, "dense", Goal::AtMost(8.0))?;
    over_floor(rounds, Shape::Single, "dense, every offer with bounds of its own", Goal::None)?;
    growth(rounds)?;
    whole_plan(rounds);
    allocations()?;
    compiling();
    Ok(())
}

/// Measures other engines and prints the report.
#[cfg(feature = "peers")]
pub fn run_peers(rounds: usize) -> anyhow::Result<()> {
    peers::run(rounds)
}
