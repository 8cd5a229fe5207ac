//! A model card as a picture: the figures in words, the Qini curves, effects by bin, and how well
//! expected outcomes agree with observed ones.

use drawing::Axes;
use plotters::{
    element::{Circle, PathElement},
    style::{Color as _, RGBColor},
};

use super::{Area, DrawError, LINE, MARGIN, color, picture, write};

/// Height of a chart.
const CHART: i32 = 280;
/// Characters of a line before it is broken.
const CHARACTERS_MAX: usize = 125;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// The heading.
    pub title: String,
    /// The figures in words.
    pub lines: Vec<String>,
    /// Points of the Qini curves: share treated, gain by effect, gain by propensity.
    pub curve: Vec<[f64; 3]>,
    /// Effects by bin.
    pub bins: Vec<CardBin>,
    /// Expected outcome, observed outcome, its standard error.
    pub calibration: Vec<[f64; 3]>,
}

/// A bin of predicted effects.
#[derive(Clone, Copy, Debug, Default)]
pub struct CardBin {
    /// Its number, from 1.
    pub number: i32,
    /// Customers in it.
    pub customers: i64,
    /// Mean predicted effect.
    pub predicted: f64,
    /// Difference between the arms.
    pub observed: Option<f64>,
    /// Mean doubly robust effect.
    pub effect: f64,
    /// Its interval.
    pub interval: [f64; 2],
}

/// Draws a card as SVG text.
pub fn card_svg(card: &Card) -> Result<String, DrawError> {
    let lines: Vec<String> = card.lines.iter().flat_map(|line| broken(line)).collect();
    let above = MARGIN + 28 + LINE * lines.len() as i32;
    let height = above + 3 * CHART + MARGIN;
    picture(height, |root| {
        write(root, &card.title, (MARGIN, MARGIN), 20, color::INK)?;
        for (line, words) in lines.iter().enumerate() {
            let at = (MARGIN, MARGIN + 28 + LINE * line as i32);
            write(root, words, at, 14, color::INK)?;
        }
        let (_, rest) = root.split_vertically(above);
        let (first, rest) = rest.split_vertically(CHART);
        let (second, third) = rest.split_vertically(CHART);
        curves(&first, card)?;
        bins(&second, card)?;
        calibration(&third, card)
    })
}

/// A line in pieces that fit, broken at spaces.
fn broken(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in line.split_whitespace() {
        let is_full = |piece: &String| {
            !piece.is_empty() && piece.chars().count() + word.chars().count() >= CHARACTERS_MAX
        };
        if pieces.last().is_some_and(is_full) {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            if !piece.is_empty() {
                piece.push(' ');
            }
            piece.extend(word.chars().filter(|it| !it.is_control()));
        }
    }
    pieces
}

/// Points of a line, its color and its width.
type Line = (Vec<(f64, f64)>, RGBColor, u32);

/// Lines and marks of one chart.
struct Chart<'a> {
    heading: &'a str,
    x: [f64; 2],
    x_labels: usize,
    lines: Vec<Line>,
    marks: Vec<((f64, f64), RGBColor)>,
}

impl Chart<'_> {
    fn draw(self, area: &Area<'_>) -> Result<(), DrawError> {
        write(area, self.heading, (MARGIN, 10), 14, color::INK)?;
        let points = self.lines.iter().flat_map(|(points, ..)| points);
        let points = points.chain(self.marks.iter().map(|(point, _)| point));
        let ends = points.map(|(_, y)| *y).filter(|y| y.is_finite());
        let [low, high] = ends.fold([0.0_f64; 2], |[low, high], y| [low.min(y), high.max(y)]);
        let room = (high - low).max(f64::MIN_POSITIVE) * 0.05;
        let [from, to] = self.x;
        let axes = Axes {
            top: 36,
            x: from..to,
            y: low - room..high + room,
            x_labels: self.x_labels,
            x_words: None,
            y_words: None,
        };
        let mut chart = axes.draw(area)?;
        let zero = (vec![(from, 0.0), (to, 0.0)], color::FAINT, 1);
        let lines = std::iter::once(zero).chain(self.lines);
        chart.draw_series(
            lines.map(|(points, paint, width)| PathElement::new(points, paint.stroke_width(width))),
        )?;
        chart.draw_series(
            self.marks.into_iter().map(|(point, paint)| Circle::new(point, 4, paint.filled())),
        )?;
        Ok(())
    }
}

fn curves(area: &Area<'_>, card: &Card) -> Result<(), DrawError> {
    let by_effect = card.curve.iter().map(|[share, gain, _]| (*share, *gain)).collect::<Vec<_>>();
    let by_propensity = card.curve.iter().map(|[share, _, gain]| (*share, *gain)).collect();
    let end = by_effect.last().copied().unwrap_or((1.0, 0.0));
    Chart {
        heading: "Outcomes gained per treated customer, by share treated: by effect (blue), by \
                  propensity (amber), at random (gray)",
        x: [0.0, 1.0],
        x_labels: 11,
        lines: vec![
            (vec![(0.0, 0.0), end], color::FAINT, 1),
            (by_propensity, color::ANYTIME, 2),
            (by_effect, color::FIXED, 2),
        ],
        marks: Vec::new(),
    }
    .draw(area)
}

fn bins(area: &Area<'_>, card: &Card) -> Result<(), DrawError> {
    let x = |bin: &CardBin| f64::from(bin.number);
    let intervals = card.bins.iter().map(|bin| {
        let [low, high] = bin.interval;
        (vec![(x(bin), low), (x(bin), high)], color::FIXED, 3)
    });
    let predicted = card.bins.iter().map(|bin| (x(bin), bin.predicted)).collect();
    let observed =
        card.bins.iter().filter_map(|bin| Some(((x(bin) + 0.15, bin.observed?), color::ANYTIME)));
    let effects = card.bins.iter().map(|bin| ((x(bin), bin.effect), color::FIXED));
    Chart {
        heading: "Effect by bin of predicted effects: doubly robust with 95 % interval of all bins \
                  (blue), difference of the arms (amber), predicted (line)",
        x: [0.5, 10.5],
        x_labels: 10,
        lines: intervals.chain([(predicted, color::INK, 1)]).collect(),
        marks: observed.chain(effects).collect(),
    }
    .draw(area)
}

fn calibration(area: &Area<'_>, card: &Card) -> Result<(), DrawError> {
    let ends = card.calibration.iter().map(|[expected, ..]| *expected);
    let low = ends.clone().fold(0.0, f64::min);
    let high = ends.fold(low, f64::max);
    let room = (high - low).max(f64::MIN_POSITIVE) * 0.05;
    let errors = card.calibration.iter().map(|[expected, observed, error]| {
        let [low, high] = [observed - 2.0 * error, observed + 2.0 * error];
        (vec![(*expected, low), (*expected, high)], color::FIXED, 2)
    });
    let marks = card.calibration.iter();
    let marks = marks.map(|[expected, observed, _]| ((*expected, *observed), color::FIXED));
    Chart {
        heading: "Observed outcome by expected outcome, with two standard errors; the line is \
                  where both agree",
        x: [low - room, high + room],
        x_labels: 10,
        lines: errors.chain([(vec![(low, low), (high, high)], color::FAINT, 1)]).collect(),
        marks: marks.collect(),
    }
    .draw(area)
}

#[cfg(test)]
mod tests;
