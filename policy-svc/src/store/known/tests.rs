//! Query plans: every statement reaches every table by the customer, through an index.

use database::{Database, Location, PoolSizes};

use super::*;

/// How SQLite reaches the tables of a statement: the table's name in it, and what its index is
/// asked for.
async fn plan(database: &Database, sql: &str) -> Vec<String> {
    let sql = format!("explain query plan {sql}");
    let parameters = (1..=32).rev().find(|number| sql.contains(&format!("${number}")));
    let select = Select::new(sql.as_str());
    let select = (0..parameters.unwrap_or_default()).fold(select, |select, _| select.bind("[]"));
    let steps: Vec<(i64, i64, i64, String)> = select.all(database).await.unwrap();
    steps.into_iter().map(|step| step.3).collect()
}

/// However many customers are read together, each customer's rows are found by the customer, and by
/// what narrows them further. A step without the customer would read all customers of a tenant.
#[tokio::test]
async fn every_statement_reaches_every_table_by_the_customer_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Folder(folder.path().to_owned());
    let steps = [history::migrations(), super::super::migrations()];
    let database = Database::open(&location, "policy", PoolSizes::default(), &steps).await.unwrap();
    let tables = ["contact", "outcome", "consent", "grant_request", "customer"];
    let narrowed = [(" o ", "key=? AND occurred_us>? AND occurred_us<?"), (" r ", "request_key=?")];
    for (number, sql) in statements(database.dialect()).iter().enumerate() {
        let steps = plan(&database, sql).await;
        let is_index = |step: &&String| {
            step.contains(" USING ") && !step.contains("TEMP") && !step.contains(" h ")
        };
        for step in steps.iter().filter(is_index) {
            assert!(step.contains("(tenant_id=? AND customer_id=?"), "statement {number}: {step}");
            for (table, narrow) in narrowed {
                assert!(
                    !step.contains(table) || step.contains(narrow),
                    "statement {number}: {step}"
                );
            }
        }
        let is_whole = |step: &&String| {
            step.starts_with("SCAN") && tables.iter().any(|table| step.contains(table))
        };
        assert_eq!(steps.iter().find(is_whole), None, "statement {number}");
    }
    let of = async |parts: Parts, customers: usize, narrow: [&str; 2]| {
        let sql = statement::text(database.dialect(), parts, customers, database::Count::Many);
        let steps = plan(&database, sql).await;
        let is_narrow = |step: &String| narrow.iter().all(|text| step.contains(text));
        assert!(steps.iter().any(is_narrow), "{steps:#?}");
    };
    for customers in [1, 2] {
        let named = Parts { named: true, ..Parts::default() };
        of(named, customers, ["contact_once", "decision_id=?"]).await;
        let committed = Parts { committed: true, ..Parts::default() };
        of(committed, customers, ["contact_by_state", "state=? AND committed_us>?"]).await;
    }
}
