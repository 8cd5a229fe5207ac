//! The picture as text; its looks are checked by eye.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::{
    analysis::{Arm, Counts, Design, More, Past, Population, Sample, read_out},
    experiment::{SplitEpoch, Status},
    measure::{Harm, Metric},
};

fn at(day: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::days(day)
}

fn counts(metric: &str, treated: (u64, u64), held_out: (u64, u64)) -> Counts {
    let mut counts = Counts::new(Metric::parse(metric).unwrap());
    for (arm, (events, n)) in [(Arm::Treatment, treated), (Arm::Holdout, held_out)] {
        let sample = Sample {
            n,
            events,
            buyers: events,
            sum: Some(events.into()),
            squares: Some(events.into()),
            ..Sample::default()
        };
        counts.add_sample(Population::Assigned, 1, arm, &sample);
        counts.add_sample(Population::Matched, 1, arm, &sample);
    }
    counts
}

fn design() -> Design {
    Design {
        status: Status::Running,
        primary_metric: Metric::parse("conversion_rate").unwrap(),
        planned_end: Some(at(90)),
        outcome_window: None,
        concluded_at: None,
        epochs: vec![SplitEpoch { epoch: 1, holdout_basis_points: 1_500, since: at(0) }],
        expected_customers: 5_000,
        is_external: false,
    }
}

/// Thirty days in which the difference becomes clear.
fn days() -> Vec<Day> {
    let day = |day: i64| {
        let scale = day.unsigned_abs() + 1;
        let counts = counts("conversion_rate", (18 * scale, 283 * scale), (2 * scale, 50 * scale));
        let findings =
            crate::domain::analysis::Findings::of(&design(), &counts, Population::Assigned, None);
        Day::of(&design(), &counts.metric, &findings, at(day))
    };
    (0..30).map(day).collect()
}

fn picture(name: &str, counts: &Counts, days: Vec<Day>) -> String {
    let more = More {
        secondary: vec![self::counts("outcome:visit", (2_000, 8_500), (300, 1_500))],
        guardrails: vec![
            (Harm::Up, self::counts("outcome:opt_out", (120, 8_500), (5, 1_500))),
            (Harm::Up, self::counts("outcome:complaint", (12, 8_500), (2, 1_500))),
        ],
        past: Past { days },
        counted_through: Some(at(95)),
        ..More::default()
    };
    let read_out = read_out(&design(), counts, &more, at(30));
    svg(name, &read_out, &more.past.days).unwrap()
}

#[test]
fn a_picture_shows_the_verdict_every_metric_the_days_and_the_sizes() {
    let counts = counts("conversion_rate", (540, 8_490), (60, 1_500));
    let svg = picture("Winback Q4", &counts, days());
    for text in [
        "Winback Q4",
        "Gain in conversion_rate before the end",
        "everyone assigned",
        "at every look",
        "would-be-treated",
        "Secondary: outcome:visit",
        "Guardrail: outcome:opt_out, harmed",
        "Guardrail: outcome:complaint, no harm shown",
        "outcome:opt_out got worse",
        "By day",
        "<polygon",
        "Sample ratio",
        "1500 of 9990",
    ] {
        assert!(svg.contains(text), "{text}\n{svg}");
    }
    if let Ok(path) = std::env::var("PROFFER_TEST_PICTURE") {
        std::fs::write(path, svg).unwrap();
    }
}

#[test]
fn a_picture_of_nothing_says_so() {
    let svg = picture("Empty", &counts("conversion_rate", (0, 0), (0, 0)), Vec::new());
    assert!(svg.contains("not enough data") && svg.contains("no customers"), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("<polygon"), "{svg}");
}

#[test]
fn a_name_is_text_and_never_markup() {
    let name = "<script>alert(\"x\")</script> & \u{1} more";
    let svg = picture(name, &counts("conversion_rate", (9, 90), (1, 20)), Vec::new());
    assert!(!svg.contains("<script>") && !svg.contains('\u{1}'), "{svg}");
    assert!(svg.contains("&lt;script&gt;"), "{svg}");
}

/// A viewer who prefers dark gets the dark form of each color that is drawn.
#[test]
fn every_color_has_a_dark_form() {
    let svg = picture("Colors", &counts("conversion_rate", (540, 8_490), (60, 1_500)), days());
    let style = svg.split("</style>").next().unwrap();
    assert!(style.contains("prefers-color-scheme: dark"), "{style}");
    let drawn = svg.split("</style>").nth(1).unwrap();
    for attribute in ["fill=\"#", "stroke=\"#"] {
        for rest in drawn.split(attribute).skip(1) {
            let color: String = rest.chars().take(6).collect();
            assert!(style.contains(&format!("{attribute}{color}\"]")), "{attribute}{color}");
        }
    }
}
