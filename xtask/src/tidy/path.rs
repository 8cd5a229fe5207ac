//! Paths in Rust code: those of `use`, and those written where they are needed.

use super::source::Rust;

/// The alias of an import of everything.
pub const ALL: &str = "*";

/// A word or a mark of the product's code, with its line. `::` is one mark.
pub type Words = Vec<(usize, String)>;

/// The code of a file, apart from its tests.
pub fn words(file: &Rust) -> Words {
    let mut words = Words::new();
    for (line, code) in file.product() {
        let mut rest = code;
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            let (word, after) = rest.split_at(length);
            if !word.trim().is_empty() {
                words.push((line, word.to_owned()));
            }
            rest = after;
        }
    }
    words
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Every path of every `use`, with its line and the name it has from then on.
pub fn imports(words: &Words) -> Vec<(usize, Vec<String>, String)> {
    let mut found = Vec::new();
    for (at, (line, word)) in words.iter().enumerate() {
        // `use<'a>` of an opaque type is no import.
        let follows = words.get(at + 1).map_or("", |(_, word)| word.as_str());
        if word == "use" && follows != "<" {
            let statement = words.iter().skip(at + 1).take_while(|(_, word)| word != ";");
            let statement: Vec<&str> = statement.map(|(_, word)| word.as_str()).collect();
            tree(&statement, &[], &mut |path, alias| found.push((*line, path, alias)));
        }
    }
    found
}

/// Reads `a::{b, c as d, e::*}` below the path `above`.
fn tree(words: &[&str], above: &[String], found: &mut impl FnMut(Vec<String>, String)) {
    let mut path = above.to_vec();
    for (at, word) in words.iter().enumerate() {
        match *word {
            "::" => {}
            "{" => {
                for branch in branches(words.get(at + 1..).unwrap_or_default()) {
                    tree(&branch, &path, found);
                }
                return;
            }
            "*" => return found(path, ALL.to_owned()),
            "as" => {
                let alias = words.get(at + 1).copied().unwrap_or_default().to_owned();
                return found(path, alias);
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
    }
    if let Some(name) = path.last().cloned() {
        found(path, name);
    }
}

/// The branches up to the brace that closes them.
fn branches<'a>(words: &[&'a str]) -> Vec<Vec<&'a str>> {
    let (mut branches, mut depth) = (vec![Vec::new()], 0);
    for word in words {
        match *word {
            "}" if depth == 0 => break,
            "," if depth == 0 => {
                branches.push(Vec::new());
                continue;
            }
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if let Some(branch) = branches.last_mut() {
            branch.push(*word);
        }
    }
    branches.retain(|branch| !branch.is_empty());
    branches
}

/// Paths outside of `use`, such as `super::name(x)` or `child::Name`, with their lines.
pub fn inline(words: &Words) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let (mut at, mut in_use) = (0, false);
    let word_at = |at: usize| words.get(at).map_or("", |(_, word)| word.as_str());
    while at < words.len() {
        let (line, word) = (words.get(at).map_or(0, |(line, _)| *line), word_at(at));
        in_use = (in_use || word == "use") && word != ";";
        let begins = word.chars().next().is_some_and(is_word) && word_at(at + 1) == "::";
        if in_use || !begins || at > 0 && word_at(at - 1) == "::" {
            at += 1;
            continue;
        }
        let mut path = vec![word.to_owned()];
        while word_at(at + 1) == "::" && word_at(at + 2).chars().next().is_some_and(is_word) {
            at += 2;
            path.push(word_at(at).to_owned());
        }
        at += 1;
        found.push((line, path));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str) -> Words {
        words(&Rust::read("a/src/x.rs", code))
    }

    #[test]
    fn a_use_is_read_branch_by_branch() {
        let code = "use a::{b, c::{self, d as e}, f::*};\npub(crate) use super::super::G;\n";
        let found: Vec<_> = imports(&read(code))
            .into_iter()
            .map(|(line, path, alias)| format!("{line} {} {alias}", path.join("::")))
            .collect();
        let expected = ["1 a::b b", "1 a::c c", "1 a::c::d e", "1 a::f *", "2 super::super::G G"];
        assert_eq!(found, expected);
    }

    #[test]
    fn paths_are_found_where_they_are_needed() {
        let code = "use a::b;\nfn f(x: crate::c::D) -> Vec<self::e::F> {\n    g::h::<u8>(x.i)\n}\n";
        let found: Vec<_> = inline(&read(code))
            .into_iter()
            .map(|(line, path)| format!("{line} {}", path.join("::")))
            .collect();
        assert_eq!(found, ["2 crate::c::D", "2 self::e::F", "3 g::h"]);
    }
}
