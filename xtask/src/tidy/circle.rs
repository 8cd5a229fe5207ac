//! Rules about imports: the modules of a crate do not import each other in a circle, apart from a
//! module and its own children.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    module::{self, Crate, Name},
    source::Rust,
};

type Arrows = BTreeMap<Name, BTreeMap<Name, usize>>;

/// Checks all crates.
pub fn check(files: &[Rust], found: &mut Vec<Violation>) {
    for (folder, of) in module::crates(files) {
        let arrows = of.arrows();
        for circle in circles(&arrows, arrows.keys().cloned().collect()) {
            found.extend(violation(&folder, &of, &arrows, &circle));
        }
    }
}

fn violation(folder: &str, of: &Crate, arrows: &Arrows, circle: &[Name]) -> Option<Violation> {
    let (first, second) = (circle.first()?, circle.get(1).or(circle.first())?);
    let line = arrows.get(first)?.get(second)?;
    let shown: Vec<_> = circle.iter().chain([first]).map(shown).collect();
    let what = format!(
        "modules of {folder} import each other in a circle: {}; move what both need to a module of \
         its own",
        shown.join(" → ")
    );
    Some(Violation::new(&of.module(first)?.file, *line, what))
}

fn shown(name: &Name) -> String {
    if name.is_empty() { "crate".to_owned() } else { name.join("::") }
}

/// One circle for each part of `nodes` that reaches all of itself. A module and its own children
/// may import each other, so the module above all others is taken out, and the rest is looked at
/// again.
fn circles(arrows: &Arrows, nodes: BTreeSet<Name>) -> Vec<Vec<Name>> {
    let mut found = Vec::new();
    for mut part in parts(arrows, &nodes) {
        match top(part.iter()).cloned() {
            Some(top) => {
                part.remove(&top);
                found.extend(circles(arrows, part));
            }
            None => found.extend(shortest(arrows, &part)),
        }
    }
    found
}

/// The module of which all others are children, or children of children.
fn top<'a>(modules: impl Iterator<Item = &'a Name> + Clone) -> Option<&'a Name> {
    modules.clone().find(|name| modules.clone().all(|other| other.starts_with(name)))
}

/// The parts of `nodes`, of two or more, in which each reaches each.
fn parts(arrows: &Arrows, nodes: &BTreeSet<Name>) -> Vec<BTreeSet<Name>> {
    let reached: BTreeMap<&Name, BTreeSet<Name>> =
        nodes.iter().map(|name| (name, reach(arrows, nodes, name))).collect();
    let mut left = nodes.clone();
    let mut parts = Vec::new();
    while let Some(name) = left.pop_first() {
        let returns =
            |other: &&Name| reached.get(other).is_some_and(|reached| reached.contains(&name));
        let mut part: BTreeSet<Name> =
            reached.get(&name).into_iter().flatten().filter(returns).cloned().collect();
        left.retain(|other| !part.contains(other));
        part.insert(name);
        if part.len() > 1 {
            parts.push(part);
        }
    }
    parts
}

fn reach(arrows: &Arrows, nodes: &BTreeSet<Name>, from: &Name) -> BTreeSet<Name> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        for to in arrows.get(name).into_iter().flat_map(BTreeMap::keys) {
            if nodes.contains(to) && reached.insert(to.clone()) {
                next.push(to);
            }
        }
    }
    reached
}

/// The shortest circle in `part`; one of a module and its own children only when there is no other.
fn shortest(arrows: &Arrows, part: &BTreeSet<Name>) -> Option<Vec<Name>> {
    let circles = part.iter().flat_map(|from| {
        let targets = arrows.get(from).into_iter().flat_map(BTreeMap::keys);
        targets.filter(|to| part.contains(*to)).filter_map(|to| {
            let mut circle = way(arrows, part, to, from)?;
            circle.rotate_right(1);
            Some(circle)
        })
    });
    circles.min_by_key(|circle| (top(circle.iter()).is_some(), circle.len()))
}

/// The shortest way through `part` from one module to another, both included.
fn way(arrows: &Arrows, part: &BTreeSet<Name>, from: &Name, to: &Name) -> Option<Vec<Name>> {
    let mut ways = vec![vec![from.clone()]];
    let mut seen = BTreeSet::from([from]);
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = way.last()?;
            if last == to {
                return Some(way);
            }
            for next in arrows.get(last).into_iter().flat_map(BTreeMap::keys) {
                if part.contains(next) && seen.insert(next) {
                    longer.push(way.iter().chain([next]).cloned().collect());
                }
            }
        }
        ways = longer;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<_> =
            files.iter().map(|(path, code)| Rust::read(&format!("s/src/{path}"), code)).collect();
        let mut found = Vec::new();
        check(&files, &mut found);
        found.iter().map(|violation| violation.to_string()).collect()
    }

    fn check_circle(files: &[(&str, &str)], expected: &str) {
        let found = found(files);
        assert!(found.len() == 1 && found.iter().all(|one| one.contains(expected)), "{found:?}");
    }

    #[test]
    fn siblings_that_import_each_other_are_a_circle() {
        let files = [("a.rs", "\nuse crate::b::B;"), ("b.rs", "use super::a::A;"), ("lib.rs", "")];
        check_circle(&files, "s/src/a.rs:2: modules of s import each other in a circle: a → b → a");
    }

    #[test]
    fn a_name_that_a_parent_passes_on_leads_to_its_own_module() {
        let parent = "mod b;\nmod c;\npub use b::B;\npub use c::*;\n";
        let files = [
            ("a/mod.rs", parent),
            ("a/b.rs", "pub struct B(super::C);"),
            ("a/c.rs", "use super::B;\npub struct C;"),
        ];
        check_circle(&files, "a::b → a::c → a::b");
        let through =
            [("a/mod.rs", parent), ("a/b.rs", "pub struct B;"), ("a/c.rs", "use crate::a::B;")];
        assert_eq!(found(&through), [""; 0]);
    }

    #[test]
    fn a_module_and_its_own_children_may_import_each_other() {
        let files = [
            ("a/mod.rs", "mod b;\nuse b::B;\npub struct A;"),
            ("a/b.rs", "use super::A;\npub struct B;"),
            ("lib.rs", "mod a;\npub use a::A;\npub struct L;"),
            ("a/b/c.rs", "use crate::L;\nuse super::B;"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn a_circle_may_lead_through_a_child() {
        let files = [
            ("a/mod.rs", "mod b;\nuse b::B;\npub struct A;"),
            ("a/b.rs", "use crate::c::C;\npub struct B;"),
            ("c.rs", "use crate::a::A;\npub struct C;"),
        ];
        check_circle(&files, "a → a::b → c → a");
    }

    #[test]
    fn tests_may_import_what_they_like() {
        let files = [
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}"),
            ("b/tests.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
