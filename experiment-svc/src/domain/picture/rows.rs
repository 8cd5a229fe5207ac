//! One line per difference: its value, its interval, and where zero is.

use plotters::{
    element::{Circle, PathElement},
    style::{Color as _, RGBColor},
};

use super::{Area, DrawError, MARGIN, WIDTH, color, words, write};
use crate::domain::{
    analysis::{Effect, Interval, ReadOut},
    measure::Metric,
};

const ROW: i32 = 26;
const HEADING: i32 = 30;
/// Where the lines begin and end.
const LEFT: i32 = 240;
const RIGHT: i32 = 600;
/// Share of the line on either side of zero that the widest interval takes.
const FILLED: f64 = 0.95;

/// Differences on one metric, drawn to one scale.
pub struct Group {
    heading: String,
    metric: Metric,
    rows: Vec<Row>,
}

struct Row {
    label: &'static str,
    difference: f64,
    interval: Option<Interval>,
    color: RGBColor,
}

/// The primary figures, then each further metric.
pub fn groups(read_out: &ReadOut) -> Vec<Group> {
    let row = |label, effect: &Effect| Row {
        label,
        difference: effect.difference,
        interval: effect.interval,
        color: color::FIXED,
    };
    let (assigned, matched) = (&read_out.assigned, &read_out.matched);
    let effects = [
        ("everyone assigned", assigned.effect.as_ref()),
        ("adjusted by covariate", assigned.cuped.as_ref().map(|cuped| &cuped.effect)),
        ("winsorized", assigned.winsorized.as_ref().map(|winsorized| &winsorized.effect)),
        ("would-be-treated", matched.effect.as_ref()),
    ];
    let mut rows: Vec<_> =
        effects.into_iter().filter_map(|(label, effect)| Some(row(label, effect?))).collect();
    if let (Some(anytime), Some(effect)) = (assigned.anytime, &assigned.effect) {
        let interval = Some(anytime.interval);
        let difference = effect.difference;
        rows.insert(1, Row { label: "at every look", difference, interval, color: color::ANYTIME });
    }
    let metric = read_out.metric.clone();
    let heading = format!("Difference in {} per customer", metric.name);
    let mut groups = vec![Group { heading, metric, rows }];
    for secondary in &read_out.secondary {
        let heading = format!("Secondary: {}", secondary.metric.name);
        let rows = secondary.effect.iter().map(|effect| row("everyone assigned", effect)).collect();
        groups.push(Group { heading, metric: secondary.metric.clone(), rows });
    }
    for guardrail in &read_out.guardrails {
        let harmed = guardrail.is_harmed();
        let state = if harmed { "harmed" } else { "no harm shown" };
        let heading = format!("Guardrail: {}, {state}", guardrail.metric.name);
        let paint = if harmed { color::ALARM } else { color::FIXED };
        let rows = guardrail.effect.iter().map(|effect| row("everyone assigned", effect));
        let rows = rows.map(|row| Row { color: paint, ..row }).collect();
        groups.push(Group { heading, metric: guardrail.metric.clone(), rows });
    }
    groups
}

/// Pixels that the groups take.
pub fn height(groups: &[Group]) -> i32 {
    groups.iter().map(|group| HEADING + ROW * group.rows.len().max(1) as i32).sum()
}

/// Draws the groups below each other.
pub fn draw(area: &Area<'_>, groups: &[Group]) -> Result<(), DrawError> {
    let mut top = 0;
    for group in groups {
        write(area, &group.heading, (MARGIN, top + 10), 14, color::INK)?;
        top += HEADING;
        if group.rows.is_empty() {
            write(area, "not enough data", (MARGIN, top + 4), 13, color::FAINT)?;
            top += ROW;
        }
        let reach = reach(&group.rows);
        for row in &group.rows {
            draw_row(area, &group.metric, row, (top, reach))?;
            top += ROW;
        }
    }
    Ok(())
}

/// The largest distance from zero of a group's rows.
fn reach(rows: &[Row]) -> f64 {
    let ends = rows.iter().flat_map(|row| {
        let [low, high] = row.interval.unwrap_or([row.difference; 2]);
        [low.abs(), high.abs(), row.difference.abs()]
    });
    ends.fold(0.0, f64::max)
}

fn draw_row(
    area: &Area<'_>,
    metric: &Metric,
    row: &Row,
    (top, reach): (i32, f64),
) -> Result<(), DrawError> {
    let middle = top + ROW / 2;
    let zero = (LEFT + RIGHT) / 2;
    let half = f64::from(RIGHT - LEFT) / 2.0 * FILLED;
    let x = |value: f64| {
        if reach > 0.0 { zero + (value / reach * half) as i32 } else { zero }
    };
    let line = |from: (i32, i32), to: (i32, i32), color: RGBColor, width: u32| {
        area.draw(&PathElement::new(vec![from, to], color.stroke_width(width)))
    };
    line((LEFT, middle), (RIGHT, middle), color::LINE, 1)?;
    line((zero, top), (zero, top + ROW), color::FAINT, 1)?;
    if let Some([low, high]) = row.interval {
        line((x(low), middle), (x(high), middle), row.color, 3)?;
        for end in [low, high] {
            line((x(end), middle - 5), (x(end), middle + 5), row.color, 2)?;
        }
    }
    area.draw(&Circle::new((x(row.difference), middle), 5, row.color.filled()))?;
    write(area, row.label, (MARGIN, middle - 7), 13, color::FAINT)?;
    let value = words::value(metric, row.difference, row.interval);
    debug_assert!(RIGHT < WIDTH as i32);
    write(area, &value, (RIGHT + 16, middle - 7), 13, color::INK)
}
