//! Rules about keys: customers can be spread over servers only when every key of their rows begins
//! with the customer.

use super::Violation;
use crate::repository::SourceFile;

/// What every primary or unique key of customers' data begins with.
const BEGINNING: [&str; 2] = ["tenant_id", "customer_id"];

/// Tables without customers, and why each has none.
const OTHERS: [(&str, &str); 24] = [
    ("head", "a tenant's configuration"),
    ("entry", "a tenant's configuration"),
    ("resource", "a tenant's configuration"),
    ("running_flow", "the experiment that runs on a flow"),
    ("counting", "what an experiment counts"),
    ("tally_sum", "sums over the customers of an experiment"),
    ("contact_position", "how far a tenant's contacts are followed"),
    ("snapshot", "what an experiment showed on a day"),
    ("counted_through", "an instant of a tenant's ledger"),
    ("training_key", "the key by which a tenant's exports name customers"),
    ("kept_since", "from when on rows of a kind are there"),
    ("replica", "a process"),
    ("report_position", "how far rows are counted for reports"),
    ("report_zone", "the time zone of a tenant's days"),
    ("report_cell", "what reports count apart: flow, offer, category, channel, type"),
    ("response_count", "contacts and responses by offer, category and channel"),
    ("response_head", "how often the counts of responses have changed"),
    ("online_state", "what the online model of a flow has learned"),
    ("online_lease", "the process that learns online models"),
    ("online_snapshot", "a published online model"),
    ("report_day", "counts of a tenant's day"),
    ("contact_feed", "the last position in a tenant's feed of contacts"),
    ("budget", "the sum over all customers that a policy limits"),
    ("budget_entry", "counted in a sum over all customers, by the contact's id"),
];

/// Checks the tables of all migrations.
pub fn check(files: &[SourceFile], found: &mut Vec<Violation>) {
    for file in files.iter().filter(|file| file.path.contains("/migrations/")) {
        for (line, statement) in statements(&file.text) {
            if let Some(what) = fault(&statement) {
                found.push(Violation::new(&file.path, line, what));
            }
        }
    }
}

/// Statements without comments, in lower case, each with its first line.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut all = vec![(0, String::new())];
    for (number, line) in (1..).zip(text.to_lowercase().lines()) {
        let code = line.split("--").next().unwrap_or_default();
        for (place, piece) in code.split(';').enumerate() {
            if place > 0 {
                all.push((0, String::new()));
            }
            let Some((first, statement)) = all.last_mut() else { continue };
            if !piece.trim().is_empty() {
                *first = if *first == 0 { number } else { *first };
                statement.push_str(&format!(" {}", piece.trim()));
            }
        }
    }
    all.retain(|(_, statement)| !statement.is_empty());
    all
}

fn fault(statement: &str) -> Option<String> {
    let statement = statement.trim();
    if let Some(index) = statement.strip_prefix("create unique index ") {
        let (_, on) = index.split_once(" on ")?;
        let table = on.split(['(', ' ']).next()?;
        return is_about_customers(table).then(|| key_fault(table, on)).flatten();
    }
    let (table, columns) = statement.strip_prefix("create table ")?.split_once('(')?;
    let table = table.trim();
    if !columns.split_whitespace().any(|word| word == "customer_id") {
        return is_about_customers(table).then(|| {
            format!("`{table}` has no customer_id: list it with the tables without customers")
        });
    }
    if !columns.contains("primary key (") {
        return Some(format!(
            "the primary key of `{table}` must begin with tenant_id, customer_id"
        ));
    }
    let keys = columns.split("primary key ").skip(1);
    let unique = columns.split("unique ").skip(1);
    keys.chain(unique).find_map(|key| key_fault(table, key))
}

fn is_about_customers(table: &str) -> bool {
    !OTHERS.iter().any(|(other, _)| *other == table)
}

/// What is wrong with the columns that follow in parentheses.
fn key_fault(table: &str, key: &str) -> Option<String> {
    let columns = key.split_once('(')?.1.split(')').next()?;
    let begins = columns.split(',').map(str::trim).take(BEGINNING.len()).eq(BEGINNING);
    (!begins).then(|| {
        format!("a key of `{table}` is ({columns}): it must begin with tenant_id, customer_id")
    })
}
