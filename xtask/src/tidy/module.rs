//! The modules of a crate and the names in them, read from text: what a path such as
//! `super::Name` means.

use std::collections::{BTreeMap, BTreeSet};

use super::{path, source::Rust};

/// A module by its path from the root of its crate, which is empty for the root itself.
pub type Name = Vec<String>;

/// Words that define a name.
const DEFINING: [&str; 8] = ["struct", "enum", "trait", "fn", "type", "const", "static", "union"];
/// Re-exports followed in a row before a path is taken for circular.
const DEPTH_MAX: usize = 16;

/// One module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Path of its file.
    pub file: String,
    /// Paths it names, with their lines.
    paths: Vec<(usize, Name)>,
    /// What it imports or re-exports: the name here, and the path.
    imports: Vec<(String, Name)>,
    defined: BTreeSet<String>,
}

/// The modules of one crate.
#[derive(Clone, Debug, Default)]
pub struct Crate(BTreeMap<Name, Module>);

/// All crates by folder. `main.rs` beside a `lib.rs` is a crate of its own.
pub fn crates(files: &[Rust]) -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    let has_library = |folder: &str| {
        let library = format!("{folder}/src/lib.rs");
        files.iter().any(|file| file.path == library)
    };
    for file in files.iter().filter(|file| !file.is_test_file()) {
        let Some((folder, rest)) = file.path.split_once("/src/") else { continue };
        let folder = match rest {
            "main.rs" if has_library(folder) => format!("{folder} (main)"),
            _ => folder.to_owned(),
        };
        crates.entry(folder).or_default().0.insert(module_name(rest), Module::read(file));
    }
    crates
}

fn module_name(file: &str) -> Name {
    let mut name: Name = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(name.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        name.pop();
    }
    name
}

impl Module {
    fn read(file: &Rust) -> Self {
        let mut module = Self { file: file.path.clone(), ..Self::default() };
        let words = path::words(file);
        for (at, (_, word)) in words.iter().enumerate() {
            if DEFINING.contains(&word.as_str()) {
                module.defined.extend(words.get(at + 1).map(|(_, name)| name.clone()));
            }
        }
        for (line, path, alias) in path::imports(&words) {
            module.imports.push((alias, path.clone()));
            module.paths.push((line, path));
        }
        module.paths.extend(path::inline(&words));
        module
    }
}

impl Crate {
    /// The module of this name.
    pub fn module(&self, name: &Name) -> Option<&Module> {
        self.0.get(name)
    }

    /// Which modules each module names, and the line of the first time it does.
    pub fn arrows(&self) -> BTreeMap<Name, BTreeMap<Name, usize>> {
        let mut arrows: BTreeMap<Name, BTreeMap<Name, usize>> = BTreeMap::new();
        for (name, module) in &self.0 {
            let from = arrows.entry(name.clone()).or_default();
            for (line, path) in &module.paths {
                if let Some(to) = self.home(name, path, DEPTH_MAX).filter(|to| to != name) {
                    let first = from.entry(to).or_insert(*line);
                    *first = (*line).min(*first);
                }
            }
        }
        arrows
    }

    /// The module in which what `path` names is defined, seen from `from`; none when it lies
    /// outside of the crate.
    fn home(&self, from: &Name, path: &[String], depth: usize) -> Option<Name> {
        let (first, mut rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => Name::new(),
            "self" => from.clone(),
            "super" => parent(from)?,
            _ => {
                rest = path;
                from.clone()
            }
        };
        while let Some(("super", after)) =
            rest.split_first().map(|(word, after)| (word.as_str(), after))
        {
            (module, rest) = (parent(&module)?, after);
        }
        while let Some((next, after)) = rest.split_first() {
            let child: Name = module.iter().chain([next]).cloned().collect();
            if !self.0.contains_key(&child) {
                let is_relative = !matches!(first.as_str(), "crate" | "self" | "super");
                return self
                    .definer(&module, next, depth)
                    .or_else(|| (!is_relative).then_some(module));
            }
            (module, rest) = (child, after);
        }
        Some(module)
    }

    /// The module that defines `name`, which `module` defines or imports.
    fn definer(&self, module: &Name, name: &str, depth: usize) -> Option<Name> {
        let own = self.0.get(module)?;
        if own.defined.contains(name) {
            return Some(module.clone());
        }
        let depth = depth.checked_sub(1)?;
        let named = own.imports.iter().find(|(alias, _)| alias == name);
        if let Some((_, path)) = named {
            return self.home(module, path, depth);
        }
        own.imports.iter().filter(|(alias, _)| alias == path::ALL).find_map(|(_, path)| {
            // Without imports on the way: a glob of a name that nothing defines would ask itself.
            let of = self.home(module, path, 0)?;
            if &of == module { None } else { self.definer(&of, name, depth) }
        })
    }
}

fn parent(name: &Name) -> Option<Name> {
    let (_, parent) = name.split_last()?;
    Some(parent.to_vec())
}
