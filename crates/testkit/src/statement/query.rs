//! A statement as its selects and writes, each with what it reads and by which conditions.

use super::token::Node;

/// A statement, or a part of one between parentheses.
#[derive(Debug, Default)]
pub struct Query {
    /// Named parts, in order.
    pub parts: Vec<(String, Query)>,
    /// Several when united.
    pub branches: Vec<Branch>,
    /// All of it.
    pub nodes: Vec<Node>,
}

/// One select, insert, update or delete.
#[derive(Debug, Default)]
pub struct Branch {
    /// What it writes.
    pub write: Option<Write>,
    /// What it reads; of an update or delete the written table is the first.
    pub relations: Vec<Relation>,
    /// Conditions that must all hold.
    pub conditions: Vec<Vec<Node>>,
    /// Queries between parentheses among its columns and conditions.
    pub nested: Vec<Query>,
    /// Locks the rows it reads.
    pub is_locking: bool,
}

/// A table that is written.
#[derive(Debug)]
pub struct Write {
    /// Its name.
    pub table: String,
    /// Columns and values of an insert; none of an update or delete.
    pub cells: Vec<(String, Vec<Node>)>,
    /// An insert.
    pub is_insert: bool,
}

/// Something in a `from`.
#[derive(Debug)]
pub struct Relation {
    /// The name by which its columns are called.
    pub alias: String,
    /// Where its rows come from.
    pub origin: Origin,
    /// The right side of a `left join`.
    pub is_optional: bool,
    /// May name columns of the relations before it.
    pub is_lateral: bool,
}

/// Where rows come from.
#[derive(Debug)]
pub enum Origin {
    /// A table or a named part.
    Named(String),
    /// A function.
    Function,
    /// A query between parentheses.
    Query(Query),
}

const CLAUSES: [&str; 11] = [
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
    "for",
    "returning",
    "window",
    "union",
    "set",
];

/// True for what a query begins with.
pub fn is_query(nodes: &[Node]) -> bool {
    let first = nodes.first().map_or("", Node::word);
    matches!(first, "select" | "with" | "insert" | "update" | "delete")
}

