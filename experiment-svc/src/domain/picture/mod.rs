//! A read-out as a picture: differences with their intervals, the anytime interval by day, the
//! sizes of the arms, and the verdict in words.
//!
//! Colors are those of [`drawing::color`]: each has a light and a dark form, and the viewer's
//! scheme chooses.

mod band;
mod card;
mod rows;
mod sizes;
mod words;

use drawing::{Area, DrawError, LINE, MARGIN, WIDTH, color, picture, write};

use super::analysis::{Day, ReadOut};
pub use card::{Card, CardBin, card_svg};

/// Height of the band by day.
const BAND: i32 = 240;

/// Draws a read-out of the experiment of this name, with its snapshots, as SVG text.
pub fn svg(name: &str, read_out: &ReadOut, days: &[Day]) -> Result<String, DrawError> {
    let (verdict, groups) = (words::verdict(read_out), rows::groups(read_out));
    let has_band = days.iter().filter(|day| day.difference.is_some()).count() > 1;
    let title = MARGIN + 28 + LINE * verdict.len() as i32;
    let forest = rows::height(&groups);
    let band = if has_band { BAND } else { 0 };
    let height = title + forest + band + sizes::HEIGHT + MARGIN;
    picture(height, |root| {
        write(root, name, (MARGIN, MARGIN), 20, color::INK)?;
        for (line, words) in verdict.iter().enumerate() {
            let at = (MARGIN, MARGIN + 28 + LINE * line as i32);
            write(root, words, at, 14, color::INK)?;
        }
        let (_, rest) = root.split_vertically(title);
        let (above, rest) = rest.split_vertically(forest);
        rows::draw(&above, &groups)?;
        let (middle, below) = rest.split_vertically(band);
        if has_band {
            band::draw(&middle, days)?;
        }
        sizes::draw(&below, read_out)
    })
}

#[cfg(test)]
mod tests;
