//! Checks of customers with few and with many past contacts, on SQLite. All work happens in this
//! process, so its CPU time is the term.

use chrono::TimeDelta;
use cpu_time::ProcessTime;
use database::Location;
use proffer_proto::policy::v1 as proto;

use crate::{
    gate::Gate,
    ratio::{self, Goal, Term},
};

/// Checks per term of a round.
const CHECKS: usize = 2_000;
/// Outcomes per delivery.
const DELIVERY: i64 = 500;

/// Reports `count` contacts. The first is `first_day` days old; the others spread back over two
/// years.
async fn contact(gate: &Gate, customer_id: &str, count: i64, first_day: i64) -> anyhow::Result<()> {
    let minutes = (730 - first_day) * 24 * 60;
    let reported = |seq: i64| {
        let ago = TimeDelta::days(first_day) + TimeDelta::minutes(minutes * seq / count);
        proto::OutcomeFact {
            outcome_id: format!("out_{customer_id}_{seq}"),
            customer_id: customer_id.into(),
            customer_seq: seq,
            key: "impression".into(),
            counts_as_contact: true,
            offer: Some(proto::OfferSubject {
                offer_id: "off_apparel".into(),
                category: "Apparel".into(),
                ..Default::default()
            }),
            channel: "email".into(),
            occurred_at: Some(history::timestamp(gate.clock.now() - ago)),
            ..Default::default()
        }
    };
    let all: Vec<_> = (1..=count).map(reported).collect();
    for outcomes in all.chunks(DELIVERY as usize) {
        let request = proto::DeliverOutcomesRequest { outcomes: outcomes.to_vec() };
        gate.client().deliver_outcomes(request).await?;
    }
    Ok(())
}

/// CPU time of one check in µs.
async fn check(gate: &Gate, customer_id: &str) -> anyhow::Result<f64> {
    let mut client = gate.client();
    let started = ProcessTime::now();
    for _ in 0..CHECKS {
        let request = proto::CheckRequest {
            question: Some(gate.question(customer_id)),
            ..Default::default()
        };
        client.check(request).await?;
    }
    Ok(started.elapsed().as_secs_f64() * 1e6 / CHECKS as f64)
}

/// Runs the rounds and prints the report.
pub async fn run(rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let gate = Gate::open(&Location::Folder(folder.path().to_owned())).await?;
    contact(&gate, "few", 10, 31).await?;
    contact(&gate, "many", 10_000, 31).await?;
    let mut many = Term::new("CPU of a check, 10,000 past contacts, µs");
    let mut few = Term::new("CPU of a check, 10 past contacts, µs");
    let mut again = Term::new("the same again");
    check(&gate, "few").await?;
    for _ in 0..rounds {
        many.rounds.push(check(&gate, "many").await?);
        few.rounds.push(check(&gate, "few").await?);
        again.rounds.push(check(&gate, "few").await?);
    }
    ratio::print("A check, 10,000 past contacts over 10", &many, &few, &again, Goal::AtMost(2.0));
    Ok(())
}
