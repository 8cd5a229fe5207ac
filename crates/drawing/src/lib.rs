//! What the pictures of all services share: colors in a light and a dark form, and lines of text.

pub mod color;

use plotters::{
    backend::SVGBackend,
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind},
    element::Text,
    style::{IntoFont as _, RGBColor, TextStyle},
};

/// Media type of a picture.
pub const SVG: &str = "image/svg+xml";

/// Why a picture could not be drawn. Drawing into a text does not fail, so it is a fault of ours.
pub type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Where a section is drawn, in pixels.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Writes one line, its upper left corner at `at`, without control characters. What looks like
/// markup is text.
pub fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    size: i32,
    color: RGBColor,
) -> Result<(), DrawError> {
    let text: String = text.chars().filter(|character| !character.is_control()).collect();
    let style = TextStyle::from(("sans-serif", size).into_font()).color(&color);
    area.draw(&Text::new(text, at, style))
}
