//! The report of the demo.

mod effect_model;
mod experiment;
mod figure;

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use super::{
    customer::{self, Customer},
    decide::{self, Decided},
    load::Resource,
    pick::{Capped, Row, silent},
    segment::Counts,
};

pub use effect_model::{effect_model, no_effect_model};
pub use experiment::{read_out, simulated};
pub use figure::{count, heading};
use figure::{figure, pounds};

/// Writes who the customers are and which of their facts are real.
pub fn opening(out: &mut impl Write, customers: usize, now: DateTime<Utc>) -> io::Result<()> {
    let yesterday = customer::last_day(now);
    writeln!(out)?;
    writeln!(
        out,
        "Winback: {} customers of a British gift shop (UCI Online Retail, Chen et al. 2012).",
        count(customers)
    )?;
    writeln!(
        out,
        "From the file: last purchase, purchases, revenue, and country, which gives the time zone."
    )?;
    writeln!(out, "Its dates are shifted: its last day, 2011-12-09, is yesterday, {yesterday}.")?;
    writeln!(
        out,
        "Derived from the customer id (SHA-256), not in the file: category, preferred channel, \
         consent."
    )
}

/// Writes what was posted.
pub fn configuration(out: &mut impl Write, stored: &[(&str, Resource)]) -> io::Result<()> {
    heading(out, "Configuration", "the files of examples/winback")?;
    for (path, resource) in stored {
        writeln!(out, "  POST {path:<27} {}", resource.name)?;
        for warning in &resource.warnings {
            writeln!(out, "       warning: {warning}")?;
        }
    }
    Ok(())
}

/// Writes the segments of the customers.
pub fn customers(out: &mut impl Write, counts: &Counts) -> io::Result<()> {
    heading(out, "Customers", "counted from the file")?;
    figure(out, "customers", counts.customers, "")?;
    figure(out, "  active", counts.active, "bought within 90 days")?;
    figure(out, "  lapsed", counts.lapsed, "silent for 90 to 365 days")?;
    figure(
        out,
        "    recoverable",
        counts.recoverable,
        "of the lapsed: 3 purchases or more, £50 or more",
    )?;
    figure(out, "  lost", counts.lost, "silent for more than 365 days: no message")?;
    figure(out, "  never bought", counts.never_bought, "returns only")?;
    figure(
        out,
        "without consent",
        counts.without_consent,
        "for their preferred channel: declined or never asked (derived)",
    )?;
    figure(
        out,
        "in their night",
        counts.in_their_night,
        "their preferred channel is quiet at this hour",
    )?;
    figure(
        out,
        "without time zone",
        counts.without_zone,
        "country `Unspecified` or `European Community`",
    )
}

