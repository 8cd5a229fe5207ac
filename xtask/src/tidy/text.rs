//! Rules about any text: no marks of unfinished work, no paths of one machine.

use super::{Violation, source::has_word};
use crate::repository::SourceFile;

/// Written in two halves, so that this file does not break its own rule.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("HA", "CK"), concat!("XX", "X")];
const MACHINE_PATHS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/fa", "rm/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Checks every text file.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    for file in files.iter().filter(|file| !file.path.ends_with(".lock")) {
        for (line, text) in (1..).zip(file.text.lines()) {
            for word in UNFINISHED.iter().filter(|word| has_word(text, word)) {
                found.push(Violation::new(&file.path, line, format!("unfinished: `{word}`")));
            }
            for place in MACHINE_PATHS.iter().filter(|place| names_place(text, place)) {
                found.push(Violation::new(
                    &file.path,
                    line,
                    format!("a path of one machine: `{place}`"),
                ));
            }
        }
    }
}

/// A path, not the middle of an address or a relative path.
fn names_place(text: &str, place: &str) -> bool {
    text.match_indices(place).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().last());
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~'))
    })
}
