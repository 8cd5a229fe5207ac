//! The sizes of the arms against the configured split.

use plotters::{element::Rectangle, style::Color as _};

use super::{Area, DrawError, MARGIN, color, write};
use crate::domain::analysis::{Findings, ReadOut};

/// Pixels of the section.
pub const HEIGHT: i32 = 116;
const LEFT: i32 = 240;
const RIGHT: i32 = 600;
const ROW: i32 = 36;

/// One bar per population: the share held out, with a mark where it should be.
pub fn draw(area: &Area<'_>, read_out: &ReadOut) -> Result<(), DrawError> {
    write(
        area,
        "Sample ratio: share held out, and where it should be",
        (MARGIN, 10),
        14,
        color::INK,
    )?;
    let populations =
        [("everyone assigned", &read_out.assigned), ("would-be-treated", &read_out.matched)];
    for (index, (label, findings)) in populations.into_iter().enumerate() {
        bar(area, label, findings, 36 + ROW * index as i32)?;
    }
    Ok(())
}

fn bar(area: &Area<'_>, label: &str, findings: &Findings, top: i32) -> Result<(), DrawError> {
    write(area, label, (MARGIN, top + 2), 13, color::FAINT)?;
    let (srm, width) = (&findings.srm, f64::from(RIGHT - LEFT));
    let (treated, held_out) = srm.sizes();
    let n = treated + held_out;
    if n == 0 {
        return write(area, "no customers", (LEFT, top + 2), 13, color::FAINT);
    }
    let x = |share: f64| LEFT + (share * width) as i32;
    let share = held_out as f64 / n as f64;
    let is_alarm = srm.is_alarm();
    let paint = if is_alarm { color::ALARM } else { color::FIXED };
    area.draw(&Rectangle::new([(LEFT, top), (RIGHT, top + 16)], color::LINE.filled()))?;
    area.draw(&Rectangle::new([(LEFT, top), (x(share), top + 16)], paint.filled()))?;
    let expected: f64 = srm.splits.iter().map(|split| split.expected_held_out).sum();
    let mark = x(expected / n as f64);
    let mark = [(mark - 1, top - 4), (mark + 1, top + 20)];
    area.draw(&Rectangle::new(mark, color::INK.filled()))?;
    let p = srm.p();
    let said = if is_alarm { "ALARM" } else { "as it should be" };
    let words = format!("{held_out} of {n}, p {p:.3}: {said}");
    write(area, &words, (RIGHT + 16, top + 2), 13, if is_alarm { color::ALARM } else { color::INK })
}