impl Query {
    /// Reads a statement.
    pub fn read(nodes: &[Node]) -> Self {
        let (mut query, mut rest) = (Self { nodes: nodes.to_vec(), ..Self::default() }, nodes);
        if first(rest) == "with" {
            rest = rest.get(1..).unwrap_or_default();
            while let Some(place) = rest.iter().position(|node| is_query(node.group())) {
                let part = rest.get(place).map(Node::group).unwrap_or_default();
                query.parts.push((first(rest).to_owned(), Self::read(part)));
                rest = rest.get(place + 1..).unwrap_or_default();
                if first(rest) != "," {
                    break;
                }
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        for nodes in rest.split(|node| node.word() == "union") {
            let is_all = first(nodes) == "all";
            query.branches.push(Branch::read(nodes.get(usize::from(is_all)..).unwrap_or_default()));
        }
        query
    }

    /// This query and all within it, with the branch each is in.
    pub fn all(&self) -> Vec<&Query> {
        let mut all = vec![self];
        for (_, part) in &self.parts {
            all.extend(part.all());
        }
        for branch in &self.branches {
            branch.nested.iter().for_each(|query| all.extend(query.all()));
            for relation in &branch.relations {
                if let Origin::Query(query) = &relation.origin {
                    all.extend(query.all());
                }
            }
        }
        all
    }
}

impl Branch {
    fn read(nodes: &[Node]) -> Self {
        let mut branch = Self::default();
        let mut rest = nodes;
        match first(nodes) {
            "insert" => {
                let (table, after) = (word(nodes, 2), nodes.get(3..).unwrap_or_default());
                let columns = list(after.first().map(Node::group).unwrap_or_default());
                let conflict = after.windows(2).position(|two| {
                    two.first().is_some_and(|node| node.word() == "on")
                        && two.get(1).is_some_and(|node| node.word() == "conflict")
                });
                rest = after.get(1..conflict.unwrap_or(after.len())).unwrap_or_default();
                let values = match first(rest) {
                    "values" => list(rest.get(1).map(Node::group).unwrap_or_default()),
                    _ => list(rest.get(1..before(rest, "from")).unwrap_or_default()),
                };
                let columns = columns.iter().map(|column| first(column).to_owned());
                let cells = columns.zip(values.into_iter().map(<[Node]>::to_vec)).collect();
                branch.write = Some(Write { table, cells, is_insert: true });
            }
            "update" | "delete" => {
                let place = if first(nodes) == "update" { 1 } else { 2 };
                let until = place + before(nodes.get(place..).unwrap_or_default(), "using");
                branch.relate(nodes.get(place..until).unwrap_or_default());
                let table = word(nodes, place);
                branch.write = Some(Write { table, cells: Vec::new(), is_insert: false });
                rest = nodes.get(until..).unwrap_or_default();
            }
            _ => {}
        }
        for name in ["from", "using"] {
            let after = after(rest, name);
            branch.relate(after.get(..end(after)).unwrap_or_default());
        }
        let conditions = after(rest, "where");
        branch.hold(conditions.get(..end(conditions)).unwrap_or_default());
        branch.is_locking =
            rest.windows(2).any(|two| two.iter().map(Node::word).eq(["for", "update"]));
        let columns = rest.get(..before(rest, "from")).unwrap_or_default();
        branch.nested.extend(nested(columns));
        branch.nested.extend(nested(conditions));
        branch
    }

    /// Adds what a `from` names.
    fn relate(&mut self, nodes: &[Node]) {
        let is_between = |node: &Node| {
            matches!(node.word(), "," | "join" | "cross" | "left" | "inner" | "outer")
        };
        let mut is_optional = false;
        for piece in nodes.split_inclusive(is_between) {
            let (piece, separator) = match piece.split_last() {
                Some((last, piece)) if is_between(last) => (piece, last.word()),
                _ => (piece, ""),
            };
            if !piece.is_empty() {
                let on = piece.iter().position(|node| node.word() == "on").unwrap_or(piece.len());
                let relation = Relation::read(piece.get(..on).unwrap_or_default(), is_optional);
                self.relations.push(relation);
                let conditions = piece.get(on + 1..).unwrap_or_default();
                self.hold(conditions);
                self.nested.extend(nested(conditions));
                is_optional = false;
            }
            is_optional |= separator == "left";
        }
    }

    /// Adds conditions.
    fn hold(&mut self, nodes: &[Node]) {
        let all = nodes.split(|node| node.word() == "and").map(<[Node]>::to_vec);
        self.conditions.extend(all.filter(|condition| !condition.is_empty()));
    }
}

impl Relation {
    fn read(nodes: &[Node], is_optional: bool) -> Self {
        let is_lateral = first(nodes) == "lateral";
        let nodes = nodes.get(usize::from(is_lateral)..).unwrap_or_default();
        let name = first(nodes);
        let is_function = !name.is_empty() && matches!(nodes.get(1), Some(Node::Group(_)));
        let origin = match nodes.first() {
            Some(Node::Group(group)) if is_query(group) => Origin::Query(Query::read(group)),
            Some(Node::Group(_)) => Origin::Function,
            _ if is_function => Origin::Function,
            _ => Origin::Named(name.to_owned()),
        };
        let rest = nodes.get(1 + usize::from(is_function)..).unwrap_or_default();
        let alias = rest.iter().map(Node::word).find(|word| !matches!(*word, "as" | ""));
        Self { alias: alias.unwrap_or(name).to_owned(), origin, is_optional, is_lateral }
    }
}

fn first(nodes: &[Node]) -> &str {
    nodes.first().map_or("", Node::word)
}

fn word(nodes: &[Node], place: usize) -> String {
    nodes.get(place).map_or("", Node::word).to_owned()
}

/// How many nodes come before a clause, or before the first of any other when it is missing.
fn before(nodes: &[Node], name: &str) -> usize {
    nodes.iter().position(|node| node.word() == name).unwrap_or_else(|| end(nodes))
}

/// What follows the word that begins a clause; nothing without it.
fn after<'n>(nodes: &'n [Node], name: &str) -> &'n [Node] {
    let place = nodes.iter().position(|node| node.word() == name);
    place.and_then(|place| nodes.get(place + 1..)).unwrap_or_default()
}

/// Where the next clause begins.
fn end(nodes: &[Node]) -> usize {
    nodes.iter().position(|node| CLAUSES.contains(&node.word())).unwrap_or(nodes.len())
}

/// What commas separate.
fn list(nodes: &[Node]) -> Vec<&[Node]> {
    nodes.split(|node| node.word() == ",").collect()
}

/// Queries between parentheses.
fn nested(nodes: &[Node]) -> Vec<Query> {
    let inner = nodes.iter().map(Node::group).filter(|group| !group.is_empty());
    inner
        .flat_map(|group| match is_query(group) {
            true => vec![Query::read(group)],
            false => nested(group),
        })
        .collect()
}
