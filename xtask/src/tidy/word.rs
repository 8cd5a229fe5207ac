//! Rules about the words of pages and comments: the field's terms, in American spelling.

use super::{Violation, source::Rust};
use crate::repository::SourceFile;

/// Words that are not used, and what is said instead.
const WORDS: [(&str, &str); 8] = [
    ("whoever", "name them: the caller, the first writer, a slow client"),
    ("told", "say what happens: returned, reported, logged, shown, known"),
    ("stands", "say what is meant: is, holds, is stored, stays valid"),
    ("of then", "say which: in force at the time, of the original decision"),
    ("made ready", "say what is done: compiled, prepared, loaded"),
    ("judgement", "write `judgment`"),
    ("catalogues", "write `catalogs`"),
    ("analyse", "write `analyze`"),
];
/// British forms by their beginning, and the American one. `Neighbour` is a name in the code.
const BEGINNINGS: [(&str, &str); 20] = [
    ("authoris", "authoriz"),
    ("behaviour", "behavior"),
    ("categoris", "categoriz"),
    ("centre", "center"),
    ("colour", "color"),
    ("favour", "favor"),
    ("generalis", "generaliz"),
    ("honour", "honor"),
    ("initialis", "initializ"),
    ("maximis", "maximiz"),
    ("minimis", "minimiz"),
    ("normalis", "normaliz"),
    ("optimis", "optimiz"),
    ("organis", "organiz"),
    ("randomis", "randomiz"),
    ("recognis", "recogniz"),
    ("serialis", "serializ"),
    ("summaris", "summariz"),
    ("synchronis", "synchroniz"),
    ("winsoris", "winsoriz"),
];

/// Checks pages, and the comments of Rust, contracts and SQL.
pub fn check(files: &[SourceFile], rust: &[Rust], found: &mut Vec<Violation>) {
    for file in rust {
        for (line, comment) in (1..).zip(&file.comments) {
            check_line(&file.path, line, comment, found);
        }
    }
    for file in files {
        let comment = match file.path.rsplit('.').next() {
            Some("md") => "",
            Some("proto") => "//",
            Some("sql") => "--",
            _ => continue,
        };
        let mut in_fence = false;
        for (line, text) in (1..).zip(file.text.lines()) {
            in_fence ^= text.trim_start().starts_with("```");
            if let Some(at) = text.find(comment).filter(|_| !in_fence) {
                check_line(&file.path, line, text.get(at..).unwrap_or_default(), found);
            }
        }
    }
}

fn check_line(path: &str, line: usize, text: &str, found: &mut Vec<Violation>) {
    // What is in backticks is a name.
    let prose: Vec<_> = text.split('`').step_by(2).collect();
    let words = prose.join(" ` ").to_lowercase();
    let words: Vec<_> = words.split(|c: char| !c.is_alphanumeric() && c != '`').collect();
    let spaced = format!(" {} ", words.join(" "));
    for (word, remedy) in WORDS {
        if spaced.contains(&format!(" {word} ")) {
            found.push(Violation::new(path, line, format!("plain words: not `{word}`; {remedy}")));
        }
    }
    for (british, american) in BEGINNINGS {
        if spaced.contains(&format!(" {british}")) {
            let what = format!("plain words: not `{british}…`; American is `{american}…`");
            found.push(Violation::new(path, line, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        let rust = [Rust::read("x.rs", if path == "x.rs" { text } else { "" })];
        let mut found = Vec::new();
        check(&[file], &rust, &mut found);
        found.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn words_are_found_in_pages_and_comments() {
        let check = |path: &str, text: &str, expected: &str| {
            let found = found(path, text);
            assert!(
                found.len() == 1 && found.iter().all(|one| one.starts_with(expected)),
                "{found:?}"
            );
        };
        check("a.md", "A\nWhoever asks.", "a.md:2: plain words: not `whoever`; name them");
        check("x.rs", "fn f() {} // is told, always", "x.rs:1: plain words: not `told`");
        check(
            "a.proto",
            "string a = 1; // The facts of then.",
            "a.proto:1: plain words: not `of then`",
        );
        check(
            "a.sql",
            "-- Randomised.",
            "a.sql:1: plain words: not `randomis…`; American is `randomiz…`",
        );
        check("a.md", "The behaviour.", "a.md:1: plain words: not `behaviour…`");
    }

    #[test]
    fn names_code_and_parts_of_words_are_no_prose() {
        for (path, text) in [
            ("a.md", "The field `told` of `whoever`."),
            ("a.md", "```sh\ntold\n```"),
            ("a.proto", "string told = 1;"),
            ("x.rs", "fn told() { \"whoever\" }"),
            ("a.md", "An untold standstill of thenceforth."),
        ] {
            assert_eq!(found(path, text), [""; 0], "{text}");
        }
    }
}
