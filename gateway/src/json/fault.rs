//! Faults of a request: message and JSON path of each.

use std::fmt;

pub use proffer_proto::json::path::{push_index, push_key, quoted};

/// Faults reported for one request; more are left out.
pub const FAULTS_MAX: usize = 100;

/// A place in a JSON text, written as callers write it: `config.nodes[2].config.colour`.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The text as a whole.
    Root,
    /// A key of an object.
    Key(&'a Place<'a>, &'a str),
    /// An element of a list, from 0.
    Index(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    /// The place of a key below this one.
    pub fn key(&'a self, key: &'a str) -> Place<'a> {
        Place::Key(self, key)
    }

    /// The place of an element below this one.
    pub fn index(&'a self, index: usize) -> Place<'a> {
        Place::Index(self, index)
    }

    fn write(&self, out: &mut String) {
        match self {
            Place::Root => {}
            Place::Key(parent, key) => {
                parent.write(out);
                push_key(out, key);
            }
            Place::Index(parent, index) => {
                parent.write(out);
                push_index(out, &index.to_string());
            }
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        formatter.write_str(if out.is_empty() { BODY } else { &out })
    }
}

/// How the body as a whole is named in a fault.
pub const BODY: &str = "body";

/// All faults of a request, as path and message.
#[derive(Debug, Default)]
pub struct Faults(Vec<(String, String)>);

impl Faults {
    /// Adds one, unless there are too many already.
    pub fn add(&mut self, place: &Place<'_>, message: impl Into<String>) {
        if self.0.len() < FAULTS_MAX {
            self.0.push((place.to_string(), message.into()));
        }
    }

    /// Takes those within a place; their paths then begin there.
    pub fn take_within(&mut self, place: &Place<'_>) -> Self {
        let place = place.to_string();
        let below = |path: &str| {
            let rest = path.strip_prefix(&place)?;
            let is_below = rest.is_empty() || rest.starts_with(['.', '[']);
            is_below.then(|| rest.strip_prefix('.').unwrap_or(rest).to_owned())
        };
        let mut within = Vec::new();
        self.0.retain_mut(|(path, message)| match below(path) {
            Some(rest) => {
                within.push((rest, std::mem::take(message)));
                false
            }
            None => true,
        });
        Self(within)
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults in the order in which they were found.
    pub fn into_list(self) -> Vec<(String, String)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_the_caller_writes_it() {
        let (config, root) = ("config", Place::Root);
        let config = root.key(config);
        let nodes = config.key("nodes");
        let node = nodes.index(2);
        assert_eq!(node.key("colour").to_string(), "config.nodes[2].colour");
        assert_eq!(node.key("a.b\"c").to_string(), r#"config.nodes[2]["a.b\"c"]"#);
        assert_eq!(root.to_string(), "body");
    }

    #[test]
    fn faults_of_an_item_are_taken_with_paths_that_begin_there() {
        let (root, mut faults) = (Place::Root, Faults::default());
        let list = root.key("requests");
        let (second, twelfth) = (list.index(1), list.index(11));
        faults.add(&second.key("flow"), "one");
        faults.add(&second.key("attributes").key("a b"), "two");
        faults.add(&twelfth.key("flow"), "three");
        faults.add(&root.key("other"), "four");
        let taken = faults.take_within(&second).into_list();
        let paths: Vec<_> = taken.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["flow", "attributes[\"a b\"]"]);
        assert_eq!(faults.into_list().len(), 2);
    }
}
