//! Colors in a light and a dark form; the scheme of the viewer chooses.

use plotters::style::RGBColor;

/// Behind everything.
pub const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
/// Text.
pub const INK: RGBColor = RGBColor(31, 35, 40);
/// Labels of axes and explanations.
pub const FAINT: RGBColor = RGBColor(89, 99, 110);
/// Lines of axes, and no effect.
pub const LINE: RGBColor = RGBColor(208, 215, 222);
/// Intervals that rest on one look at the end.
pub const FIXED: RGBColor = RGBColor(9, 105, 218);
/// Intervals that hold at every look.
pub const ANYTIME: RGBColor = RGBColor(154, 103, 0);
/// The area of these.
pub const BAND: RGBColor = RGBColor(250, 234, 192);
/// What must not be.
pub const ALARM: RGBColor = RGBColor(207, 34, 46);
/// Several series in one picture, by size.
pub const SERIES: [RGBColor; 8] = [
    RGBColor(17, 99, 41),
    RGBColor(130, 80, 223),
    RGBColor(188, 76, 0),
    RGBColor(5, 80, 174),
    RGBColor(191, 57, 137),
    RGBColor(27, 124, 131),
    RGBColor(125, 78, 0),
    RGBColor(110, 119, 129),
];

/// The dark form of each.
const DARK: [(RGBColor, &str); 16] = [
    (BACKGROUND, "#0d1117"),
    (INK, "#e6edf3"),
    (FAINT, "#9198a1"),
    (LINE, "#3d444d"),
    (FIXED, "#4493f8"),
    (ANYTIME, "#d29922"),
    (BAND, "#3a2d0a"),
    (ALARM, "#f85149"),
    (SERIES[0], "#3fb950"),
    (SERIES[1], "#a371f7"),
    (SERIES[2], "#db6d28"),
    (SERIES[3], "#79c0ff"),
    (SERIES[4], "#f778ba"),
    (SERIES[5], "#39c5cf"),
    (SERIES[6], "#e3b341"),
    (SERIES[7], "#8b949e"),
];

/// The picture with a style that gives each color its dark form where the viewer prefers one.
pub fn with_schemes(svg: &str) -> String {
    let rule = |(light, dark): (RGBColor, &str)| {
        let RGBColor(red, green, blue) = light;
        let light = format!("#{red:02X}{green:02X}{blue:02X}");
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    };
    let rules: String = DARK.map(rule).concat();
    let style = format!("<style>@media (prefers-color-scheme: dark){{{rules}}}</style>");
    match svg.find("<svg").and_then(|start| Some(start + svg.get(start..)?.find('>')? + 1)) {
        Some(end) => {
            let (head, rest) = svg.split_at(end);
            format!("{head}\n{style}{rest}")
        }
        None => svg.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two colors of one light form would have one dark form.
    #[test]
    fn every_color_has_one_dark_form() {
        for (place, (light, _)) in DARK.iter().enumerate() {
            let twin = DARK.iter().skip(place + 1).find(|(other, _)| other == light);
            assert_eq!(twin, None);
        }
        let svg = with_schemes("<?xml?><svg width=\"9\"><rect/></svg>");
        assert!(svg.starts_with("<?xml?><svg width=\"9\">\n<style>"), "{svg}");
        assert!(svg.contains("[fill=\"#FFFFFF\"]{fill:#0d1117}"), "{svg}");
        assert!(svg.ends_with("</style><rect/></svg>"), "{svg}");
        assert_eq!(with_schemes("no picture"), "no picture");
    }
}
