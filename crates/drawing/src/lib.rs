//! What the pictures of all services share: their frame, colors in a light and a dark form, axes,
//! and lines of text.

mod axes;
pub mod color;

pub use axes::{Axes, Plane};

use plotters::{
    backend::SVGBackend,
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _},
    element::{Rectangle, Text},
    style::{Color as _, IntoFont as _, RGBColor, TextStyle},
};

/// Width of a picture, in pixels.
pub const WIDTH: u32 = 900;
/// Space at its edges, in pixels.
pub const MARGIN: i32 = 24;
/// Height of a line of text, in pixels.
pub const LINE: i32 = 20;

/// Media type of a picture.
pub const SVG: &str = "image/svg+xml";

/// Why a picture could not be drawn. Drawing into a text does not fail, so it is a fault of ours.
pub type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Where a section is drawn, in pixels.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A picture of this height as SVG text: `draw` fills it.
pub fn picture(
    height: i32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    let mut text = String::new();
    {
        let root =
            SVGBackend::with_string(&mut text, (WIDTH, height.unsigned_abs())).into_drawing_area();
        let whole = [(0, 0), (WIDTH as i32, height)];
        root.draw(&Rectangle::new(whole, color::BACKGROUND.filled()))?;
        draw(&root)?;
        root.present()?;
    }
    Ok(color::with_schemes(&text))
}

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
