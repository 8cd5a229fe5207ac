//! Rules about migrations: the same steps in both dialects, each saying why.

use super::Violation;
use crate::repository::SourceFile;

/// Checks the migrations.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    let steps: Vec<_> = files.iter().filter(|file| file.path.contains("/migrations/")).collect();
    for step in &steps {
        let (here, there) = if step.path.contains("/sqlite/") {
            ("sqlite", "postgres")
        } else {
            ("postgres", "sqlite")
        };
        let twin =
            step.path.replace(&format!("/migrations/{here}/"), &format!("/migrations/{there}/"));
        if !steps.iter().any(|step| step.path == twin) {
            found.push(Violation::new(&step.path, 1, format!("has no twin {twin}")));
        }
        if !step.text.lines().any(|line| line.trim_start().starts_with("-- ")) {
            found.push(Violation::new(
                &step.path,
                1,
                "says nothing about why: comment each key and index",
            ));
        }
        let Some((folder, name)) = step.path.rsplit_once('/') else { continue };
        let number = name.split('_').next().unwrap_or_default();
        let has_same = |other: &&&SourceFile| {
            let rest = other.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
            other.path != step.path
                && rest.is_some_and(|rest| rest.split('_').next() == Some(number))
        };
        if let Some(other) = steps.iter().find(has_same) {
            found.push(Violation::new(&step.path, 1, format!("has the number of {}", other.path)));
        }
    }
}
