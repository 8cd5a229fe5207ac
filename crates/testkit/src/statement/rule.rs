//! What a database that spreads customers over servers refuses.

use std::collections::BTreeSet;

use super::{
    query::{Branch, Origin, Query, Relation},
    token::{Node, nodes},
};

/// The columns by which customers are spread.
const KEY: [&str; 2] = ["tenant_id", "customer_id"];

/// A statement read against the customers' tables.
struct Reader<'a> {
    tables: &'a BTreeSet<String>,
    /// Names of all parts of the statement.
    parts: BTreeSet<String>,
    /// Everything in it is about one customer, bound to a parameter: it runs on one server.
    is_about_one: bool,
    found: BTreeSet<String>,
}

/// What a statement reads, by the names its columns are called by.
#[cfg(feature = "database")]
pub struct Reads {
    /// Customers' tables.
    pub tables: BTreeSet<String>,
    /// Those of which it says whose rows.
    pub by_customer: BTreeSet<String>,
    /// Rows that are sent along or were worked out before; some statements call a table by the same
    /// name elsewhere.
    pub rows: BTreeSet<String>,
}

#[cfg(feature = "database")]
impl Reads {
    /// What a statement reads.
    pub fn of(text: &str, tables: &BTreeSet<String>) -> Self {
        let query = Query::read(&nodes(text));
        let reader = Reader::new(&query, tables);
        let [mut tables, mut by_customer, mut rows] = [const { BTreeSet::new() }; 3];
        for branch in query.all().iter().flat_map(|query| &query.branches) {
            for relation in &branch.relations {
                let alias = relation.alias.clone();
                if !reader.is_customers(relation) {
                    rows.insert(alias);
                    continue;
                }
                if !values(branch, relation, "customer_id").is_empty() {
                    by_customer.insert(alias.clone());
                }
                tables.insert(alias);
            }
        }
        Self { tables, by_customer, rows }
    }
}

/// What is wrong with a statement. `is_scan`: it is allowed to read rows of all customers.
pub fn faults(text: &str, tables: &BTreeSet<String>, is_scan: bool) -> BTreeSet<String> {
    let query = Query::read(&nodes(text));
    let all = query.all();
    let mut reader = Reader::new(&query, tables);
    let branches: Vec<_> = all.iter().flat_map(|query| &query.branches).collect();
    reader.is_about_one = branches.iter().all(|branch| reader.names_one_customer(branch));
    let mut written = BTreeSet::new();
    for branch in &branches {
        if let Some(write) = &branch.write
            && !written.insert(&write.table)
        {
            reader.found.insert(format!("writes `{}` twice", write.table));
        }
        if !is_scan {
            reader.check_key(branch);
        }
        reader.check_form(branch);
    }
    let writing = query.parts.iter().filter(|(_, part)| writes(part));
    for (name, _) in writing.filter(|_| !reader.is_about_one) {
        reader.found.insert(format!("`{name}` writes about several customers"));
    }
    reader.found
}

fn writes(query: &Query) -> bool {
    query.all().iter().any(|query| query.branches.iter().any(|branch| branch.write.is_some()))
}

impl<'a> Reader<'a> {
    fn new(query: &Query, tables: &'a BTreeSet<String>) -> Self {
        let all = query.all().into_iter();
        let parts = all.flat_map(|query| query.parts.iter().map(|(name, _)| name.clone()));
        Self { tables, parts: parts.collect(), is_about_one: false, found: BTreeSet::new() }
    }

