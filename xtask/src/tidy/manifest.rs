//! Rules about crates: which may depend on which.

use super::Violation;
use crate::repository::SourceFile;

const SERVICES: [&str; 5] =
    ["catalog-svc", "policy-svc", "decision-svc", "experiment-svc", "gateway"];
/// Puts the services together.
const COMPOSER: &str = "proffer/";

/// Checks the manifests.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    let map = files
        .iter()
        .find(|file| file.path == "ARCHITECTURE.md")
        .map_or("", |file| file.text.as_str());
    for file in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let folder = file.path.trim_end_matches("/Cargo.toml");
        for (line, text) in (1..).zip(file.text.lines()) {
            let named = text.split(['.', ' ', '=']).next().unwrap_or_default();
            if SERVICES.contains(&named) && !file.path.starts_with(COMPOSER) {
                let what = format!(
                    "no service imports another, and only `proffer` puts them together: drop \
                     `{named}`"
                );
                found.push(Violation::new(&file.path, line, what));
            }
        }
        if !file.text.contains("[lints]\nworkspace = true") {
            let what =
                "the workspace's lints are not inherited: add `[lints]` with `workspace = true`";
            found.push(Violation::new(&file.path, 1, what));
        }
        let Some(name) = folder.strip_prefix("crates/") else { continue };
        if !map.lines().any(|line| line.trim_start().starts_with(&format!("{name}/"))) {
            let what = format!(
                "`{folder}` has no line in the map of ARCHITECTURE.md: say in a sentence what it \
                 is for"
            );
            found.push(Violation::new(&file.path, 1, what));
        }
    }
}