/// Writes the decisions by reason.
pub fn decisions(
    out: &mut impl Write,
    all: &[Decided<'_>],
    counts: &Counts,
    seconds: f64,
) -> io::Result<()> {
    let about =
        format!("every customer, preferred channel, {} requests in flight", decide::IN_FLIGHT);
    heading(out, "Decisions", &about)?;
    let offered = all.iter().filter(|one| one.is_offered()).count();
    figure(out, "decisions", all.len(), "")?;
    figure(out, "  offer", offered, &by_offer(all))?;
    let mut listed = offered;
    for (code, note) in REASONS {
        let number = all.iter().filter(|one| one.answer.reason_code == code).count();
        listed += number;
        if number > 0 {
            figure(out, &format!("  {code}"), number, note)?;
        }
    }
    if listed < all.len() {
        figure(out, "  other reasons", all.len() - listed, "see the records of the decisions")?;
    }
    let held_out = all.iter().filter(|one| one.answer.control_group).count();
    let share = 100.0 * held_out as f64 / all.len().max(1) as f64;
    figure(
        out,
        "held out",
        held_out,
        &format!("{share:.2} % of all customers, for any other reason too; 15 % configured"),
    )?;
    let qualified = all.iter().filter(|one| !one.is_unqualified()).count();
    let agrees = if qualified == counts.recoverable {
        "exactly the recoverable customers of the file"
    } else {
        "NOT the recoverable customers of the file"
    };
    figure(out, "qualified", qualified, agrees)?;
    let mut latencies: Vec<f64> = all.iter().map(|one| one.answer.latency_ms).collect();
    latencies.sort_by(f64::total_cmp);
    let at =
        |share: usize| latencies.get(latencies.len() * share / 100).copied().unwrap_or_default();
    writeln!(
        out,
        "  Took {seconds:.1} s; half of the answers within {:.1} ms, 99 % within {:.1} ms.",
        at(50),
        at(99)
    )
}

/// Reasons for no offer, in the order of their checks, each with a note.
const REASONS: [(&str, &str); 11] = [
    ("customer_unknown", "no record"),
    ("customer_unavailable", "the record could not be read"),
    ("nothing_qualified", "active, lost, or lapsed and not recoverable"),
    ("holdout", "qualified and held out, to measure what the campaign earns"),
    ("consent_withheld", "declined the channel"),
    ("consent_unknown", "never asked, which counts as no"),
    ("consent_withdrawn", "withdrawn"),
    ("quiet_hours", "an offer at the wrong hour; the answer says when to deliver"),
    ("timezone_unknown", "without a zone, quiet hours are unknown"),
    ("frequency_cap", "contacted often enough"),
    ("policy_unavailable", "policy-svc did not answer, so nothing is offered"),
];

fn by_offer(all: &[Decided<'_>]) -> String {
    let mut by_name = std::collections::BTreeMap::<&str, usize>::new();
    for offer in all.iter().filter_map(|one| one.answer.decisions.first()) {
        *by_name.entry(&offer.name).or_default() += 1;
    }
    let parts: Vec<_> = by_name.iter().map(|(name, number)| format!("{number} {name}")).collect();
    parts.join(" · ")
}

/// Writes a few decisions with their reasons.
pub fn rows(out: &mut impl Write, rows: &[Row<'_>], now: DateTime<Utc>) -> io::Result<()> {
    heading(
        out,
        "A few of them",
        "customer, country, days since last purchase, purchases, revenue, channel: answer, reason",
    )?;
    for Row { decided, why } in rows {
        let Customer { id, country, purchases, revenue, channel, .. } = decided.customer;
        let days = silent(decided.customer, now);
        let answer = match decided.answer.decisions.first() {
            Some(offer) => format!("{} (score {:.2})", offer.name, offer.score),
            None => format!("none: {}", decided.answer.reason_code),
        };
        let revenue = pounds(*revenue);
        writeln!(
            out,
            "  {id}  {country:<18} {days:>4} d {purchases:>3} × {revenue:>11} {channel:<5}  \
             {answer}"
        )?;
        writeln!(out, "         {why}")?;
        if let Some(instant) = &decided.answer.deliver_after {
            writeln!(out, "         deliver after {instant}")?;
        }
    }
    Ok(())
}

/// Writes the test of the night and of the cap.
pub fn tried(
    out: &mut impl Write,
    id: &str,
    night: &str,
    asleep: &str,
    capped: Option<&Capped<'_>>,
) -> io::Result<()> {
    writeln!(out, "  {id} again, a dry run for {night}: {asleep}")?;
    let Some(Capped { customer, offers, refusal }) = capped else { return Ok(()) };
    let end = match refusal {
        Some(answer) => format!("then {}: {}", answer.reason_code, answer.reason),
        None => "and the cap did not refuse".to_owned(),
    };
    writeln!(out, "  {}, asked repeatedly: {offers} offers, {end}", customer.id)
}

/// Writes one answer in full.
pub fn trace(out: &mut impl Write, decided: &Decided<'_>) -> anyhow::Result<()> {
    heading(
        out,
        "One full answer",
        &format!("customer {}, as the gateway sent it", decided.customer.id),
    )?;
    let value: serde_json::Value = super::http::read(&decided.text)?;
    for line in serde_json::to_string_pretty(&value)?.lines() {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Writes commands to try next.
pub fn try_next(
    out: &mut impl Write,
    base: &str,
    decided: &Decided<'_>,
    at: &str,
    experiment: &str,
) -> io::Result<()> {
    let Customer { id, channel, .. } = decided.customer;
    let decision = decided.answer.decision_id.as_deref().unwrap_or_default();
    let address = base.strip_prefix("http://").unwrap_or(base);
    let api = format!("{base}/api/v1");
    let rest = format!(r#""channel":"{channel}","flow":"Winback""#);
    let request = format!(r#""customerId":"{id}",{rest}"#);
    heading(out, "Try next", "every line runs as shown")?;
    writeln!(out, "  Request a decision:")?;
    writeln!(out, "    curl -X POST {api}/recommend -d '{{{request}}}'")?;
    writeln!(out, "  The same at two in the morning, as a dry run that writes nothing:")?;
    let dry_run = format!(r#""dryRun":true,"at":"{at}""#);
    writeln!(out, "    curl -X POST {api}/recommend -d '{{{request},{dry_run}}}'")?;
    writeln!(out, "  Read the record of a decision, and of a customer:")?;
    writeln!(out, "    curl {api}/decisions/{decision}")?;
    writeln!(out, "    curl {api}/schemas/Customer/records/{id}")?;
    writeln!(out, "  Withdraw consent, then request again:")?;
    let withdrawal = r#"{"granted":false,"source":"demo"}"#;
    writeln!(out, "    curl -X PUT {api}/customers/{id}/consents/{channel} -d '{withdrawal}'")?;
    writeln!(out, "  Read the results of the experiment:")?;
    writeln!(out, "    curl '{api}/experiments/{experiment}/results?metric=conversion_rate'")?;
    writeln!(out, "  The same port serves gRPC with reflection:")?;
    writeln!(out, "    grpcurl -plaintext {address} list")?;
    let method = "proffer.decision.v1.DecisionService/Recommend";
    writeln!(
        out,
        r#"    grpcurl -plaintext -d '{{"customer_id":"{id}",{rest}}}' {address} {method}"#
    )
}
