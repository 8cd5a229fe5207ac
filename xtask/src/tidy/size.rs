//! Rules about size: lines of a file, lines of a function, columns of a line.

use super::{
    Violation,
    source::{Rust, has_word},
};
use crate::repository::SourceFile;

const MAIN_LINES_MAX: usize = 40;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 80;
const COLUMNS_MAX: usize = 100;
/// Kinds of files whose lines are measured.
const MEASURED: [&str; 3] = [".rs", ".proto", ".sql"];
/// Contracts of others, as they publish them.
const VENDORED: &str = "proto/google/";
/// What half of the product's files may reach, and what nine tenths may.
const MEDIAN_GOAL: usize = 115;
const P90_GOAL: usize = 280;

/// Checks all files.
pub fn check(files: &[SourceFile], rust: &[Rust], found: &mut Vec<Violation>) {
    for file in rust {
        file_length(file, found);
        function_lengths(file, found);
    }
    let is_measured = |path: &str| MEASURED.iter().any(|ending| path.ends_with(ending));
    for file in files.iter().filter(|file| is_measured(&file.path)) {
        widths(file, found);
    }
}

fn file_length(file: &Rust, found: &mut Vec<Violation>) {
    let is_service_main = file.path.ends_with("/main.rs") && file.path.contains("-svc/");
    let most = if is_service_main { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    let lines = file.code.len().saturating_sub(1);
    if lines > most {
        let what =
            format!("longer than {most} lines ({lines}): give one of its nouns a file of its own");
        found.push(Violation::new(&file.path, most + 1, what));
    }
}

fn function_lengths(file: &Rust, found: &mut Vec<Violation>) {
    for Function { name, line, lines } in functions(file) {
        if lines > FUNCTION_LINES_MAX {
            let what = format!(
                "`{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}: name its steps, and \
                 make each a function"
            );
            found.push(Violation::new(&file.path, line, what));
        }
    }
}

fn widths(file: &SourceFile, found: &mut Vec<Violation>) {
    if file.path.starts_with(VENDORED) {
        return;
    }
    for (line, text) in (1..).zip(file.text.lines()) {
        let columns = text.chars().count();
        if columns > COLUMNS_MAX {
            let what = format!("{columns} columns, more than {COLUMNS_MAX}: break the line");
            found.push(Violation::new(&file.path, line, what));
        }
    }
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    /// Line of its name.
    line: usize,
    /// From that line to the closing brace.
    lines: usize,
}

fn functions(file: &Rust) -> Vec<Function> {
    let mut found = Vec::new();
    let mut open: Vec<(Option<(String, usize)>, usize)> = Vec::new();
    let (mut named, mut brackets): (Option<(String, usize)>, usize) = (None, 0);
    for (line, code) in file.lines() {
        if let Some(name) = function_name(code) {
            (named, brackets) = (Some((name, line)), 0);
        }
        for c in code.chars() {
            match c {
                '(' | '[' => brackets += 1,
                ')' | ']' => brackets = brackets.saturating_sub(1),
                ';' if brackets == 0 => named = None,
                '{' => open.push((named.take(), line)),
                '}' => {
                    if let Some((Some((name, from)), _)) = open.pop() {
                        found.push(Function { name, line: from, lines: line - from + 1 });
                    }
                }
                _ => {}
            }
        }
    }
    found
}

/// The name that follows `fn` on a line.
fn function_name(code: &str) -> Option<String> {
    if !has_word(code, "fn") {
        return None;
    }
    let (_, rest) = code.split_once("fn ")?;
    let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

/// Lengths of the product's files, in words.
pub fn summary(rust: &[Rust]) -> String {
    let is_product = |file: &&Rust| file.path.contains("/src/") && !file.is_test_file();
    let mut lengths: Vec<usize> =
        rust.iter().filter(is_product).map(|file| file.code.len().saturating_sub(1)).collect();
    lengths.sort_unstable();
    let at = |percent: usize| {
        let place = lengths.len().saturating_sub(1) * percent / 100;
        lengths.get(place).copied().unwrap_or_default()
    };
    format!(
        "{} product files, {} lines; median {} (goal {MEDIAN_GOAL}), p90 {} (goal {P90_GOAL}), \
         longest {}",
        lengths.len(),
        lengths.iter().sum::<usize>(),
        at(50),
        at(90),
        at(100)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_reaches_from_its_name_to_its_last_brace() {
        let code = "trait A {\n    fn no_body(&self);\n}\nimpl A for B {\n\
                    fn outer(x: [u8; 2])\n\n{\nfn inner() { if x {} }\n\
                    let f: fn(u8) -> u8 = g;\n}\n}\n";
        let found: Vec<_> = functions(&Rust::read("a/src/x.rs", code))
            .into_iter()
            .map(|function| (function.name, function.line, function.lines))
            .collect();
        assert_eq!(found, [("inner".to_owned(), 8, 1), ("outer".to_owned(), 5, 6)]);
    }

    #[test]
    fn the_summary_counts_the_product_alone() {
        let file = |path: &str, lines: usize| Rust::read(path, &"\n".repeat(lines));
        let files = [file("a/src/x.rs", 10), file("a/src/y.rs", 30), file("a/src/y/tests.rs", 400)];
        assert_eq!(
            summary(&files),
            "2 product files, 40 lines; median 10 (goal 115), p90 10 (goal 280), longest 30"
        );
    }
}