    /// Customers' tables that the branch reads or changes.
    fn customers<'b>(&self, branch: &'b Branch) -> Vec<&'b Relation> {
        branch.relations.iter().filter(|relation| self.is_customers(relation)).collect()
    }

    fn is_customers(&self, relation: &Relation) -> bool {
        match &relation.origin {
            Origin::Named(name) => self.tables.contains(name) && !self.parts.contains(name),
            Origin::Function | Origin::Query(_) => false,
        }
    }

    /// Rows that are sent along or were worked out before: every server gets all of them.
    fn is_asked(&self, relation: &Relation) -> bool {
        match &relation.origin {
            Origin::Named(name) => self.parts.contains(name),
            Origin::Function => true,
            Origin::Query(query) => !query.all().iter().any(|query| {
                query.branches.iter().any(|branch| !self.customers(branch).is_empty())
            }),
        }
    }

    fn names_one_customer(&self, branch: &Branch) -> bool {
        let is_one = |relation: &&Relation| {
            let values = values(branch, relation, "customer_id");
            values.iter().any(|value| value.starts_with('$'))
        };
        let inserts_one = branch.write.as_ref().is_none_or(|write| {
            let is_customer = |(column, value): &(String, Vec<Node>)| {
                column == "customer_id"
                    && value.first().is_some_and(|it| it.word().starts_with('$'))
            };
            !write.is_insert
                || !self.tables.contains(&write.table)
                || write.cells.iter().any(is_customer)
        });
        inserts_one && self.customers(branch).iter().all(is_one)
    }

    /// Every customers' table is bound to tenant and customer: to parameters, or to rows that are.
    fn check_key(&mut self, branch: &Branch) {
        if let Some(write) = branch.write.as_ref().filter(|write| write.is_insert)
            && self.tables.contains(&write.table)
        {
            for key in KEY {
                if !write.cells.iter().any(|(column, _)| column == key) {
                    self.found.insert(format!("`{}` is written without `{key}`", write.table));
                }
            }
        }
        for key in KEY {
            let mut open = self.customers(branch);
            loop {
                let before = open.len();
                let still_open: BTreeSet<_> =
                    open.iter().map(|relation| relation.alias.clone()).collect();
                open.retain(|relation| {
                    let is_bound = |value: &String| match value.rsplit_once('.') {
                        _ if value.starts_with('$') || value == "any" => true,
                        Some((alias, _)) => !still_open.contains(alias),
                        None => false,
                    };
                    !values(branch, relation, key).iter().any(is_bound)
                });
                if open.len() == before {
                    break;
                }
            }
            for relation in open {
                self.found.insert(format!("`{}` is not bound to `{key}`", relation.alias));
            }
        }
    }

    fn check_form(&mut self, branch: &Branch) {
        let customers = self.customers(branch);
        let asked: Vec<_> =
            branch.relations.iter().filter(|relation| self.is_asked(relation)).collect();
        let mut found = Vec::new();
        let is_alone = self.names_one_customer(branch) && asked.is_empty();
        if branch.is_locking && !customers.is_empty() && !is_alone && !self.is_about_one {
            found.push("locks rows of several customers".to_owned());
        }
        if let (Some(asked), false) = (asked.first(), self.is_about_one) {
            let alias = &asked.alias;
            if customers.len() > 1 {
                found.push(format!("joins `{alias}` with several customers' tables"));
            }
            if customers.iter().any(|relation| relation.is_optional) {
                found.push(format!("keeps rows of `{alias}` that have no match"));
            }
            let lateral = branch.relations.iter().filter_map(|relation| match &relation.origin {
                Origin::Query(query) if relation.is_lateral => Some(query),
                _ => None,
            });
            let aliases: Vec<_> = branch.relations.iter().map(|it| it.alias.as_str()).collect();
            let mut inner = branch.nested.iter().chain(lateral);
            if inner.any(|query| aliases.iter().any(|alias| names(query, alias))) {
                found.push(format!("has a subquery for each row of `{alias}`"));
            }
        }
        self.found.extend(found);
    }
}

/// What a column of a relation is equal to: parameters, columns, or `any`.
fn values(branch: &Branch, relation: &Relation, column: &str) -> Vec<String> {
    let full = format!("{}.{column}", relation.alias);
    let is_it = |word: &str| word == full || word == column && branch.relations.len() == 1;
    let mut values = Vec::new();
    for condition in &branch.conditions {
        let words: Vec<_> = condition.iter().map(Node::word).collect();
        match words.as_slice() {
            [left, "=", right] | [left, "=", right, ""] if is_it(left) => {
                values.push((*right).to_owned());
            }
            [left, "=", right] if is_it(right) => values.push((*left).to_owned()),
            _ => {}
        }
    }
    values
}

/// True when a query names a column of a relation outside of it.
fn names(query: &Query, alias: &str) -> bool {
    fn mentions(nodes: &[Node], prefix: &str) -> bool {
        nodes.iter().any(|node| node.word().starts_with(prefix) || mentions(node.group(), prefix))
    }
    let is_own = query
        .all()
        .iter()
        .flat_map(|query| &query.branches)
        .any(|branch| branch.relations.iter().any(|relation| relation.alias == alias));
    !is_own && mentions(&query.nodes, &format!("{alias}."))
}
