//! Formats numbers, amounts and intervals for the report.

use std::io::{self, Write};

use crate::demo::customer::Pounds;

/// Writes a blank line and the title of a section.
pub fn heading(out: &mut impl Write, title: &str, about: &str) -> io::Result<()> {
    writeln!(out, "\n{title} ({about})")
}

/// Writes a number with its label and a note.
pub fn figure(out: &mut impl Write, label: &str, number: usize, note: &str) -> io::Result<()> {
    let line = format!("  {label:<22} {:>6}  {note}", count(number));
    writeln!(out, "{}", line.trim_end())
}

/// `4,372`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `-£1,234.50`.
pub fn pounds(amount: Pounds) -> String {
    let pence = amount.0.unsigned_abs() as usize;
    let sign = if amount.0 < 0 { "-" } else { "" };
    format!("{sign}£{}.{:02}", count(pence / 100), pence % 100)
}

/// An amount rounded to the penny.
pub fn money(amount: f64) -> String {
    pounds(Pounds((amount * 100.0).round() as i64))
}

/// `p 0.031`.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "p < 0.001".to_owned() } else { format!("p {p:.3}") }
}

/// `+12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:+.1} %", 100.0 * share)
}

/// A figure, or a note that it is missing.
pub fn known<T>(figure: Option<T>, show: impl Fn(T) -> String) -> String {
    figure.map_or_else(|| "not enough data".to_owned(), show)
}

/// A 95 % interval, or a note that it is missing.
pub fn interval(ends: &[f64], show: impl Fn(f64) -> String) -> String {
    match ends {
        [low, high] => format!("95 % interval {} to {}", show(*low), show(*high)),
        _ => "not enough data for an interval".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [count(0), count(372), count(4_372), count(1_234_567)],
            ["0", "372", "4,372", "1,234,567"]
        );
        assert_eq!(
            [money(-1_234.5), money(0.004), money(-0.004)],
            ["-£1,234.50", "£0.00", "£0.00"]
        );
        assert_eq!(percent(0.1234), "+12.3 %");
        assert_eq!([p_value(0.0004), p_value(0.0312)], ["p < 0.001", "p 0.031"]);
    }
}
