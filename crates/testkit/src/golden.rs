//! Golden files: recorded output of the code, kept in the repository and reviewed as a diff.

use std::{fs, path::Path};

/// Set to `1` it rewrites golden files instead of comparing with them; `cargo xtask bless` does.
pub const UPDATE_VARIABLE: &str = "UPDATE_GOLDENS";

/// Compares `actual` with the golden file, or rewrites the file when asked to.
///
/// # Panics
/// On a difference, with the first line that differs and the command that accepts it.
#[track_caller]
pub fn golden(file: impl AsRef<Path>, actual: &str) {
    let file = file.as_ref();
    if std::env::var(UPDATE_VARIABLE).is_ok_and(|value| value == "1") {
        fs::write(file, actual).expect("the golden file can be written");
        return;
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if let Some(difference) = first_difference(&expected, actual) {
        let name = file.display();
        panic!(
            "{name} is not what the code says now:\n{difference}\n\
             Accept it with `cargo xtask bless`."
        );
    }
}

fn first_difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (mut old, mut new) = (expected.lines(), actual.lines());
    for number in 1.. {
        let (was, now) = (old.next(), new.next());
        if was != now {
            let end = "(end of file)";
            return Some(format!(
                "line {number}\n  was: {}\n  now: {}",
                was.unwrap_or(end),
                now.unwrap_or(end)
            ));
        }
        if was.is_none() {
            break;
        }
    }
    Some("only the line ends differ".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differing_line_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        let check = |expected, actual, line: &str| {
            let difference = first_difference(expected, actual).unwrap();
            assert!(difference.starts_with(line), "{difference}");
        };
        check("a\nb\n", "a\nc\n", "line 2\n  was: b\n  now: c");
        check("a\n", "a\nb\n", "line 2\n  was: (end of file)\n  now: b");
        check("a\n", "a", "only the line ends differ");
    }
}
