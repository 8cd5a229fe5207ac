//! The anytime interval by day, with the fixed one inside it.

use chrono::{NaiveDate, TimeDelta};
use drawing::Axes;
use plotters::{
    element::{PathElement, Polygon},
    style::Color as _,
};

use super::{Area, DrawError, MARGIN, color, write};
use crate::domain::analysis::{Day, Interval};

/// Labels of the axis of days.
const DAY_LABELS: usize = 8;

/// Draws the days that have a difference, two at least.
pub fn draw(area: &Area<'_>, days: &[Day]) -> Result<(), DrawError> {
    let shown: Vec<_> = days.iter().filter(|day| day.difference.is_some()).collect();
    let (Some(first), Some(last)) = (shown.first(), shown.last()) else { return Ok(()) };
    let heading = "By day: the interval that holds at every look (area), and the one for a single \
                   look at the end (lines)";
    write(area, heading, (MARGIN, 10), 14, color::INK)?;
    let x = |day: &Day| (day.day - first.day).num_days() as f64;
    let width = x(last).max(1.0);
    let ends = shown.iter().flat_map(|day| {
        let bounds = [day.anytime, day.interval, day.difference.map(|value| [value; 2])];
        bounds.into_iter().flatten().flatten()
    });
    let [low, high] = ends.fold([0.0_f64; 2], |[low, high], end| [low.min(end), high.max(end)]);
    let room = (high - low).max(f64::MIN_POSITIVE) * 0.05;
    let words = |days: &f64| date(first.day, *days);
    let axes = Axes {
        top: 36,
        x: 0.0..width,
        y: low - room..high + room,
        x_labels: DAY_LABELS,
        x_words: Some(&words),
        y_words: None,
    };
    let mut chart = axes.draw(area)?;
    let band = outline(&shown, x, |day| day.anytime);
    chart.draw_series([Polygon::new(band, color::BAND.filled())])?;
    let line = |of: &dyn Fn(&Day) -> Option<f64>, paint: plotters::style::RGBColor, width: u32| {
        let points = shown.iter().filter_map(|day| Some((x(day), of(day)?))).collect::<Vec<_>>();
        PathElement::new(points, paint.stroke_width(width))
    };
    chart.draw_series([
        PathElement::new(vec![(0.0, 0.0), (width, 0.0)], color::FAINT.stroke_width(1)),
        line(&|day| Some(day.anytime?[0]), color::ANYTIME, 1),
        line(&|day| Some(day.anytime?[1]), color::ANYTIME, 1),
        line(&|day| Some(day.interval?[0]), color::FIXED, 1),
        line(&|day| Some(day.interval?[1]), color::FIXED, 1),
        line(&|day| day.difference, color::INK, 2),
    ])?;
    Ok(())
}

/// The corners of an area: along the upper bounds, and back along the lower ones.
fn outline(
    days: &[&Day],
    x: impl Fn(&Day) -> f64,
    of: impl Fn(&Day) -> Option<Interval>,
) -> Vec<(f64, f64)> {
    let points = |bound: fn(Interval) -> f64| {
        days.iter().filter_map(|day| Some((x(day), bound(of(day)?)))).collect::<Vec<_>>()
    };
    let (above, below) = (points(|[_, high]| high), points(|[low, _]| low));
    above.into_iter().chain(below.into_iter().rev()).collect()
}

fn date(first: NaiveDate, days: f64) -> String {
    let day = first.checked_add_signed(TimeDelta::days(days.round() as i64)).unwrap_or(first);
    day.format("%-d %b").to_string()
}
