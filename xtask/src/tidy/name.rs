//! Rules about names: a place that says nothing collects everything.

use super::{
    Violation,
    source::{Rust, has_word},
};
use crate::repository::SourceFile;

const EMPTY: [&str; 12] = [
    "common", "core", "types", "utils", "util", "helpers", "helper", "models", "misc", "shared",
    "manager", "dto",
];
const EMPTY_ENDINGS: [&str; 4] = ["Manager", "Dto", "Entity", "Helper"];

/// Checks folders, files, modules and types.
pub fn check(files: &[SourceFile], rust: &[Rust], found: &mut Vec<Violation>) {
    for file in files {
        if !(file.path.ends_with(".rs")
            || file.path.ends_with(".proto")
            || file.path.ends_with("Cargo.toml"))
        {
            continue;
        }
        for part in file.path.split('/') {
            let stem = part.split('.').next().unwrap_or_default();
            if EMPTY.contains(&stem) {
                let what = format!("`{stem}` says nothing: name it after what it holds");
                found.push(Violation::new(&file.path, 1, what));
            }
        }
    }
    for file in rust {
        for (line, code) in file.lines() {
            for word in
                ["struct", "enum", "trait", "type"].iter().filter(|word| has_word(code, word))
            {
                let named = code.split_once(&format!("{word} ")).map_or("", |(_, rest)| rest);
                let named: String =
                    named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if EMPTY_ENDINGS.iter().any(|ending| named.ends_with(ending) && named != *ending) {
                    let what = format!("`{named}` names a place, not an idea: what is it?");
                    found.push(Violation::new(&file.path, line, what));
                }
            }
        }
    }
}
