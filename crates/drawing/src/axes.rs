//! The axes of a chart.

use std::ops::Range;

use plotters::{
    backend::SVGBackend,
    chart::{ChartBuilder, ChartContext},
    coord::{cartesian::Cartesian2d, types::RangedCoordf64},
    style::{Color as _, IntoFont as _, TextStyle},
};

use crate::{Area, DrawError, MARGIN, color};

/// A chart with two axes of numbers.
pub type Plane<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Words for a number at an axis.
type Words<'a> = &'a dyn Fn(&f64) -> String;

/// The axes of a chart.
pub struct Axes<'a> {
    /// Space above it, in pixels.
    pub top: u32,
    /// Numbers of the horizontal axis.
    pub x: Range<f64>,
    /// Numbers of the vertical axis.
    pub y: Range<f64>,
    /// Labels of the horizontal axis at most.
    pub x_labels: usize,
    /// How a number of the horizontal axis is written; as a number when left out.
    pub x_words: Option<Words<'a>>,
    /// The same of the vertical axis.
    pub y_words: Option<Words<'a>>,
}

impl Axes<'_> {
    /// Draws them over the whole area.
    pub fn draw<'a, 'b>(self, area: &'a Area<'b>) -> Result<Plane<'a, 'b>, DrawError> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(self.top)
            .margin_left(MARGIN)
            .margin_right(MARGIN)
            .x_label_area_size(28)
            .y_label_area_size(70)
            .build_cartesian_2d(self.x, self.y)?;
        let style = TextStyle::from(("sans-serif", 12).into_font()).color(&color::FAINT);
        let mut mesh = chart.configure_mesh();
        mesh.axis_style(color::LINE)
            .bold_line_style(color::LINE.stroke_width(1))
            .light_line_style(color::BACKGROUND)
            .x_labels(self.x_labels)
            .y_labels(6)
            .x_label_style(style.clone())
            .y_label_style(style);
        if let Some(words) = &self.x_words {
            mesh.x_label_formatter(words);
        }
        if let Some(words) = &self.y_words {
            mesh.y_label_formatter(words);
        }
        mesh.draw()?;
        Ok(chart)
    }
}
