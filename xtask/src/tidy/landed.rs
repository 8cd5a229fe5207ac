//! A migration that has landed never changes: stores remember the checksum of its text, and a
//! version that finds another one refuses them.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::Violation;
use crate::repository::SourceFile;

/// The landed migrations, one `<sha256>  <path>` a line.
const LIST: &str = "xtask/migrations.sum";
/// The steps of the first version. All later ones say in their names what they demand.
const FIRST: [&str; 5] = [
    "0001_history.sql",
    "0100_catalog.sql",
    "0100_policy.sql",
    "0100_decision.sql",
    "0100_ledger.sql",
];

/// Checks the migrations against the list.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    let Some(list) = files.iter().find(|file| file.path == LIST) else { return };
    let landed: BTreeMap<&str, (usize, &str)> = (1..)
        .zip(list.text.lines())
        .filter_map(|(line, text)| text.split_once("  ").map(|(sum, path)| (path, (line, sum))))
        .collect();
    for (path, (line, sum)) in &landed {
        match files.iter().find(|file| file.path == *path) {
            Some(file) if sum_of(&file.text) == *sum => {}
            Some(_) => found.push(Violation::new(
                path,
                1,
                "has landed and must not change: restore it, and write another step",
            )),
            None => found.push(Violation::new(
                LIST,
                *line,
                format!("{path} has landed and must not go: restore it"),
            )),
        }
    }
    for file in files.iter().filter(|file| file.path.contains("/migrations/")) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        if !landed.contains_key(file.path.as_str()) {
            let what = format!(
                "is not in {LIST}; when its text is final, add `{}  {}`",
                sum_of(&file.text),
                file.path
            );
            found.push(Violation::new(&file.path, 1, what));
        }
        if !FIRST.contains(&name) && !says_what_it_demands(name) {
            found.push(Violation::new(
                &file.path,
                1,
                "the name of a step is `<number>_expand_…` or `<number>_contract_needs_<number>_…`",
            ));
        }
    }
}

fn says_what_it_demands(name: &str) -> bool {
    let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
    let mut parts = name.split('_');
    is_number(parts.next())
        && match parts.next() {
            Some("expand") => parts.next().is_some(),
            Some("contract") => parts.next() == Some("needs") && is_number(parts.next()),
            _ => false,
        }
}

fn sum_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &str, steps: &[(&str, &str)]) -> Vec<String> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let mut files = vec![file(LIST, list)];
        files.extend(steps.iter().map(|(path, text)| file(path, text)));
        let mut found = Vec::new();
        check(&files, &mut found);
        found.iter().map(Violation::to_string).collect()
    }

    #[test]
    fn a_landed_migration_that_is_changed_or_removed_is_found() {
        let path = "a/migrations/sqlite/0101_expand_x.sql";
        let list = format!("{}  {path}\n", sum_of("-- Why.\n"));
        assert_eq!(found(&list, &[(path, "-- Why.\n")]), [""; 0]);
        let changed = found(&list, &[(path, "-- Why not.\n")]);
        assert!(changed[0].contains("has landed and must not change"), "{changed:?}");
        let gone = found(&list, &[]);
        assert!(gone[0].starts_with("xtask/migrations.sum:1: "), "{gone:?}");
    }

    #[test]
    fn a_new_migration_is_listed_and_says_what_it_demands() {
        for (name, is_right) in [
            ("0101_expand_x.sql", true),
            ("0102_contract_needs_0101_x.sql", true),
            ("0102_contract_x.sql", false),
            ("0102_x.sql", false),
            ("expand_x.sql", false),
            ("0100_catalog.sql", true),
        ] {
            let path = format!("a/migrations/sqlite/{name}");
            let list = format!("{}  {path}\n", sum_of("text"));
            assert_eq!(found(&list, &[(&path, "text")]).is_empty(), is_right, "{name}");
        }
        let unlisted = found("", &[("a/migrations/sqlite/0101_expand_x.sql", "text")]);
        assert!(unlisted[0].contains(&format!("add `{}  a/", sum_of("text"))), "{unlisted:?}");
    }
}
