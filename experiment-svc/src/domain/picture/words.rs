//! Numbers and verdicts as text.

use crate::domain::{
    analysis::{Interval, ReadOut, Verdict},
    measure::{Metric, Scale},
};

/// Characters of a line.
const LINE_MAX: usize = 118;
/// Reasons that are shown; the results list all.
const REASONS_MAX: usize = 3;

/// The verdict, with what it rests on or why there is none; a text per line.
pub fn verdict(read_out: &ReadOut) -> Vec<String> {
    let judgment = &read_out.judgment;
    let word = match judgment.verdict {
        Verdict::Gain => "Gain",
        Verdict::Loss => "Loss",
        Verdict::Inconclusive => "Inconclusive",
        Verdict::Withheld => "Verdict withheld",
    };
    let early = match judgment.is_early {
        true => " before the end, by the interval that holds at every look",
        false => "",
    };
    let preliminary = match judgment.is_preliminary {
        true => " Preliminary: outcomes may still arrive.",
        false => "",
    };
    let metric = &read_out.metric.name;
    let mut lines = wrapped(&format!("{word} in {metric}{early}.{preliminary}"));
    for reason in judgment.withheld.iter().take(REASONS_MAX) {
        lines.extend(wrapped(&format!("– {reason}")));
    }
    let harmed = read_out.guardrails.iter().filter(|guardrail| guardrail.is_harmed());
    for guardrail in harmed {
        lines.extend(wrapped(&format!("! {} got worse", guardrail.metric.name)));
    }
    lines
}

/// A value and its interval, in the units in which the metric is read.
pub fn value(metric: &Metric, value: f64, interval: Option<Interval>) -> String {
    let shown = |value: f64| match metric.scale {
        Scale::Rate => format!("{:+.3}", value * 100.0),
        Scale::Amount | Scale::Ratio => format!("{value:+.4}"),
    };
    let unit = if metric.scale == Scale::Rate { " points" } else { "" };
    match interval {
        Some([low, high]) => format!("{}{unit} [{}, {}]", shown(value), shown(low), shown(high)),
        None => format!("{}{unit}, no interval", shown(value)),
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let is_full = lines.last().is_some_and(|line| {
            !line.is_empty() && line.chars().count() + word.chars().count() >= LINE_MAX
        });
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
