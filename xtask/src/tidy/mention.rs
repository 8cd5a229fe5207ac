//! Every file that the pages name exists: targets of links, and paths in backticks.

use super::Violation;
use crate::repository::SourceFile;

/// Endings of the paths that are checked in backticks.
const ENDINGS: [&str; 5] = [".rs", ".proto", ".md", ".yaml", ".sql"];
/// A place for a name, as in `domain/rule/<name>.rs`. Such a path is not checked.
const NAME_PLACES: [char; 2] = ['<', '*'];

/// Checks README, ARCHITECTURE, and the pages in `docs/` and `examples/`.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    let is_page = |path: &str| {
        let is_current = path != "CHANGELOG.md";
        let is_near =
            !path.contains('/') || path.starts_with("docs/") || path.starts_with("examples/");
        path.ends_with(".md") && is_current && is_near
    };
    for page in files.iter().filter(|file| is_page(&file.path)) {
        for (line, text) in (1..).zip(page.text.lines()) {
            let linked = targets(text).map(|target| resolved(&page.path, target));
            let missing = linked.filter(|path| !exists(files, path, false));
            let named = quoted(text).map(str::to_owned);
            let missing = missing.chain(named.filter(|path| !exists(files, path, true)));
            found.extend(missing.map(|path| {
                Violation::new(&page.path, line, format!("`{path}` is not in the repository"))
            }));
        }
    }
}

/// A file or folder of this path. A path in backticks may start below a folder of its context.
fn exists(files: &[SourceFile], path: &str, may_be_short: bool) -> bool {
    let (below, folder) = (format!("/{path}"), format!("{}/", path.trim_end_matches('/')));
    files.iter().any(|file| {
        file.path == path
            || file.path.starts_with(&folder)
            || (may_be_short && file.path.ends_with(&below))
    })
}

/// Paths in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| {
        ENDINGS.iter().any(|ending| quoted.ends_with(ending))
            && !quoted.contains(NAME_PLACES)
            && !quoted.contains([' ', '{'])
    })
}

/// Targets of links to files of the repository.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        let path = target.split('#').next().unwrap_or_default();
        (!path.is_empty() && !path.contains("://")).then_some(path)
    })
}

/// A relative target as a path from the root.
fn resolved(page: &str, target: &str) -> String {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_found_at_its_line() {
        let file =
            |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let page = "A `b/c.rs`, `c.rs` and `<x>.rs`.\n\
                    [d](../a/b/c.rs), [e](../f/) and [h](https://h)\n\
                    `b/d.rs`\n[i](j.md#k)\n";
        let files = [file("docs/p.md", page), file("a/b/c.rs", ""), file("f/g.rs", "")];
        let mut found = Vec::new();
        check(&files, &mut found);
        let listed: Vec<_> = found.iter().map(Violation::to_string).collect();
        assert_eq!(
            listed,
            [
                "docs/p.md:3: `b/d.rs` is not in the repository",
                "docs/p.md:4: `docs/j.md` is not in the repository",
            ]
        );
    }
}
